/** The finished head of a response, as text: adding our cookies to it, or putting another in its place. */
import { STATUS_CODES } from 'node:http'
import type { Answer } from './answer.ts'

const END = '\r\n'

/** What shared caches go by instead of `Cache-Control` (RFC 9213, and what came before it). */
const SHARED = [
  'cdn-cache-control',
  'cloudflare-cdn-cache-control',
  'netlify-cdn-cache-control',
  'vercel-cdn-cache-control',
  'edge-control',
  'surrogate-control',
  'x-accel-expires',
] as const

/** The same, to look a name up. */
export const FOR_SHARED_CACHES: ReadonlySet<string> = new Set(SHARED)

/** Headers that belong to one answer and not to another that takes its place. What else is there (HSTS, CORS) stays. */
export const REPRESENTATION: ReadonlySet<string> = new Set([
  ...SHARED,
  'accept-ranges',
  'age',
  'cache-control',
  'connection',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-length',
  'content-location',
  'content-range',
  'content-type',
  'digest',
  'etag',
  'expires',
  'keep-alive',
  'last-modified',
  'link',
  'location',
  'refresh',
  'set-cookie',
  'trailer',
  'transfer-encoding',
])

/** The head with our cookies after the application's, and then at least `Cache-Control: private`. */
export function headWithCookies(head: string, cookies: readonly string[]): string {
  return cookies.length === 0 ? head : privateHead(head, cookies)
}

/** The head with at least `Cache-Control: private`. `personal`: the body is this visitor's too, which a cache that keeps it has to know. */
export function privateHead(head: string, cookies: readonly string[] = [], personal = false): string {
  const lines = head.slice(0, -2 * END.length).split(END)
  const valuesOf = (name: string): string[] => lines.filter((line) => nameOf(line) === name).map(valueOf)
  const control = privateCacheControl(valuesOf('cache-control'))
  const vary = personal ? personalVary(control, valuesOf('vary')) : undefined
  const replaced = (name: string): boolean =>
    name === 'cache-control' || FOR_SHARED_CACHES.has(name) || (name === 'vary' && vary !== undefined)
  return join([
    ...lines.filter((line) => !replaced(nameOf(line))),
    `Cache-Control: ${control}`,
    ...(vary === undefined ? [] : [`Vary: ${vary}`]),
    ...cookies.map((cookie) => `Set-Cookie: ${cookie}`),
  ])
}

/** Headers that have not been written yet, as Node's responses and Fastify's replies have them. */
export interface OpenHead {
  getHeader(name: string): unknown
  removeHeader(name: string): unknown
}

/** The same for headers that have not been written yet. */
export function makePrivate(open: OpenHead, set: (name: string, value: string) => unknown, personal: boolean): void {
  const valuesOf = (name: string): string[] => [open.getHeader(name) ?? []].flat().map(String)
  const control = privateCacheControl(valuesOf('cache-control'))
  const vary = personal ? personalVary(control, valuesOf('vary')) : undefined
  for (const name of SHARED) open.removeHeader(name)
  set('cache-control', control)
  if (vary !== undefined) set('vary', vary)
}

/** `Vary` for an answer that is one visitor's: with `Cookie`. `undefined` where it is well as it is, or where nobody keeps the answer. */
function personalVary(cacheControl: string, values: readonly string[]): string | undefined {
  if (/(?:^|,)\s*no-store\s*(?:$|,)/i.test(cacheControl)) return undefined
  const names = values
    .join(',')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
  return names.some((name) => name === '*' || name.toLowerCase() === 'cookie')
    ? undefined
    : [...names, 'Cookie'].join(', ')
}

/** Whether a `Cache-Control` lets caches give an answer to other visitors. */
export function isShared(cacheControl: string): boolean {
  const directives = cacheControl.match(DIRECTIVE) ?? []
  if (directives.some((directive) => /^(?:private|no-store)$/i.test(directive))) return false
  return directives.some((directive) => /^(?:public$|(?:s-maxage|max-age)\s*=\s*"?0*[1-9])/i.test(directive))
}

/** The `Cache-Control` of a head. */
export function cacheControlOf(head: string): string {
  return head
    .split(END)
    .filter((line) => nameOf(line) === 'cache-control')
    .map(valueOf)
    .join(',')
}

/** `Cache-Control` for an answer with a cookie of ours: no shared cache keeps it (RFC 9111, section 5.2.2). */
export function privateCacheControl(values: readonly string[]): string {
  const directives = values.join(',').match(DIRECTIVE) ?? []
  if (directives.some((directive) => /^(?:private|no-store)$/i.test(directive))) return directives.join(', ')
  const kept = directives.filter((directive) => !/^(?:public|private|s-maxage)\s*(?:=|$)/i.test(directive))
  return ['private', ...kept].join(', ')
}
const DIRECTIVE = /[^\s,="]+(?:\s*=\s*(?:"(?:\\.|[^"\\])*"|[^\s,"]*))?/g

/** The head of an answer that takes the place of another. */
export function headOfAnswer(
  replaced: string,
  answer: Answer,
  { cookies, keepAlive }: { cookies: readonly string[]; keepAlive: boolean },
): string {
  const [, ...lines] = replaced.slice(0, -2 * END.length).split(END)
  const kept = lines.filter((line) => !REPRESENTATION.has(nameOf(line)) && answer.headers[nameOf(line)] === undefined)
  return join([
    `HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status] ?? 'Error'}`,
    ...kept,
    ...Object.entries(answer.headers).map(([name, value]) => `${name}: ${value}`),
    ...cookies.map((cookie) => `Set-Cookie: ${cookie}`),
    `Content-Length: ${Buffer.byteLength(answer.body)}`,
    `Connection: ${keepAlive ? 'keep-alive' : 'close'}`,
  ])
}

function join(lines: readonly string[]): string {
  return lines.join(END) + END + END
}

function nameOf(line: string): string {
  const colon = line.indexOf(':')
  return colon < 0 ? '' : line.slice(0, colon).toLowerCase()
}

function valueOf(line: string): string {
  return line.slice(line.indexOf(':') + 1)
}

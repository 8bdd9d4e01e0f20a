/** The finished head of a response, as text: adding our cookies to it, or putting another in its place. */
import { STATUS_CODES } from 'node:http'
import type { Answer } from './answer.ts'

const END = '\r\n'

/** Headers that belong to one answer and not to another that takes its place. What else is there (HSTS, CORS) stays. */
export const REPRESENTATION: ReadonlySet<string> = new Set([
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

/** The head with at least `Cache-Control: private`. */
export function privateHead(head: string, cookies: readonly string[] = []): string {
  const lines = head.slice(0, -2 * END.length).split(END)
  const others = lines.filter((line) => nameOf(line) !== 'cache-control')
  const control = privateCacheControl(lines.filter((line) => nameOf(line) === 'cache-control').map(valueOf))
  return join([...others, `Cache-Control: ${control}`, ...cookies.map((cookie) => `Set-Cookie: ${cookie}`)])
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

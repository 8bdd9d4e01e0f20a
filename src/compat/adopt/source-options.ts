/** What the options of all kinds of old sessions have in common, checked and completed. */
import { milliseconds } from '../../core/duration.ts'
import type { Adopted } from '../../core/old-sessions.ts'
import { refuseUnknown } from '../../core/options.ts'
import { OptionsError } from '../../errors.ts'
import type { Duration } from '../../types.ts'
import { rawValuesOf } from '../cookie-values.ts'

/** Where the old cookie was set, so that it can be cleared: a browser clears only what has the same path and domain. */
export interface CookiePlace {
  /** Default `'/'`. */
  readonly path?: string | undefined
  /** Default: none, as where the old library was given none. */
  readonly domain?: string | undefined
}

/** What all sources take. */
export interface SourceOptions {
  /** Where the old cookie was set. */
  readonly cookie?: CookiePlace | undefined
  /**
   * What becomes of the old session once it is adopted: it ends, and its cookie is cleared (`'end'`), or it is left as it is
   * (`'leave'`), so that servers of before serve it too. Sign-out and revocation end it in either case. Default `'end'`.
   */
  readonly source?: 'end' | 'leave' | undefined
  /**
   * For how long it is remembered that a session was adopted, or has ended: as long as its cookie could be brought once
   * more. Default `'14d'`.
   */
  readonly lifetime?: Duration | undefined
}

/** The options of a source that all have. */
export const COMMON = { cookie: 0, source: 0, lifetime: 0, map: 0 } as const

/** What is made of them. */
export interface Common {
  readonly cookieName: string
  readonly source: 'end' | 'leave'
  readonly lifetime: number
  adopted(old: object): Adopted | undefined
  clearing(header: string): readonly string[]
}

const FIELD = /^[\w!#$%&'*+.^`|~-]+$/
const ATTRIBUTE = /^[^;\s]+$/

/** What sources with a store take besides. */
export const STORED = { cookie: 0, source: 0, lifetime: 0, map: 0, unmap: 0, mirror: 0 } as const

/** What the cookie of an old session is told by. */
const PLACE = { path: 0, domain: 0 }

/** Throws where a source that is in its cookie alone is asked to be mirrored. */
export function refuseMirror(options: object): void {
  if ((options as { mirror?: unknown }).mirror === undefined) return
  throw new OptionsError(
    'adopt.mirror',
    'mirror needs a store that old and new servers share, and these sessions are in their cookie alone: of two answers to one browser the later would undo the other, and an end by one server would be none for the other. Deploy all new servers at once instead.',
  )
}

/** `names`: all cookies of one session, that of its name first. */
export function commonOf(
  options: SourceOptions & { readonly map?: ((old: never) => Adopted | undefined) | undefined },
  names: readonly [string, ...string[]],
  ofCookie: object = PLACE,
): Common {
  const { cookie = {}, source = 'end', lifetime = '14d', map = everything } = options
  const [cookieName] = names
  if (typeof cookieName !== 'string' || !FIELD.test(cookieName))
    throw new OptionsError('adopt.name', 'The name of an old cookie must be that of a cookie, such as connect.sid.')
  if (source !== 'end' && source !== 'leave')
    throw new OptionsError('adopt.source', "source says what becomes of an adopted session: 'end' or 'leave'.")
  if (typeof map !== 'function') throw new OptionsError('adopt.map', 'map must be a function of the old session.')
  const attributes = attributesOf(cookie, ofCookie)
  return {
    cookieName,
    source,
    lifetime: milliseconds('adopt.lifetime', lifetime),
    adopted: (old) => map(old as never),
    clearing: (header) =>
      names.filter((name) => rawValuesOf(header, name).length > 0).map((name) => cleared(name, attributes)),
  }
}

/** Throws unless it is a list of texts (or bytes), or one. */
export function secretsOf(option: string, given: unknown): readonly (string | Buffer)[] {
  const secrets: readonly unknown[] = Array.isArray(given) ? given : [given]
  const usable = (secret: unknown): boolean =>
    (typeof secret === 'string' || Buffer.isBuffer(secret)) && secret.length > 0
  if (secrets.length > 0 && secrets.every(usable)) return secrets as readonly (string | Buffer)[]
  throw new OptionsError(`adopt.${option}`, `${option} must be what the old servers have: a text, or a list of them.`)
}

function attributesOf(cookie: CookiePlace, known: object): string {
  refuseUnknown('adopt.cookie.', cookie, known)
  const { path = '/', domain } = cookie
  for (const [name, value] of Object.entries({ path, domain }))
    if (value !== undefined && (typeof value !== 'string' || !ATTRIBUTE.test(value)))
      throw new OptionsError(`adopt.cookie.${name}`, `cookie.${name} must be as the old servers set it.`)
  return `; Path=${path}${domain === undefined ? '' : `; Domain=${domain}`}`
}

function cleared(name: string, attributes: string): string {
  // Browsers take a cookie with such a name over HTTPS only, and only so marked.
  const secure = /^__(?:Host|Secure)-/i.test(name) ? '; Secure' : ''
  return `${name}=${attributes}${secure}; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0`
}

function everything(old: object): Adopted | undefined {
  return Object.keys(old).length === 0 ? undefined : { data: { ...old } }
}

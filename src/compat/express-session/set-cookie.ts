/** The text of a `Set-Cookie` header (RFC 6265, section 4.1), checked as express-session checks it. */

/** Attributes of a cookie, as they were given. */
export interface Attributes {
  readonly domain?: unknown
  readonly path?: unknown
  readonly expires?: unknown
  readonly httpOnly?: unknown
  readonly secure?: unknown
  readonly partitioned?: unknown
  readonly priority?: unknown
  readonly sameSite?: unknown
}

const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const DOMAIN = /^\.?[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/i
/** Printable, and not the semicolon that ends an attribute. */
const PATH = /^[\u0020-\u003A\u003D-\u007E]*$/

const PRIORITIES: Readonly<Record<string, string>> = { low: 'Low', medium: 'Medium', high: 'High' }
const SAME_SITES: Readonly<Record<string, string>> = { lax: 'Lax', strict: 'Strict', none: 'None' }

/** Throws `TypeError` for what is no cookie: `option expires is invalid`. */
export function serializeCookie(name: string, value: string, attributes: Attributes): string {
  if (!NAME.test(name)) throw new TypeError('argument name is invalid')
  const { domain, path, expires, httpOnly, secure, partitioned, priority, sameSite } = attributes
  const parts = [`${name}=${encodeURIComponent(value)}`]
  if (isGiven(domain)) parts.push(`Domain=${matching('domain', domain, DOMAIN)}`)
  if (isGiven(path)) parts.push(`Path=${matching('path', path, PATH)}`)
  if (isGiven(expires)) parts.push(`Expires=${dateOf(expires).toUTCString()}`)
  if (isGiven(httpOnly)) parts.push('HttpOnly')
  if (isGiven(secure)) parts.push('Secure')
  if (isGiven(partitioned)) parts.push('Partitioned')
  if (isGiven(priority)) parts.push(`Priority=${oneOf('priority', priority, PRIORITIES)}`)
  if (isGiven(sameSite))
    parts.push(`SameSite=${sameSite === true ? 'Strict' : oneOf('sameSite', sameSite, SAME_SITES)}`)
  return parts.join('; ')
}

function isGiven(value: unknown): boolean {
  return Boolean(value)
}

function matching(option: string, value: unknown, pattern: RegExp): string {
  if (typeof value === 'string' && pattern.test(value)) return value
  throw invalid(option)
}

function dateOf(value: unknown): Date {
  if (value instanceof Date && !Number.isNaN(value.getTime())) return value
  throw invalid('expires')
}

function oneOf(option: string, value: unknown, known: Readonly<Record<string, string>>): string {
  const key = typeof value === 'string' ? value.toLowerCase() : ''
  const found = Object.hasOwn(known, key) ? known[key] : undefined
  if (found !== undefined) return found
  throw invalid(option)
}

function invalid(option: string): TypeError {
  return new TypeError(`option ${option} is invalid`)
}

/**
 * The header verdict: what the browser itself says about where a request comes from. Fetch Metadata first
 * (W3C Fetch Metadata Request Headers, section 2), then `Origin` (RFC 6454), then `Referer`; OWASP's CSRF
 * sheet demands the fallback, and that an unknown value of `Sec-Fetch-Site` falls back too.
 */
import { headerOf, isSafe, type RequestFacts } from '../core/request.ts'

/**
 * What the headers show. `'safe'`: the method only reads. `'proven'`: one of our own pages, a trusted origin's,
 * or the visitor's own hand. `'none'`: the headers say nothing. `'refused'`: another site's page.
 */
export type Evidence = 'safe' | 'proven' | 'none' | 'refused'

/** Whom we take for ourselves. Origins are best given as `normaliseOrigin` writes them. */
export interface Site {
  /** The configured origin. `undefined`: taken from each request. */
  readonly own: string | undefined
  /** Origins whose pages may post to us, those of the route included. */
  readonly trusted: readonly string[]
  /** Whether `X-Forwarded-Proto` and `X-Forwarded-Host` were set by our own proxy. */
  readonly trustProxy: boolean
}

/** The header verdict. `odd`: `Sec-Fetch-Site` was there, but was no value we know, so it was read as absent. */
export interface OriginVerdict {
  readonly evidence: Evidence
  readonly odd: boolean
}

const SITES: ReadonlySet<string> = new Set(['same-origin', 'none', 'same-site', 'cross-site'])

/**
 * Judges where a request comes from. A request for another protocol (a WebSocket) counts as one that changes
 * something, and as refused where nothing proves its origin, because a browser cannot send a token with it.
 */
export function judgeOrigin(facts: RequestFacts, site: Site): OriginVerdict {
  const upgrade = facts.upgrade === true
  if (isSafe(facts.method) && !upgrade) return { evidence: 'safe', odd: false }
  const said = headerOf(facts, 'sec-fetch-site')
  const known = said !== undefined && SITES.has(said)
  const evidence = known ? byFetchSite(facts, site, said) : byOrigin(facts, site)
  return { evidence: upgrade && evidence === 'none' ? 'refused' : evidence, odd: said !== undefined && !known }
}

/**
 * Whether the browser says that a page of this very origin sent the request. A trusted origin's page is another's, and an
 * address that was typed has none.
 */
export function isSameOrigin(facts: RequestFacts, site: Site): boolean {
  const said = headerOf(facts, 'sec-fetch-site')
  if (said !== undefined && SITES.has(said)) return said === 'same-origin'
  return isOneOf(normaliseOrigin(headerOf(facts, 'origin') ?? ''), ownOrigins(facts, site))
}

/**
 * An origin in its one spelling: scheme and host in lower case, no default port, no path. `undefined` for
 * whatever is not exactly an origin: `null`, a list, a path (also `/`), user info, surrounding space.
 */
export function normaliseOrigin(text: string): string | undefined {
  if (!ORIGIN.test(text) || !URL.canParse(text)) return undefined
  const { origin, protocol, host } = new URL(text)
  // What browsers do not count as special (capacitor:, tauri:) has an opaque `origin`; its text is still exact.
  if (origin === 'null') return protocol === 'file:' ? undefined : `${protocol}//${host.toLowerCase()}`
  return origin
}
const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/(?:[^\s/?#@\\:,*%[\]]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/i

/**
 * The origin by which this request reached us: scheme and host of the connection, or, behind our own proxy, what
 * the first item of `X-Forwarded-Proto` and `X-Forwarded-Host` says. `undefined` without a usable host.
 */
export function requestOrigin(facts: RequestFacts, trustProxy: boolean): string | undefined {
  const host = requestHost(facts, trustProxy)
  return host === undefined
    ? undefined
    : normaliseOrigin(`${forwardedScheme(facts, trustProxy) ?? schemeOf(facts)}://${host}`)
}

function byFetchSite(facts: RequestFacts, site: Site, said: string): Evidence {
  if (said === 'same-origin' || said === 'none') return 'proven'
  const origin = headerOf(facts, 'origin')
  return origin !== undefined && isOneOf(normaliseOrigin(origin), site.trusted) ? 'proven' : 'refused'
}

function byOrigin(facts: RequestFacts, site: Site): Evidence {
  const origin = headerOf(facts, 'origin')
  if (origin === undefined) return byReferer(facts, site)
  // Plain HTTP with `Referrer-Policy: no-referrer` sends this on a site's own forms; so does any sandboxed page.
  if (origin === 'null') return 'none'
  return isOurs(normaliseOrigin(origin), facts, site) ? 'proven' : 'refused'
}

function byReferer(facts: RequestFacts, site: Site): Evidence {
  const referer = headerOf(facts, 'referer')
  // RFC 9110, section 10.1.3: a user agent without a referring page may say `about:blank`.
  if (referer === undefined || referer === '' || referer === 'about:blank') return 'none'
  return isOurs(originOfPage(referer), facts, site) ? 'proven' : 'refused'
}

function isOurs(origin: string | undefined, facts: RequestFacts, site: Site): boolean {
  return isOneOf(origin, ownOrigins(facts, site)) || isOneOf(origin, site.trusted)
}

/**
 * The configured origin, else those that may be ours. Without TLS on the connection and without a proxy's word, somebody
 * in front may have ended TLS: the scheme is not known, and the same host is ours under both. Where the scheme is known,
 * it counts.
 */
function ownOrigins(facts: RequestFacts, { own, trustProxy }: Site): readonly string[] {
  if (own !== undefined) return [own]
  const host = requestHost(facts, trustProxy)
  if (host === undefined) return []
  const known = forwardedScheme(facts, trustProxy) ?? (facts.secure ? 'https' : undefined)
  const schemes = known === undefined ? ['http', 'https'] : [known]
  return schemes.map((scheme) => normaliseOrigin(`${scheme}://${host}`)).filter((origin) => origin !== undefined)
}

function isOneOf(origin: string | undefined, list: readonly string[]): boolean {
  return origin !== undefined && list.some((entry) => entry === origin || normaliseOrigin(entry) === origin)
}

function originOfPage(address: string): string | undefined {
  return URL.canParse(address) ? normaliseOrigin(/^[^:]*:\/\/[^/?#]*/.exec(address)?.[0] ?? '') : undefined
}

function requestHost(facts: RequestFacts, trustProxy: boolean): string | undefined {
  const forwarded = trustProxy ? firstItem(facts, 'x-forwarded-host') : undefined
  return forwarded ?? headerOf(facts, 'host') ?? headerOf(facts, ':authority')
}

function forwardedScheme(facts: RequestFacts, trustProxy: boolean): string | undefined {
  const scheme = trustProxy ? firstItem(facts, 'x-forwarded-proto')?.toLowerCase() : undefined
  return scheme === 'http' || scheme === 'https' ? scheme : undefined
}

function schemeOf(facts: RequestFacts): string {
  return facts.secure ? 'https' : 'http'
}

function firstItem(facts: RequestFacts, name: string): string | undefined {
  const item = headerOf(facts, name)?.split(',', 1)[0]?.trim()
  return item === '' ? undefined : item
}

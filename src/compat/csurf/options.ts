/** The options, checked once. */
import type { Secret } from '../express-session/signature.ts'
import type { CsurfRequest } from './request.ts'

/** As csurf has them, and `secret`. */
export interface CsurfOptions {
  /** Where the token of a request is. Default: the field `_csrf` of the body, else one of the headers `csrf-token`, `xsrf-token`, `x-csrf-token`, `x-xsrf-token`. */
  readonly value?: ((request: CsurfRequest) => unknown) | undefined
  /** Keeps what tokens are made of in a signed cookie instead of the session. `true`, or what the cookie is to be like. Default `false`. */
  readonly cookie?: CookieOptions | boolean | undefined
  /** Methods that need no token. Default `['GET', 'HEAD', 'OPTIONS']`. */
  readonly ignoreMethods?: readonly string[] | undefined
  /** The request's property that holds the session. Default `'session'`. */
  readonly sessionKey?: string | undefined
  /** Signs the cookie; of several the first signs, and all are good. Default: the secret that cookie-parser was given. */
  readonly secret?: Secret | readonly Secret[] | undefined
}

/** What csurf passes on to the package cookie, and the name. */
export interface CookieOptions {
  /** The cookie's name. Default `'_csrf'`, and with `secure` `'__Host-_csrf'`, which no other host can set. */
  readonly key?: string | undefined
  /** Signed it is in any case. */
  readonly signed?: boolean | undefined
  readonly domain?: string | undefined
  readonly path?: string | undefined
  readonly expires?: Date | undefined
  /** Seconds. */
  readonly maxAge?: number | undefined
  /** Default `true`. */
  readonly httpOnly?: boolean | undefined
  readonly secure?: boolean | undefined
  readonly partitioned?: boolean | undefined
  readonly priority?: 'low' | 'medium' | 'high' | undefined
  /** Default `'lax'`. */
  readonly sameSite?: boolean | 'lax' | 'strict' | 'none' | undefined
}

export interface Settings {
  readonly valueOf: (request: CsurfRequest) => unknown
  /** Methods that need no token. */
  readonly ignored: ReadonlySet<string>
  readonly sessionKey: string
  readonly cookie: CookieSettings | undefined
}

export interface CookieSettings extends CookieOptions {
  readonly key: string
  /** Empty: cookie-parser's. */
  readonly secrets: readonly Secret[]
}

const IGNORED = ['GET', 'HEAD', 'OPTIONS']
const HEADERS = ['csrf-token', 'xsrf-token', 'x-csrf-token', 'x-xsrf-token']

/** Throws `TypeError` for what csurf throws one for. */
export function settingsOf(options: CsurfOptions = {}): Settings {
  const { value = tokenIn, ignoreMethods = IGNORED, sessionKey } = options
  if (!Array.isArray(ignoreMethods)) throw new TypeError('option ignoreMethods must be an array')
  return {
    valueOf: value,
    ignored: new Set((ignoreMethods as readonly string[]).map((method) => method.toUpperCase())),
    sessionKey: sessionKey === undefined || sessionKey === '' ? 'session' : sessionKey,
    cookie: cookieSettings(options),
  }
}

function cookieSettings({ cookie, secret }: CsurfOptions): CookieSettings | undefined {
  if (cookie !== true && (typeof cookie !== 'object' || cookie === null)) return undefined
  const given: CookieOptions = cookie === true ? {} : cookie
  const { path = '/', secure = false, domain, key, httpOnly = true, sameSite = 'lax' } = given
  const ofThisHost = secure && path === '/' && domain === undefined
  return {
    ...given,
    path,
    httpOnly,
    sameSite,
    key: key ?? (ofThisHost ? '__Host-_csrf' : '_csrf'),
    secrets: secret === undefined ? [] : Array.isArray(secret) ? (secret as readonly Secret[]) : [secret as Secret],
  }
}

/** Not the query string, which csurf looks at too: it gets into logs, histories and `Referer`. */
function tokenIn({ body, headers }: CsurfRequest): unknown {
  const field = typeof body === 'object' && body !== null ? (body as { _csrf?: unknown })._csrf : undefined
  return [field, ...HEADERS.map((name) => headers[name])].find(Boolean)
}

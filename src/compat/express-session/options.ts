/** The options of the middleware, checked once. */
import { randomBytes } from 'node:crypto'
import { isCallable } from './answered.ts'
import { Cookie, type CookieOptions } from './cookie.ts'
import { deprecate } from './deprecation.ts'
import { MemoryStore } from './memory-store.ts'
import { isSecure, type SessionRequest } from './request.ts'
import type { Secret } from './signature.ts'
import type { SessionStore } from './store-contract.ts'

/** What `session()` takes: the options of express-session, and three of our own. */
export interface SessionOptions {
  /** One or several: the first signs, all verify. Else `req.secret`, which is deprecated. */
  readonly secret?: Secret | readonly Secret[] | undefined
  /** The cookie's name. Default `'connect.sid'`. */
  readonly name?: string | undefined
  /** The same, as it was called once. */
  readonly key?: string | undefined
  /** Default: a `MemoryStore` of its own. */
  readonly store?: SessionStore | undefined
  /** Default: 24 random bytes in base64url. */
  readonly genid?: ((request: SessionRequest) => string) | undefined
  readonly cookie?: CookieOptions | ((request: SessionRequest) => CookieOptions) | undefined
  /** Whether a session is stored again that did not change. Default `true`, which is deprecated: say `false`. */
  readonly resave?: boolean | undefined
  /** Whether a new session is stored and sent before anything is put into it. Default `true`, which is deprecated: say `false`. */
  readonly saveUninitialized?: boolean | undefined
  /** Whether the cookie is sent again with each response. Default `false`. */
  readonly rolling?: boolean | undefined
  /** What becomes of the stored session where an application deletes `req.session`. Default `'keep'`. */
  readonly unset?: 'keep' | 'destroy' | undefined
  /** Whether `X-Forwarded-Proto` is believed. Default: Express's setting `trust proxy` decides. */
  readonly proxy?: boolean | undefined
  /**
   * `'refuse'`: a response whose session could not be saved, touched or ended does not leave, and the error handler answers
   * in its place; and where the store is disconnected it gets a 503. Default `'continue'`, as in express-session: the
   * response leaves, and then the error is handed on; and requests go on without a session.
   */
  readonly whenStoreFails?: 'continue' | 'refuse' | undefined
  /** How long the store may take for an answer, in milliseconds. Default 30 000; express-session waits for ever. */
  readonly storeDeadline?: number | undefined
  /** How often the store hears that a session which does not change is in use, in milliseconds. Default 0: with each request. */
  readonly touchInterval?: number | undefined
}

/** The same, with every default in its place. */
export interface Settings {
  readonly secrets: readonly Secret[] | undefined
  readonly name: string
  readonly store: SessionStore
  readonly genid: (request: SessionRequest) => unknown
  readonly cookieOf: (request: SessionRequest) => CookieOptions
  readonly resave: boolean
  readonly saveUninitialized: boolean
  readonly rolling: boolean
  readonly destroysUnset: boolean
  readonly proxy: boolean | undefined
  readonly refuses: boolean
  readonly storeDeadline: number
  readonly touchInterval: number
}

const ID_BYTES = 24
const STORE_DEADLINE = 30_000

/** Throws `TypeError` with express-session's messages. */
export function resolveOptions(options: SessionOptions = {}): Settings {
  const { secret, cookie = {}, genid = generateId, unset, store, proxy, whenStoreFails } = options
  if (typeof genid !== 'function') throw new TypeError('genid option must be a function')
  if (unset !== undefined && unset !== 'destroy' && unset !== 'keep')
    throw new TypeError('unset option must be "destroy" or "keep"')
  if (Array.isArray(secret) && secret.length === 0)
    throw new TypeError('secret option array must contain one or more strings')
  if (whenStoreFails !== undefined && whenStoreFails !== 'continue' && whenStoreFails !== 'refuse')
    throw new TypeError('whenStoreFails option must be "continue" or "refuse"')
  if (options.resave === undefined) deprecate('undefined resave option; provide resave option')
  if (options.saveUninitialized === undefined)
    deprecate('undefined saveUninitialized option; provide saveUninitialized option')
  if (!secret) deprecate('req.secret; provide secret option')
  return {
    secrets: secretsOf(secret),
    name: options.name || options.key || 'connect.sid',
    store: store ?? new MemoryStore(),
    genid,
    cookieOf: isCallable(cookie) ? cookie : () => cookie,
    resave: options.resave ?? true,
    saveUninitialized: options.saveUninitialized ?? true,
    rolling: Boolean(options.rolling),
    destroysUnset: unset === 'destroy',
    proxy,
    refuses: whenStoreFails === 'refuse',
    storeDeadline: milliseconds('storeDeadline', options.storeDeadline ?? standardDeadline(store)),
    touchInterval: milliseconds('touchInterval', options.touchInterval ?? 0),
  }
}

function standardDeadline(store: SessionStore | undefined): number {
  return store?.ownDeadline === true ? Number.POSITIVE_INFINITY : STORE_DEADLINE
}

function secretsOf(secret: SessionOptions['secret']): readonly Secret[] | undefined {
  if (!secret) return undefined
  return Array.isArray(secret) ? (secret as readonly Secret[]) : [secret as Secret]
}

function milliseconds(option: string, value: unknown): number {
  if (typeof value === 'number' && value >= 0) return value
  throw new TypeError(`${option} option must be a number of milliseconds`)
}

function generateId(): string {
  return randomBytes(ID_BYTES).toString('base64url')
}

/** The cookie of a new session; what is `'auto'` goes by how the request came. */
export function newCookie({ cookieOf, proxy }: Settings, request: SessionRequest): Cookie {
  const options = cookieOf(request)
  const cookie = new Cookie(options)
  const { secure, sameSite } = options
  if (secure === 'auto') cookie.secure = isSecure(request, proxy)
  if (sameSite === 'auto') cookie.sameSite = isSecure(request, proxy) ? 'none' : 'lax'
  return cookie
}

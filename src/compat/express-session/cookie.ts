/** `session.cookie`: how long a session and its cookie live, and how the cookie is sent. */
import { deprecate } from './deprecation.ts'
import { serializeCookie, type Attributes } from './set-cookie.ts'

/** What a cookie is made of. Further members are kept as they are. */
export interface CookieOptions extends Attributes {
  /** Milliseconds; `null` for as long as the browser is open. */
  readonly maxAge?: unknown
  readonly originalMaxAge?: unknown
  readonly [member: string]: unknown
}

/** What is made of the others, and what would put another prototype in the place of this one. */
const EXCEPT: ReadonlySet<string> = new Set(['data', '__proto__'])

export class Cookie {
  path: unknown = '/'
  /** In milliseconds: what the session's life is set back to with each request. */
  declare originalMaxAge: unknown
  declare httpOnly: unknown
  declare secure?: unknown
  declare domain?: unknown
  declare partitioned?: unknown
  declare priority?: unknown
  declare sameSite?: unknown
  /** Under this name, because stores read it. */
  declare _expires: unknown

  constructor(options?: CookieOptions | null) {
    this.maxAge = null
    this.httpOnly = true
    if (options === undefined || options === null) return
    if (typeof options !== 'object') throw new TypeError('argument options must be a object')
    // In the order in which they are given: of two that set the same, the later one counts.
    const own = this as Record<string, unknown>
    for (const member of Object.keys(options)) if (!EXCEPT.has(member)) own[member] = options[member]
    if (options.originalMaxAge === undefined) this.originalMaxAge = this.maxAge
  }

  /** When the session ends; `null` for as long as the browser is open. */
  get expires(): unknown {
    return this._expires
  }

  set expires(date: unknown) {
    this._expires = date
    this.originalMaxAge = this.maxAge
  }

  /** The milliseconds that are left. */
  get maxAge(): unknown {
    return this._expires instanceof Date ? this._expires.valueOf() - Date.now() : this._expires
  }

  set maxAge(milliseconds: unknown) {
    if (milliseconds && typeof milliseconds !== 'number' && !(milliseconds instanceof Date))
      throw new TypeError('maxAge must be a number or Date')
    if (milliseconds instanceof Date) deprecate('maxAge as Date; pass number of milliseconds instead')
    this.expires = typeof milliseconds === 'number' ? new Date(Date.now() + milliseconds) : milliseconds
    // And not what is left of them a moment later, which would get less with each request.
    if (typeof milliseconds === 'number') this.originalMaxAge = milliseconds
  }

  /** What a store keeps of the cookie. */
  get data(): Record<string, unknown> {
    return {
      originalMaxAge: this.originalMaxAge,
      partitioned: this.partitioned,
      priority: this.priority,
      expires: this._expires,
      secure: this.secure,
      httpOnly: this.httpOnly,
      domain: this.domain,
      path: this.path,
      sameSite: this.sameSite,
    }
  }

  /** The value of a `Set-Cookie` header. Throws `TypeError` for an attribute that is none. */
  serialize(name: string, value: string): string {
    return serializeCookie(name, value, this.data)
  }

  toJSON(): Record<string, unknown> {
    return this.data
  }
}

for (const member of ['expires', 'maxAge', 'data', 'serialize', 'toJSON'])
  Object.defineProperty(Cookie.prototype, member, { enumerable: true })

/** A cookie with another's attributes that makes browsers forget it. */
export function forgottenCookie(cookie: Cookie): Cookie {
  const forgotten = new Cookie(cookie.data)
  forgotten.expires = new Date(0)
  return forgotten
}

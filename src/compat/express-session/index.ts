/**
 * `holdfast/express-session`: express-session 1.19, by one changed line.
 *
 * ```ts
 * import session from 'holdfast/express-session'
 *
 * app.use(session({ secret, resave: false, saveUninitialized: false, store }))
 * ```
 *
 * It behaves as the original, except that a response leaves when its session is saved and not before, that a session
 * which was ended is not saved again, and that ending it clears the cookie. `docs/coming-over.md` has the rest.
 */
import { callable } from './callable.ts'
import { Cookie as CookieClass } from './cookie.ts'
import { MemoryStore as MemoryStoreClass } from './memory-store.ts'
import { expressSession } from './middleware.ts'
import { Session as SessionClass } from './session.ts'
import { Store as StoreClass } from './store.ts'

export const Cookie: typeof CookieClass = callable(CookieClass)
export const MemoryStore: typeof MemoryStoreClass = callable(MemoryStoreClass)
export const Session: typeof SessionClass = callable(SessionClass)
export const Store: typeof StoreClass = callable(StoreClass)

/** The function and, as its properties, the classes. */
export type SessionFunction = typeof expressSession & {
  readonly Store: typeof StoreClass
  readonly Cookie: typeof CookieClass
  readonly Session: typeof SessionClass
  readonly MemoryStore: typeof MemoryStoreClass
}

const session: SessionFunction = Object.assign(expressSession, { Store, Cookie, Session, MemoryStore })

export default session

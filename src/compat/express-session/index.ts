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
import { Cookie } from './cookie.ts'
import { MemoryStore } from './memory-store.ts'
import { expressSession } from './middleware.ts'
import { Session } from './session.ts'
import { Store } from './store.ts'

/** The function and, as its properties, the classes. */
export type SessionFunction = typeof expressSession & {
  readonly Store: typeof Store
  readonly Cookie: typeof Cookie
  readonly Session: typeof Session
  readonly MemoryStore: typeof MemoryStore
}

const session: SessionFunction = Object.assign(expressSession, { Store, Cookie, Session, MemoryStore })

export default session
export { Cookie, MemoryStore, Session, Store }

/**
 * The types are those of `@types/express-session`, which stays installed: so whatever a program has added to them by
 * `declare module 'express-session'` goes on working. What is new here is added in the same way.
 */
import session from 'express-session'

export default session
export { Cookie, MemoryStore, Session, Store } from 'express-session'
export type { CookieOptions, SessionData, SessionOptions } from 'express-session'

declare module 'express-session' {
  interface SessionOptions {
    /**
     * `'refuse'`: a response whose session could not be saved, touched or ended does not leave, and the error handler answers
     * in its place; and while the store is disconnected it gets a 503. Default `'continue'`, as in express-session: the
     * response leaves, and then the error is handed on; and requests go on without a session.
     */
    whenStoreFails?: 'continue' | 'refuse' | undefined
    /** How long the store may take for an answer, in milliseconds. Default 30 000; express-session waits for ever. */
    storeDeadline?: number | undefined
    /** How often the store hears that a session which does not change is in use, in milliseconds. Default 0: with each request. */
    touchInterval?: number | undefined
  }

  interface Session {
    /** Without a callback: a promise. */
    regenerate(): Promise<void>
    /** Without a callback: a promise. */
    destroy(): Promise<void>
    /** Without a callback: a promise. */
    reload(): Promise<void>
    /** Without a callback: a promise. */
    save(): Promise<void>
  }
}

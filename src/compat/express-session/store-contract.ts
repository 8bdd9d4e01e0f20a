/** What a store is asked for, and what it answers: with callbacks, the error first. */
import type { Callback } from './answered.ts'
import type { CookieOptions } from './cookie.ts'
import type { SessionRequest } from './request.ts'
import type { Session } from './session.ts'

/** Under this name a store has who is told of each session that was made of what it answered. Known to all copies of this module. */
const LOADED: unique symbol = Symbol.for('holdfast.express-session.loaded') as never

/** A session as a store keeps it: the application's values, and the cookie, whose `expires` may have become text. */
export interface SessionData {
  cookie: CookieOptions
  [member: string]: unknown
}

/** What any store has, ours or others'. Its methods are called on it at the moment of use, for they are replaced at times. */
export interface SessionStore {
  get(id: string, callback: Callback<SessionData | null | undefined>): unknown
  set(id: string, session: Session, callback: Callback): unknown
  destroy(id: string, callback?: Callback): unknown
  touch?(id: string, session: Session, callback: Callback): unknown
  /** Given by the middleware. */
  generate?(request: SessionRequest): void
  regenerate?(request: SessionRequest, callback: Callback): unknown
  createSession?(request: SessionRequest, data: SessionData): Session
  /** Ours: it answers in time by itself, so that no clock has to run for each call. */
  readonly ownDeadline?: boolean
  on?(event: string, listener: () => void): unknown
  readonly [LOADED]?: (session: Session) => void
}

export function hearOfLoaded(store: object, hear: (session: Session) => void): void {
  Object.defineProperty(store, LOADED, { value: hear })
}

export function tellOfLoaded(store: SessionStore, session: Session): void {
  store[LOADED]?.(session)
}

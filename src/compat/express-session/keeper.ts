/** What a session's methods tell the middleware that keeps the session, so that nothing is saved twice, or after its end. */
import type { Callback } from './answered.ts'
import type { SessionRequest } from './request.ts'
import type { Session } from './session.ts'

export interface Keeper {
  /** How long the store may take for an answer, in milliseconds. */
  readonly deadline: number
  /** Makes the request a new session. Where it is left out, the middleware that was made last does. */
  generate?(request: SessionRequest): void
  /** Saves now. */
  save(session: Session, done: Callback): void
  /** A session of this request is being ended. */
  ending(session: Session): void
}

/** The same for the package as ES module and as CommonJS, which may meet in one process. */
const KEEPER: unique symbol = Symbol.for('holdfast.express-session.keeper')

type Kept = SessionRequest & { [KEEPER]?: Keeper }

export function keepBy(request: SessionRequest, keeper: Keeper): void {
  ;(request as Kept)[KEEPER] = keeper
}

/** Who keeps the request's session; nobody keeps one that a store loaded outside of a request. */
export function keeperOf(request: SessionRequest): Keeper | undefined {
  return (request as Kept)[KEEPER]
}

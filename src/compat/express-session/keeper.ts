/** What a session's methods tell the middleware that keeps the session, so that nothing is saved twice, or after its end. */
import { see, seenOf } from '../../adapters/seen.ts'
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

export function keepBy(request: SessionRequest, keeper: Keeper): void {
  see(request).keeper = keeper
}

/** Who keeps the request's session; nobody keeps one that another module's store loaded outside of a request. */
export function keeperOf(request: SessionRequest): Keeper | undefined {
  return seenOf(request)?.keeper as Keeper | undefined
}

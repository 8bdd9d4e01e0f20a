/** One request's dealings with its session: what an adapter drives. */
import type { Session } from '../types.ts'

/** What the response needs once its session is saved. */
export interface Settled {
  /** Complete `Set-Cookie` values to append. Where there is one, the answer must be at least `Cache-Control: private`. */
  readonly cookies: readonly string[]
}

/** The head of an answer that has left. */
export interface SentHead {
  /** Whether it tells caches that they may give the answer to other visitors. */
  readonly shared: boolean
}

/** How a session is loaded. */
export interface Opening {
  /** From the store, whatever a copy says. Default `false`. */
  readonly fresh?: boolean | undefined
  /** Whether the request counts as activity. Default `true`. */
  readonly touch?: boolean | undefined
  /** Whether the request is to be served also where the session cannot be read, because it is there to sign out. Default `false`. */
  readonly signOut?: boolean | undefined
}

/** Stands for a body that nobody has parsed (yet). */
export const UNPARSED: unique symbol = Symbol('body not parsed')

/**
 * The order of the calls: `open`, `check` (when the body is known), the handler, `settle` before the first
 * byte of the final response, `finish` after the response has gone or was cut.
 */
export interface Visit<Data extends object> {
  readonly session: Session<Data>
  /** The adapter's, for what comes after the head. */
  head: SentHead | undefined
  /** Whether the answer has a token in it, so that it must be at least `Cache-Control: private`, and `Vary: Cookie` where a cache keeps it. */
  readonly personal: boolean
  /** Loads the session where the browser brought something of ours; answers `undefined` where there is nothing to wait for. Rejects with `StoreUnavailableError`. */
  open(options?: Opening): Promise<void> | undefined
  /**
   * The verdict comes later, with `check`: until then nothing can be stored, ended or signed in to. What the headers alone
   * refuse is refused now: throws `CsrfError`. Answers whether there is anything to check.
   */
  defer(): boolean
  /** The verdict that was left for later never came: logs it, and throws `CsrfError` but in report mode. */
  forgotten(): void
  /** The CSRF verdict. `body`: the parsed body, or `UNPARSED`. `method`: what the request has become, where somebody changed it. Throws `CsrfError`. Synchronous; call after `open`. */
  check(body: unknown, method?: string): void
  /** Whether `settle` would have anything to save or to send. Where it is `false`, `pass` may be called in its place, at no cost. */
  readonly unsettled: boolean
  /** The head leaves, and there was nothing to settle. */
  pass(): void
  /** Saves; call once before the first byte. Memoised: each call gives the same answer. Rejects with a `HoldfastError` (then nothing may be sent but an error answer, with the cookies of `farewell`). */
  settle(): Promise<Settled>
  /** Cookies for an error answer: those that an explicit sign-out clears, whatever became of it. */
  farewell(): readonly string[]
  /** No byte more will be sent, or the connection is gone. Safe to call several times. */
  finish(): void
}

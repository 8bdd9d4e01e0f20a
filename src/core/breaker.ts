/**
 * Stands before the reads or the writes of a store. While it is open every call fails at once, so that nobody waits for
 * a store that does not answer and nothing piles up before it; a probe in the background closes it again.
 *
 * It opens in two ways. A call that nobody answered in time, while nothing else was answered either, shows that the store
 * is silent: one is enough, because a whole deadline has passed. Failures in a row without an answer in between are no
 * more than a suspicion, because a store may refuse what it is given and be well (a full one does): a probe decides,
 * which asks for nothing that needs room.
 */
import { StoreUnavailableError } from '../errors.ts'
import * as channels from '../telemetry/channels.ts'
import type { BreakerStats, Log } from '../types.ts'

/** One or two in a row are a connection that broke; so many without an answer in between are no chance. */
const SUSPICIOUS = 5
/** How long a store that has answered a probe is not suspected again, in milliseconds. */
const TRUSTED_FOR = 1_000
/** Milliseconds before each probe; the last of them from then on. */
const WAITS = [0, 50, 100, 200, 400, 800, 1_000] as const
/** A breaker that opens again within this time goes on with the waits where it was, so that it does not flutter. */
const SETTLED_AFTER = 10_000
/** The bound of `Retry-After`, in seconds. */
const RETRY_MOST = 5

export interface BreakerSettings {
  /** The store's kind, for messages. */
  readonly store: string
  readonly calls: 'reads' | 'writes'
  /** Asks the store for something harmless. Rejects while the store fails. */
  readonly probe: () => Promise<unknown>
  readonly log: Log
  /** Called when it has closed again. */
  readonly closed: () => void
}

export class Breaker {
  /** How many calls were answered: counted by whoever gets an answer. */
  answers = 0
  /** Whether calls fail at once. A field, because every call looks at it. */
  open = false
  #suspected = false
  readonly #settings: BreakerSettings
  /** Failures in a row, and how many calls had been answered at the last of them. */
  #failures = 0
  #answersThen = 0
  #cause: unknown
  #trustedUntil = 0
  #openedAt = 0
  #closedAt = Number.NEGATIVE_INFINITY
  #attempt = 0
  #timer: NodeJS.Timeout | undefined
  #stopped = false
  #opened = 0
  #refused = 0

  constructor(settings: BreakerSettings) {
    this.#settings = settings
  }

  get stats(): BreakerStats {
    return { open: this.open, opened: this.#opened, refused: this.#refused }
  }

  /** A call failed. `silent`: it took long, and nothing was answered meanwhile. */
  failed(cause: unknown, silent: boolean): void {
    if (this.#stopped || this.open) return
    this.#cause = cause
    this.#failures = this.answers === this.#answersThen ? this.#failures + 1 : 1
    this.#answersThen = this.answers
    if (silent) this.#openUp(0)
    else if (!this.#suspected && this.#failures >= SUSPICIOUS && performance.now() >= this.#trustedUntil)
      void this.#suspect()
  }

  /** The error of a call that is not made. */
  refusal(operation: string): StoreUnavailableError {
    this.#refused++
    const { store, calls } = this.#settings
    const since = (performance.now() - this.#openedAt) / 1000
    const why = this.#cause instanceof Error ? this.#cause.message : String(this.#cause)
    return new StoreUnavailableError(
      `The session store (${store}) has not answered ${calls} for ${since.toFixed(1)} s: ${operation} was not tried. The last failure: ${why}`,
      { applied: 'no', retryAfter: Math.min(RETRY_MOST, 1 + Math.floor(since / 2)), cause: this.#cause },
    )
  }

  /** No probe any more. */
  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  async #suspect(): Promise<void> {
    this.#suspected = true
    const well = await this.#probe()
    this.#suspected = false
    // A silent call may have opened it meanwhile.
    if (this.#stopped || this.open) return
    if (!well) return this.#openUp(1)
    this.#failures = 0
    this.#trustedUntil = performance.now() + TRUSTED_FOR
  }

  #openUp(attempt: number): void {
    const now = performance.now()
    if (now - this.#closedAt > SETTLED_AFTER) this.#attempt = attempt
    this.open = true
    this.#openedAt = now
    this.#opened++
    this.#tell('open', 'does not answer: calls fail at once until it does.')
    this.#wait()
  }

  #wait(): void {
    const wait = WAITS[Math.min(this.#attempt, WAITS.length - 1)]
    this.#attempt++
    this.#timer = setTimeout(() => void this.#tryToClose(), wait).unref()
  }

  async #tryToClose(): Promise<void> {
    const well = await this.#probe()
    if (this.#stopped) return
    if (!well) return this.#wait()
    this.open = false
    this.#failures = 0
    this.#closedAt = performance.now()
    this.#tell('closed', `answers again, after ${((this.#closedAt - this.#openedAt) / 1000).toFixed(1)} s.`)
    this.#settings.closed()
  }

  async #probe(): Promise<boolean> {
    try {
      await this.#settings.probe()
      return true
    } catch (error) {
      this.#cause = error
      return false
    }
  }

  #tell(state: 'open' | 'closed', what: string): void {
    const { store, calls, log } = this.#settings
    const error = state === 'open' ? this.#cause : undefined
    if (channels.breaker.hasSubscribers) channels.breaker.publish({ store, calls, state, error })
    log.warn(
      { store, calls, ...(error === undefined ? {} : { error }) },
      `The session store (${store}, ${calls}) ${what}`,
    )
  }
}

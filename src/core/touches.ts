/**
 * Moves idle deadlines: at most once per session, process and touch interval. A touch also asks whether the
 * session's user was revoked meanwhile, which an index that a fail-over shortened would have hidden.
 */
import type { Clock } from './clock.ts'
import { isBarred, timeToLive, touchInterval, type Timers } from './expiry.ts'
import { endMeant } from './judged-end.ts'
import type { LiveRecord } from './live-record.ts'
import type { Selector, Store } from './store.ts'

const REMEMBERED_MOST = 50_000

export interface TouchSettings {
  readonly store: Store
  readonly clock: Clock
  readonly timers: Timers
  readonly markerTime: number
  /** Called where a touch finds that the visit is over. */
  readonly ended: (selector: Selector) => void
  /** Called for each deadline that was moved. */
  readonly touched: () => void
}

/** When each session was last dealt with in this process; the oldest are forgotten beyond a bound. */
class Moments {
  readonly #at = new Map<Selector, number>()
  readonly #clock: Clock
  readonly #interval: number

  constructor(clock: Clock, interval: number) {
    this.#clock = clock
    this.#interval = interval
  }

  due(selector: Selector): boolean {
    const at = this.#at.get(selector)
    return at === undefined || Math.abs(this.#clock.now() - at) >= this.#interval
  }

  note(selector: Selector): void {
    this.#at.delete(selector)
    if (this.#at.size >= REMEMBERED_MOST) this.#at.delete(this.#at.keys().next().value as Selector)
    this.#at.set(selector, this.#clock.now())
  }

  forget(selector: Selector): void {
    this.#at.delete(selector)
  }
}

export class Touches {
  readonly #settings: TouchSettings
  readonly #moved: Moments
  readonly #looked: Moments
  readonly #running = new Set<Promise<unknown>>()

  constructor(settings: TouchSettings) {
    const interval = touchInterval(settings.timers)
    this.#settings = settings
    this.#moved = new Moments(settings.clock, interval)
    this.#looked = new Moments(settings.clock, interval)
  }

  /** Counts a write as a move of the deadline. It is no look at the user. */
  written(selector: Selector): void {
    this.#moved.note(selector)
  }

  /** Does what is due, and lets nobody wait for it. A store that fails is reported by its guard, and the next request tries again. */
  soon(selector: Selector, record: LiveRecord): boolean {
    const move = this.#moved.due(selector)
    const look = record.userId !== undefined && this.#looked.due(selector)
    if (!move && !look) return false
    const running = this.#touch(selector, record, { move, look }).catch(() => {
      this.#moved.forget(selector)
      this.#looked.forget(selector)
    })
    this.#running.add(running)
    void running.then(() => this.#running.delete(running))
    return true
  }

  /** Touches. Answers whether the session lives on. */
  now(selector: Selector, record: LiveRecord): Promise<boolean> {
    return this.#touch(selector, record, { move: true, look: true })
  }

  async #touch(selector: Selector, record: LiveRecord, what: { move: boolean; look: boolean }): Promise<boolean> {
    const { store, timers, clock, ended, touched } = this.#settings
    if (what.move) this.#moved.note(selector)
    if (what.look) this.#looked.note(selector)
    if (what.look && record.userId !== undefined && (await this.#endBarred(selector, record, record.userId))) {
      ended(selector)
      return false
    }
    if (!what.move) return true
    if ((await store.touch(selector, timeToLive(record, timers, clock.now()))) !== 'touched') {
      ended(selector)
      return false
    }
    touched()
    return true
  }

  /** Ends what a revocation of its user has missed. Who has signed in to the visit since is not meant. */
  async #endBarred(selector: Selector, record: LiveRecord, user: string): Promise<boolean> {
    const { store, markerTime } = this.#settings
    const { notBefore } = await store.roll(user)
    if (!isBarred(record, notBefore)) return false
    const means = (found: LiveRecord): boolean => isBarred(found, notBefore)
    return (await endMeant(store, { selector, user, reason: 'revoked', markerTime, means })) !== undefined
  }

  /** Resolves when no touch is under way. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }
}

/**
 * Moves idle deadlines: at most once per session, process and touch interval. A touch also asks whether the
 * session's user was revoked meanwhile, which an index that a fail-over shortened would have hidden.
 */
import type { Clock } from './clock.ts'
import { isBarred, timeToLive, touchInterval, type Timers } from './expiry.ts'
import { endMeant } from './judged-end.ts'
import type { LiveRecord } from './live-record.ts'
import { Moments } from './moments.ts'
import type { Selector, Store } from './store.ts'

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

export class Touches {
  readonly #settings: TouchSettings
  readonly #interval: number
  readonly #moments = new Moments()
  /** How many touches of a session are under way. */
  readonly #underWay = new Map<Selector, number>()
  readonly #running = new Set<Promise<unknown>>()

  constructor(settings: TouchSettings) {
    this.#settings = settings
    this.#interval = touchInterval(settings.timers)
  }

  /** Counts a write as a move of the deadline. It is no look at the user. */
  written(selector: Selector): void {
    this.#moments.note(selector, 'moved', this.#settings.clock.now())
  }

  /** Before this moment `soon` has nothing to do, as far as is known now. */
  restsUntil(selector: Selector, record: LiveRecord): number {
    // What is under way may fail, and is then to be tried again at once.
    if (this.#underWay.has(selector)) return Number.NEGATIVE_INFINITY
    const moved = this.#moments.of(selector, 'moved') ?? -Infinity
    const looked = record.userId === undefined ? Infinity : (this.#moments.of(selector, 'looked') ?? -Infinity)
    return Math.min(moved, looked) + this.#interval
  }

  /** Does what is due, and lets nobody wait for it. A store that fails is reported by its guard, and the next request tries again. */
  soon(selector: Selector, record: LiveRecord): boolean {
    const move = this.#isDue(this.#moments.of(selector, 'moved'))
    const look = record.userId !== undefined && this.#isDue(this.#moments.of(selector, 'looked'))
    if (!move && !look) return false
    this.#begin(selector)
    const running = this.#touch(selector, record, { move, look })
      .catch(() => this.#moments.forget(selector))
      .finally(() => this.#end(selector))
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
    if (what.move) this.#moments.note(selector, 'moved', clock.now())
    if (what.look) this.#moments.note(selector, 'looked', clock.now())
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

  #isDue(at: number | undefined): boolean {
    return at === undefined || Math.abs(this.#settings.clock.now() - at) >= this.#interval
  }

  #begin(selector: Selector): void {
    this.#underWay.set(selector, (this.#underWay.get(selector) ?? 0) + 1)
  }

  #end(selector: Selector): void {
    const others = (this.#underWay.get(selector) ?? 1) - 1
    if (others === 0) this.#underWay.delete(selector)
    else this.#underWay.set(selector, others)
  }

  /** Resolves when no touch is under way. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }
}

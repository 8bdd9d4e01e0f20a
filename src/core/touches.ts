/**
 * Moves idle deadlines: at most once per session, process and touch interval. A touch also asks whether the
 * session's user was revoked meanwhile, which an index that a fail-over shortened would have hidden.
 */
import type { Clock } from './clock.ts'
import { timeToLive, touchInterval, type Timers } from './expiry.ts'
import type { LiveRecord } from './live-record.ts'
import { endedMarker } from './record.ts'
import type { Selector, Store } from './store.ts'

const REMEMBERED_MOST = 50_000

export interface TouchSettings {
  readonly store: Store
  readonly clock: Clock
  readonly timers: Timers
  readonly markerTime: number
  /** Called where a touch finds that the visit is over. */
  readonly ended: (selector: Selector) => void
}

export class Touches {
  readonly #settings: TouchSettings
  readonly #last = new Map<Selector, number>()
  readonly #running = new Set<Promise<unknown>>()

  constructor(settings: TouchSettings) {
    this.#settings = settings
  }

  /** Whether this process has not touched the session for an interval. */
  due(selector: Selector): boolean {
    const last = this.#last.get(selector)
    return last === undefined || Math.abs(this.#settings.clock.now() - last) >= touchInterval(this.#settings.timers)
  }

  /** Counts a write as a touch, because it moves the deadline too. */
  written(selector: Selector): void {
    this.#last.delete(selector)
    if (this.#last.size >= REMEMBERED_MOST) this.#last.delete(this.#last.keys().next().value as Selector)
    this.#last.set(selector, this.#settings.clock.now())
  }

  /** Touches where it is due, and lets nobody wait for it. A store that fails is reported by its guard, and the next request tries again. */
  soon(selector: Selector, record: LiveRecord): boolean {
    if (!this.due(selector)) return false
    this.written(selector)
    const running = this.now(selector, record).catch(() => this.#last.delete(selector))
    this.#running.add(running)
    void running.then(() => this.#running.delete(running))
    return true
  }

  /** Touches. Answers whether the session lives on. */
  async now(selector: Selector, record: LiveRecord): Promise<boolean> {
    const { store, timers, clock } = this.#settings
    this.written(selector)
    if (record.userId !== undefined && (await this.#revoked(record.userId, record))) {
      await store.end(selector, endedMarker('revoked'), this.#settings.markerTime, { user: record.userId })
      this.#settings.ended(selector)
      return false
    }
    const touched = await store.touch(selector, timeToLive(record, timers, clock.now()))
    if (touched !== 'touched') this.#settings.ended(selector)
    return touched === 'touched'
  }

  async #revoked(userId: string, record: LiveRecord): Promise<boolean> {
    const { notBefore } = await this.#settings.store.roll(userId)
    return (record.signedInAt ?? 0) <= notBefore
  }

  /** Resolves when no touch is under way. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }
}

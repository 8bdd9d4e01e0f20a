/** What the visits of one manager share. */
import * as channels from '../telemetry/channels.ts'
import type { CommitOutcome } from '../types.ts'
import type { Clock } from './clock.ts'
import type { Commits } from './commits.ts'
import type { CookieReader } from './cookie.ts'
import type { Keyring } from './keyring.ts'
import type { Settings } from './options.ts'
import type { RandomSource } from './random.ts'
import type { Heartbeat, Selectors } from './selectors.ts'
import type { Selector, Store } from './store.ts'
import type { Touches } from './touches.ts'

export interface Services {
  readonly settings: Settings
  readonly keyring: Keyring
  readonly random: RandomSource
  readonly clock: Clock
  readonly store: Store
  readonly cookies: CookieReader
  readonly commits: Commits
  readonly selectors: Selectors
  readonly heartbeat: Heartbeat
  readonly touches: Touches
  readonly watchers: Watchers
  readonly counters: Counters
}

/** Counts of one manager. */
export class Counters {
  readonly commits: Record<CommitOutcome, number> = { unchanged: 0, touched: 0, saved: 0, merged: 0, gone: 0 }
  conflicts = 0
  dropped = 0
  csrfRefused = 0

  committed(handle: string | undefined, outcome: CommitOutcome, version: number): void {
    this.commits[outcome]++
    if (channels.commit.hasSubscribers) channels.commit.publish({ handle, outcome, version })
  }

  drop(handle: string | undefined, reason: string): void {
    this.dropped++
    channels.dropped.publish({ handle, reason })
  }
}

/** Who wants to know in this process when a visit ends. */
export class Watchers {
  readonly #watching = new Map<Selector, Set<AbortController>>()

  watch(selector: Selector, controller: AbortController): void {
    const set = this.#watching.get(selector) ?? new Set()
    set.add(controller)
    this.#watching.set(selector, set)
  }

  forget(selector: Selector, controller: AbortController): void {
    const set = this.#watching.get(selector)
    if (set?.delete(controller) === true && set.size === 0) this.#watching.delete(selector)
  }

  ended(selector: Selector): void {
    const set = this.#watching.get(selector)
    if (set === undefined) return
    this.#watching.delete(selector)
    for (const controller of set) controller.abort()
  }
}

/** Warns once of each thing. */
export class WarnOnce {
  readonly #said = new Set<string>()
  readonly #settings: Settings

  constructor(settings: Settings) {
    this.#settings = settings
  }

  warn(what: string, message: string): void {
    if (this.#said.has(what)) return
    this.#said.add(what)
    this.#settings.log.warn({ what }, message)
  }
}

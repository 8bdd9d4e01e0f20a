/** What the visits of one manager share. */
import { CsrfCounts } from '../csrf/counts.ts'
import * as channels from '../telemetry/channels.ts'
import type { CommitOutcome } from '../types.ts'
import type { Adoption } from './adoption.ts'
import type { Clock } from './clock.ts'
import type { Commits } from './commits.ts'
import type { Copies } from './copies.ts'
import type { CookieReader } from './cookie.ts'
import type { Ends } from './ends.ts'
import type { GuardedStore } from './guarded-store.ts'
import type { Keyring } from './keyring.ts'
import type { LostWrites } from './lost-writes.ts'
import type { NearCache, sharesOf } from './near-cache.ts'
import type { Settings } from './options.ts'
import type { PresentedCookies } from './presented.ts'
import type { RandomSource } from './random.ts'
import type { Heartbeat, Selectors } from './selectors.ts'
import type { Selector } from './store.ts'
import type { Touches } from './touches.ts'

export interface Services {
  readonly settings: Settings
  readonly keyring: Keyring
  readonly random: RandomSource
  readonly clock: Clock
  readonly store: GuardedStore
  readonly cookies: CookieReader
  readonly presented: PresentedCookies
  readonly commits: Commits
  readonly selectors: Selectors
  readonly heartbeat: Heartbeat
  readonly touches: Touches
  /** Only where the store tells of changes. */
  readonly near: NearCache | undefined
  /** How the bytes of the near cache are divided, where there is one. */
  readonly shares: ReturnType<typeof sharesOf> | undefined
  readonly watchers: Watchers
  readonly ends: Ends
  /** Only where stale sessions are served. */
  readonly copies: Copies | undefined
  readonly counters: Counters
  readonly lostWrites: LostWrites
  /** Only where sessions of another library are adopted. */
  readonly adoption: Adoption | undefined
}

/** Counts of one manager. */
export class Counters {
  readonly commits: Record<CommitOutcome, number> = { unchanged: 0, touched: 0, saved: 0, merged: 0, gone: 0 }
  conflicts = 0
  dropped = 0
  unconfirmed = 0
  stale = 0
  readonly csrf: CsrfCounts = new CsrfCounts()

  /** `session`: whose handle is told, and made for nobody where nobody listens. */
  committed(
    session: { readonly handle: string | undefined },
    outcome: CommitOutcome,
    version: number,
    durable = true,
  ): void {
    this.commits[outcome]++
    if (!durable) this.unconfirmed++
    if (channels.commit.hasSubscribers) channels.commit.publish({ handle: session.handle, outcome, version, durable })
  }

  drop(handle: string | undefined, reason: string): void {
    this.dropped++
    channels.dropped.publish({ handle, reason })
  }
}

/** Who wants to know in this process when a session ends. A visit may see several, one for each epoch. */
export class Watchers {
  readonly #watching = new Map<Selector, Map<AbortController, number>>()
  readonly #copies: Copies | undefined

  constructor(copies?: Copies) {
    this.#copies = copies
  }

  /** Answers what forgets it again. */
  watch(selector: Selector, epoch: number, controller: AbortController): () => void {
    const watching = this.#watching.get(selector) ?? new Map<AbortController, number>()
    watching.set(controller, epoch)
    this.#watching.set(selector, watching)
    return () => {
      if (watching.delete(controller) && watching.size === 0 && this.#watching.get(selector) === watching)
        this.#watching.delete(selector)
    }
  }

  /** Aborts who waits for the end of this visit, or only of what it was in this epoch. No copy of it serves any more. */
  ended(selector: Selector, epoch?: number): void {
    this.#copies?.over(selector, epoch)
    for (const [controller, its] of this.#watching.get(selector) ?? []) {
      if (epoch === undefined || its === epoch) controller.abort()
    }
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

/**
 * Ends that have to be written: those that could not be because the store failed, and those that a store may have lost
 * when another server took its place. Each is tried until it is in the store, or its session would be over anyway.
 * While an end is pending, this process serves its session to nobody.
 *
 * What was ended is remembered by key, never by user: a user may have signed in again meanwhile. It is remembered as long
 * as its marker lasts, because for that time nothing else can have come under its key, so it may be ended again whatever
 * is there. Only a store that can lose what it acknowledged tells of it; before others nothing is remembered.
 */
import * as channels from '../telemetry/channels.ts'
import type { EndsStats, Log } from '../types.ts'
import type { Clock } from './clock.ts'
import type { RecordBytes, Selector } from './store.ts'

/** An end that is to be written. */
export interface PendingEnd {
  readonly selector: Selector
  /** The public name of the session, as far as it is known. */
  readonly handle: string | undefined
  /** Whose session it is: `null` of a guest's, `undefined` where that is not known. */
  readonly userId?: string | null | undefined
  /** When the session is over in any case, in milliseconds of the store's clock. */
  readonly until: number
  /** Writes the end. Rejects while the store fails. */
  readonly write: () => Promise<unknown>
}

export interface EndsSettings {
  readonly clock: Clock
  readonly log: Log
  /** How many ends are kept, and how many remembered. */
  readonly most: number
  /** Whether the store tells when acknowledged writes may be gone. */
  readonly remembers: boolean
  /** Ends again what was ended, whatever is there. Answers the handle of the session where it was alive. */
  readonly again: (selector: Selector, marker: RecordBytes, ttl: number) => Promise<string | undefined>
}

interface Made {
  readonly marker: RecordBytes
  readonly until: number
}

/** How many ends are written at once. */
const AT_ONCE = 16
/** Milliseconds before the store is tried again, where no end went through; the last of them from then on. */
const WAITS = [100, 200, 400, 800, 1_000] as const
const HANDLES_LOGGED = 50

export class Ends {
  readonly #settings: EndsSettings
  readonly #pending = new Map<Selector, PendingEnd>()
  /** The oldest first. */
  readonly #made = new Map<Selector, Made>()
  /** Ends that found nothing to end; the oldest first. */
  readonly #vain = new Map<Selector, PendingEnd>()
  #round: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #failures = 0
  #replacements = 0
  #closing = false
  #kept = 0
  #written = 0
  #again = 0
  #revived = 0
  #givenUp = 0

  constructor(settings: EndsSettings) {
    this.#settings = settings
  }

  /** How often the store was replaced. */
  get replacements(): number {
    return this.#replacements
  }

  get stats(): EndsStats {
    const [pending, remembered] = [this.#pending.size, this.#made.size]
    return {
      pending,
      remembered,
      kept: this.#kept,
      written: this.#written,
      again: this.#again,
      givenUp: this.#givenUp,
      revived: this.#revived,
    }
  }

  /** Whether the visit has an end that is not in the store yet. */
  isPending(selector: Selector): boolean {
    return this.#pending.size > 0 && this.#pending.has(selector)
  }

  /** The visit's end, if it is not in the store yet. */
  pending(selector: Selector): PendingEnd | undefined {
    return this.#pending.get(selector)
  }

  /** An end is in the store. */
  settled(end: Omit<PendingEnd, 'write'>): void {
    if (this.#pending.get(end.selector) !== end) return
    this.#pending.delete(end.selector)
    this.#written++
    this.#tell('written', end)
  }

  /** Keeps an end that could not be written. Answers whether there was room for it. */
  keep(end: PendingEnd): boolean {
    if (this.#pending.size >= this.#settings.most && !this.#pending.has(end.selector)) return false
    this.#pending.set(end.selector, end)
    this.#kept++
    this.#tell('kept', end)
    this.#wait()
    return true
  }

  /**
   * An end is being sent. Answers what is called when it went through: its marker lasts for `ttl` milliseconds. Where the
   * store was replaced meanwhile it may have gone through at the one before, which is lost: it is written again.
   */
  begin(): (selector: Selector, marker: RecordBytes, ttl: number) => void {
    const replacements = this.#replacements
    return (selector, marker, ttl) => {
      if (!this.#settings.remembers) return
      const until = this.#settings.clock.now() + ttl
      this.#remember(this.#made, selector, { marker, until })
      if (replacements === this.#replacements) return
      this.#writeAgain(selector, { marker, until })
      this.#wait()
    }
  }

  /**
   * An end found nothing. What is not at this server of the store may be at the one that takes its place, or has taken it
   * since so many `replacements`: there it is asked for again.
   */
  foundNothing(end: PendingEnd, replacements: number): void {
    if (!this.#settings.remembers) return
    this.#remember(this.#vain, end.selector, end)
    if (replacements === this.#replacements) return
    this.#pending.set(end.selector, end)
    this.#wait()
  }

  #remember<Kept extends { readonly until: number }>(all: Map<Selector, Kept>, selector: Selector, one: Kept): void {
    const { clock, most } = this.#settings
    const now = clock.now()
    all.delete(selector)
    for (const [oldest, { until }] of all) {
      if (until > now && all.size < most) break
      all.delete(oldest)
    }
    all.set(selector, one)
  }

  /** The store may have lost what it acknowledged: what is remembered is ended again. Answers how much that is. */
  replaced(): number {
    const now = this.#settings.clock.now()
    const lost = [...this.#made].filter(([, { until }]) => until > now)
    for (const [selector, made] of lost) if (!this.#pending.has(selector)) this.#writeAgain(selector, made)
    for (const [selector, end] of this.#vain)
      if (end.until > now && !this.#pending.has(selector)) this.#pending.set(selector, end)
    this.#replacements++
    this.#failures = 0
    clearTimeout(this.#timer)
    this.#begin()
    return lost.length
  }

  #writeAgain(selector: Selector, { marker, until }: Made): void {
    const write = async (): Promise<void> => {
      const revived = await this.#settings.again(selector, marker, Math.max(1, until - this.#settings.clock.now()))
      this.#again++
      if (revived === undefined) return
      this.#revived++
      this.#tell('revived', { handle: revived })
    }
    this.#pending.set(selector, { selector, handle: undefined, until, write })
  }

  /** Tries once more what is pending, and says what is left. */
  async close(): Promise<void> {
    this.#closing = true
    clearTimeout(this.#timer)
    await this.#round
    const pending = [...this.#pending.values()]
    for (let at = 0; at < pending.length; at += AT_ONCE)
      await Promise.all(pending.slice(at, at + AT_ONCE).map((end) => this.#write(end)))
    const left = [...this.#pending.values()]
    if (left.length === 0) return
    const handles = left.flatMap(({ handle }) => handle ?? []).slice(0, HANDLES_LOGGED)
    this.#settings.log.warn(
      { count: left.length, handles },
      'Sessions were ended, and the store did not take it: they may live on until they expire. End them again when it is back.',
    )
    for (const end of left) this.#giveUp(end)
  }

  /** Tries again after a while, unless something is under way already. */
  #wait(): void {
    if (this.#closing || this.#round !== undefined || this.#pending.size === 0) return
    clearTimeout(this.#timer)
    const wait = WAITS[Math.min(this.#failures, WAITS.length - 1)]
    this.#timer = setTimeout(() => this.#begin(), wait).unref()
  }

  #begin(): void {
    if (this.#closing || this.#round !== undefined) return
    this.#round = this.#writeAll().finally(() => {
      this.#round = undefined
      this.#wait()
    })
  }

  /** Writes until nothing is left, or nothing goes through. */
  async #writeAll(): Promise<void> {
    while (!this.#closing && this.#pending.size > 0) {
      const some = this.#next()
      const went = await Promise.all(some.map((end) => this.#write(end)))
      this.#failures = went.includes(true) ? 0 : this.#failures + 1
      if (some.length > 0 && this.#failures > 0) return
    }
  }

  /** The next to write. What is over by itself is left out. */
  #next(): PendingEnd[] {
    const now = this.#settings.clock.now()
    const some: PendingEnd[] = []
    for (const end of this.#pending.values()) {
      if (end.until <= now) this.#giveUp(end)
      else some.push(end)
      if (some.length === AT_ONCE) break
    }
    return some
  }

  /** Answers whether it went through. What did not goes behind the others. */
  async #write(end: PendingEnd): Promise<boolean> {
    try {
      await end.write()
    } catch {
      if (this.#pending.get(end.selector) !== end) return false
      this.#pending.delete(end.selector)
      this.#pending.set(end.selector, end)
      return false
    }
    this.settled(end)
    return true
  }

  #giveUp(end: PendingEnd): void {
    this.#pending.delete(end.selector)
    this.#givenUp++
    this.#tell('given-up', end)
  }

  #tell(what: 'kept' | 'written' | 'given-up' | 'revived', { handle }: Pick<PendingEnd, 'handle'>): void {
    if (channels.end.hasSubscribers) channels.end.publish({ handle, what })
  }
}

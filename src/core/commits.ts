/**
 * The way to the store of every change. Changes of one session that meet in this process queue up and fold
 * into one write; against other processes the write is a compare-and-set, and after a conflict the changes
 * are made again on what is there now. A change is therefore a pure function from record to record.
 */
import { CommitUnknownError, LimitError, StoreUnavailableError, type EndReason } from '../errors.ts'
import type { Clock } from './clock.ts'
import { timeToLive, type Timers } from './expiry.ts'
import { decodeRecord, encodeRecord, type LiveRecord } from './live-record.ts'
import { endReasonOf, isEnded, sameVersion, versionOf } from './record.ts'
import type { RandomSource } from './random.ts'
import { DONE, type Awaitable, type RecordBytes, type Selector, type Store, type Swap } from './store.ts'

/** Why a change found nothing to change. `'unreadable'`: a newer format, or garbage. */
export type Gone = { readonly gone: EndReason | 'absent' | 'unreadable' }

/** What is under a selector: a live record with its bytes, or why there is none. */
export type Standing = { readonly record: LiveRecord; readonly bytes: RecordBytes } | Gone

/**
 * Makes a record of the one before (`undefined`: there is none), or says that it came too late. The same
 * object means: nothing to change. It may run several times; what it throws rejects this change alone.
 */
export type Change = (record: LiveRecord | undefined) => LiveRecord | Gone

/** What became of a change. `merged`: it was made on another record than its maker knew. */
export type Committed =
  | { readonly done: 'saved' | 'merged' | 'unchanged'; readonly record: LiveRecord; readonly bytes: RecordBytes }
  | Gone

interface Waiting {
  readonly change: Change
  readonly known: RecordBytes | undefined
  readonly resolve: (committed: Committed) => void
  readonly reject: (error: unknown) => void
}

interface Lane {
  readonly waiting: Waiting[]
  last: RecordBytes | undefined
  running: Promise<void>
}

/** What the commits work with. Times in milliseconds. */
export interface CommitSettings {
  readonly store: Store
  readonly clock: Clock
  readonly timers: Timers
  readonly random: RandomSource
  /** How long one change may go on trying. */
  readonly deadline: number
  readonly queuedMost: number
  readonly conflicted: () => void
}

/** Several changes made one. */
interface Folded {
  readonly record: LiveRecord
  readonly bytes: RecordBytes
  readonly settle: () => void
}

const STAMP_BYTES = 4

/** Reads what a store answered. */
export function standingOf(bytes: RecordBytes | undefined): Standing {
  if (bytes === undefined) return { gone: 'absent' }
  if (isEnded(bytes)) return { gone: endReasonOf(bytes) }
  const record = decodeRecord(bytes)
  return record === undefined ? { gone: 'unreadable' } : { record, bytes }
}

export class Commits {
  readonly #settings: CommitSettings
  readonly #lanes = new Map<Selector, Lane>()

  constructor(settings: CommitSettings) {
    this.#settings = settings
  }

  /** Makes the change on the newest record. `known`: the bytes that its maker has seen, `undefined` where there was nothing. */
  submit(selector: Selector, change: Change, known: RecordBytes | undefined): Promise<Committed> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting = { change, known, resolve, reject }
      const lane = this.#lanes.get(selector)
      if (lane === undefined) this.#start(selector, waiting)
      else if (lane.waiting.length < this.#settings.queuedMost) lane.waiting.push(waiting)
      else
        reject(
          new LimitError(
            'queuedCommits',
            `More than ${this.#settings.queuedMost} commits of one session wait in this process (limits.queuedCommits). Nothing was written.`,
          ),
        )
    })
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    while (this.#lanes.size > 0) await Promise.all([...this.#lanes.values()].map((lane) => lane.running))
  }

  #start(selector: Selector, first: Waiting): void {
    const lane: Lane = { waiting: [first], last: first.known, running: Promise.resolve() }
    this.#lanes.set(selector, lane)
    lane.running = this.#run(selector, lane)
  }

  async #run(selector: Selector, lane: Lane): Promise<void> {
    while (lane.waiting.length > 0) {
      const batch = lane.waiting.splice(0)
      try {
        await new Batch(this.#settings, selector, batch).write(lane)
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    this.#lanes.delete(selector)
  }
}

/** Changes that go to the store together. */
class Batch {
  readonly #settings: CommitSettings
  readonly #selector: Selector
  readonly #until: number
  #waiting: readonly Waiting[]

  constructor(settings: CommitSettings, selector: Selector, waiting: readonly Waiting[]) {
    this.#settings = settings
    this.#selector = selector
    this.#waiting = waiting
    this.#until = performance.now() + settings.deadline
  }

  async write(lane: Lane): Promise<void> {
    let base = lane.last
    while (this.#waiting.length > 0) {
      const folded = this.#fold(base)
      if (folded === undefined) return
      const swap = await this.#swap(base, folded)
      if (swap.done) {
        lane.last = folded.bytes
        folded.settle()
        return
      }
      base = swap.found
      lane.last = base
      this.#settings.conflicted()
      if (performance.now() > this.#until) {
        throw new StoreUnavailableError(
          `A session changed faster elsewhere than this change could be made within ${this.#settings.deadline} ms. Nothing was written.`,
        )
      }
    }
  }

  /** Makes the changes one after the other. `undefined`: none of them has anything to write, and all are settled. */
  #fold(base: RecordBytes | undefined): Folded | undefined {
    const standing = standingOf(base)
    if ('gone' in standing && standing.gone !== 'absent') {
      this.#settleAll(standing)
      return undefined
    }
    const before = 'record' in standing ? standing.record : undefined
    const { record, kept } = this.#apply(before)
    this.#waiting = kept
    if (record === undefined || record === before) {
      if (record !== undefined && base !== undefined) this.#settleAll({ done: 'unchanged', record, bytes: base })
      return undefined
    }
    const counted: LiveRecord = { ...record, counter: (before?.counter ?? 0) + 1 }
    const bytes = encodeRecord(counted, this.#settings.random(STAMP_BYTES))
    return { record: counted, bytes, settle: () => this.#settleSaved(kept, base, counted, bytes) }
  }

  #apply(before: LiveRecord | undefined): { record: LiveRecord | undefined; kept: Waiting[] } {
    let record = before
    const kept: Waiting[] = []
    for (const waiting of this.#waiting) {
      try {
        const next = waiting.change(record)
        if ('gone' in next) {
          waiting.resolve(next)
          continue
        }
        record = next
        kept.push(waiting)
      } catch (error) {
        waiting.reject(error)
      }
    }
    return { record, kept }
  }

  #settleAll(committed: Committed): void {
    for (const { resolve } of this.#waiting) resolve(committed)
  }

  #settleSaved(kept: readonly Waiting[], base: RecordBytes | undefined, record: LiveRecord, bytes: RecordBytes): void {
    kept.forEach(({ known, resolve }, at) => {
      resolve({ done: at === 0 && sameRecord(known, base) ? 'saved' : 'merged', record, bytes })
    })
  }

  async #swap(base: RecordBytes | undefined, folded: Folded): Promise<Swap> {
    try {
      return await this.#attempt(base, folded)
    } catch (error) {
      if (error instanceof StoreUnavailableError && error.applied === 'no') throw error
      return this.#recover(base, folded, error)
    }
  }

  /** The answer of a write was lost: its stamp tells whether it arrived. The same write again is harmless, because it can go through only once. */
  async #recover(base: RecordBytes | undefined, folded: Folded, lost: unknown): Promise<Swap> {
    try {
      const swap = await this.#attempt(base, folded)
      if (swap.done || isThis(swap.found, folded.bytes)) return DONE
      if (swap.found === undefined || isEnded(swap.found)) return swap
    } catch (again) {
      throw this.#unknown(again)
    }
    throw this.#unknown(lost)
  }

  #unknown(cause: unknown): CommitUnknownError {
    return new CommitUnknownError(
      'The store did not confirm a change of a session; it counts once or not at all. Read the session again before repeating it.',
      { cause },
    )
  }

  #attempt(base: RecordBytes | undefined, { record, bytes }: Folded): Awaitable<Swap> {
    const { store, timers, clock } = this.#settings
    const ttl = timeToLive(record, timers, clock.now())
    if (base === undefined) return store.create(this.#selector, bytes, ttl)
    return store.replace(this.#selector, versionOf(base), bytes, ttl)
  }
}

function isThis(found: RecordBytes | undefined, bytes: RecordBytes): boolean {
  return found !== undefined && !isEnded(found) && sameVersion(versionOf(found), versionOf(bytes))
}

function sameRecord(left: RecordBytes | undefined, right: RecordBytes | undefined): boolean {
  if (left === undefined || right === undefined) return left === right
  return sameVersion(versionOf(left), versionOf(right))
}

/**
 * The way to the store of every change. Changes of one session that meet in this process queue up and fold
 * into one write; against other processes the write is a compare-and-set, and after a conflict the changes
 * are made again on what is there now. A change is therefore a pure function from record to record.
 */
import { CommitUnknownError, LimitError, StoreUnavailableError, type EndReason } from '../errors.ts'
import type { Clock } from './clock.ts'
import type { Decoded } from './decoded.ts'
import { timeToLive, type Timers } from './expiry.ts'
import { decodeRecord, encodeRecord, type LiveRecord } from './live-record.ts'
import { endReasonOf, isEnded, sameVersion, versionOf } from './record.ts'
import type { Live } from './resolution.ts'
import type { RandomSource } from './random.ts'
import {
  DONE,
  UNCONFIRMED,
  type Awaitable,
  type Durability,
  type RecordBytes,
  type Selector,
  type Store,
  type Swap,
} from './store.ts'

/** Why a change found nothing to change. `'unreadable'`: a newer format, or garbage. */
export type Gone = { readonly gone: EndReason | 'absent' | 'unreadable' }

/** A change that was made, with the record that it made. */
interface Made {
  readonly waiting: Waiting
  readonly record: LiveRecord
}

/** A live record with its bytes. Whoever holds on to it keeps with it what was made of it. */
export class Stored {
  readonly record: LiveRecord
  readonly bytes: RecordBytes
  /** Its data, once they have been decoded. */
  decoded: Decoded | undefined
  /** Whose session it was found to be, where nothing was due for that. */
  quiet: Live | undefined

  constructor(record: LiveRecord, bytes: RecordBytes) {
    this.record = record
    this.bytes = bytes
  }
}

/** What is under a selector: a live record with its bytes, or why there is none. */
export type Standing = Stored | Gone

/**
 * Makes a record of the one before (`undefined`: there is none), or says that it came too late. The same
 * object means: nothing to change. It may run several times; what it throws rejects this change alone.
 */
export type Change = (record: LiveRecord | undefined) => LiveRecord | Gone

/** What became of a change. `merged`: it was made on another record than its maker knew. `durable`: not `false` for want of replicas that it asked for. */
export type Committed =
  | {
      readonly done: 'saved' | 'merged' | 'unchanged'
      readonly record: LiveRecord
      readonly bytes: RecordBytes
      readonly durable: boolean
    }
  | Gone

interface Waiting {
  readonly change: Change
  readonly known: RecordBytes | undefined
  readonly durability: Durability
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
  /** How long the store may take for one answer. */
  readonly answerWithin: number
  /** How long one change may go on trying. */
  readonly deadline: number
  readonly queuedMost: number
  readonly conflicted: () => void
}

/** Several changes made one. */
interface Folded {
  readonly record: LiveRecord
  readonly bytes: RecordBytes
  readonly settle: (durable: boolean) => void
}

const STAMP_BYTES = 4

/** Reads what a store answered. */
export function standingOf(bytes: RecordBytes | undefined): Standing {
  if (bytes === undefined) return { gone: 'absent' }
  if (isEnded(bytes)) return { gone: endReasonOf(bytes) }
  const record = decodeRecord(bytes)
  return record === undefined ? { gone: 'unreadable' } : new Stored(record, bytes)
}

export class Commits {
  readonly #settings: CommitSettings
  readonly #lanes = new Map<Selector, Lane>()

  constructor(settings: CommitSettings) {
    this.#settings = settings
  }

  /** Makes the change on the newest record. `known`: the bytes that its maker has seen, `undefined` where there was nothing. */
  submit(
    selector: Selector,
    change: Change,
    known: RecordBytes | undefined,
    durability: Durability = 'primary',
  ): Promise<Committed> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting = { change, known, durability, resolve, reject }
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
    // Whether the store itself has said so in this batch. What was known before may be older than what a change's maker has seen.
    let told = false
    while (this.#waiting.length > 0) {
      const folded = this.#fold(base, told)
      if (folded === undefined) return
      if (folded === 'doubtful') {
        base = await this.#settings.store.load(this.#selector)
        told = true
        continue
      }
      const swap = await this.#swap(base, folded)
      if (swap.done) {
        lane.last = folded.bytes
        folded.settle(swap.durable)
        return
      }
      base = swap.found
      told = true
      lane.last = base
      this.#settings.conflicted()
      if (performance.now() > this.#until) throw this.#crowded()
    }
  }

  /**
   * Makes the changes one after the other. `undefined`: none of them has anything to write, and all are settled.
   * `'doubtful'`: one of them comes too late for this base, or has nothing to write and its maker has seen another one than
   * this, which may be newer; and the store has not confirmed the base.
   */
  #fold(base: RecordBytes | undefined, told: boolean): Folded | 'doubtful' | undefined {
    const standing = standingOf(base)
    if ('gone' in standing && standing.gone !== 'absent') {
      for (const { resolve } of this.#waiting) resolve(standing)
      return undefined
    }
    const before = 'record' in standing ? standing.record : undefined
    const made = this.#apply(before, told)
    if (made === 'doubtful') return made
    const record = made.at(-1)?.record
    if (record === undefined || record === before) {
      // A write would meet what is newer in the store; what is not written has to be looked at.
      if (!told && made.some(({ waiting }) => !sameRecord(waiting.known, base))) return 'doubtful'
      for (const { waiting, record: own } of made)
        waiting.resolve({ done: 'unchanged', record: own, bytes: base as RecordBytes, durable: true })
      return undefined
    }
    const counted: LiveRecord = { ...record, counter: (before?.counter ?? 0) + 1 }
    const bytes = encodeRecord(counted, this.#settings.random(STAMP_BYTES))
    return { record: counted, bytes, settle: (durable) => settleSaved(made, base, { record: counted, bytes, durable }) }
  }

  #apply(before: LiveRecord | undefined, told: boolean): readonly Made[] | 'doubtful' {
    let record = before
    const made: Made[] = []
    const late: { waiting: Waiting; gone: Gone }[] = []
    const failed = new Set<Waiting>()
    for (const waiting of this.#waiting) {
      try {
        const next = waiting.change(record)
        if ('gone' in next) {
          late.push({ waiting, gone: next })
          continue
        }
        record = next
        made.push({ waiting, record })
      } catch (error) {
        failed.add(waiting)
        waiting.reject(error)
      }
    }
    this.#waiting = this.#waiting.filter((waiting) => !failed.has(waiting))
    if (late.length > 0 && !told) return 'doubtful'
    for (const { waiting, gone } of late) waiting.resolve(gone)
    this.#waiting = made.map(({ waiting }) => waiting)
    return made
  }

  async #swap(base: RecordBytes | undefined, folded: Folded): Promise<Swap> {
    const begun = performance.now()
    try {
      return await this.#attempt(base, folded)
    } catch (error) {
      if (error instanceof StoreUnavailableError && error.applied === 'no') throw error
      return this.#recover(base, folded, error, this.#settings.answerWithin - (performance.now() - begun))
    }
  }

  /**
   * The answer of a write was lost: its stamp tells whether it arrived. The same write again is harmless, because it
   * can go through only once; `left` milliseconds of the store's deadline are there for it.
   */
  async #recover(base: RecordBytes | undefined, folded: Folded, lost: unknown, left: number): Promise<Swap> {
    if (left <= 0) throw this.#unknown(lost)
    try {
      const swap = await within(left, this.#attempt(base, folded))
      if (swap.done) return swap
      // It had arrived; what its replicas said was lost with the answer.
      if (isThis(swap.found, folded.bytes)) return this.#durability === undefined ? DONE : UNCONFIRMED
      if (swap.found === undefined || isEnded(swap.found)) return swap
    } catch (again) {
      throw this.#unknown(again)
    }
    throw this.#unknown(lost)
  }

  #crowded(): StoreUnavailableError {
    return new StoreUnavailableError(
      `A session changed faster elsewhere than this change could be made within ${this.#settings.deadline} ms. Nothing was written.`,
    )
  }

  #unknown(cause: unknown): CommitUnknownError {
    return new CommitUnknownError(
      'The store did not confirm a change of a session; it counts once or not at all. Read the session again before repeating it.',
      { cause },
    )
  }

  /** What the store is asked for: the strictest wish of all who wait. */
  get #durability(): 'replicated' | undefined {
    return this.#waiting.some(({ durability }) => durability === 'replicated') ? 'replicated' : undefined
  }

  #attempt(base: RecordBytes | undefined, { record, bytes }: Folded): Awaitable<Swap> {
    const { store, timers, clock } = this.#settings
    const ttl = timeToLive(record, timers, clock.now())
    if (base === undefined) return store.create(this.#selector, bytes, ttl, this.#durability)
    return store.replace(this.#selector, versionOf(base), bytes, ttl, this.#durability)
  }
}

/** Settles the changes of one write. Where somebody signed in on top of a change, what came after is not for its maker to see. */
function settleSaved(
  made: readonly Made[],
  base: RecordBytes | undefined,
  { record, bytes, durable }: { record: LiveRecord; bytes: RecordBytes; durable: boolean },
): void {
  for (const [at, { waiting, record: own }] of made.entries()) {
    const seen = own.epoch === record.epoch ? record : own
    waiting.resolve({
      done: at === 0 && sameRecord(waiting.known, base) ? 'saved' : 'merged',
      record: seen,
      bytes,
      durable: durable || waiting.durability === 'primary',
    })
  }
}

async function within<Answer>(milliseconds: number, answer: Awaitable<Answer>): Promise<Answer> {
  let late: NodeJS.Timeout | undefined
  const passed = new Promise<never>((_, reject) => {
    late = setTimeout(() => reject(new Error(`no answer within ${Math.round(milliseconds)} ms`)), milliseconds)
  })
  try {
    return await Promise.race([answer, passed])
  } finally {
    clearTimeout(late)
  }
}

function isThis(found: RecordBytes | undefined, bytes: RecordBytes): boolean {
  return found !== undefined && !isEnded(found) && sameVersion(versionOf(found), versionOf(bytes))
}

function sameRecord(left: RecordBytes | undefined, right: RecordBytes | undefined): boolean {
  if (left === undefined || right === undefined) return left === right
  return sameVersion(versionOf(left), versionOf(right))
}

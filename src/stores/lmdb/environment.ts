/**
 * An open LMDB file: entries that are read at once and changed by compare-and-set. All handles of one process
 * onto one directory share one environment, because LMDB must not be opened twice in a process.
 *
 * Reads are synchronous and see everything that any process committed before. A write is a short transaction of its
 * own, in which the version that it is conditional on is compared once more; it is over before anything is acknowledged.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { StoreUnavailableError } from '../../errors.ts'
import { confirmDirectory, prepareDirectory } from './directory.ts'
import { decodeEntry, decodeIndexKey, encodeEntry, indexKey, HEADER, recordKey, type Entry } from './entry.ts'
import { causeOf, describeFailure } from './failure.ts'
import { KeptEntries } from './kept.ts'
import { Room } from './room.ts'
import { addressSpace, openTables, sizeOf, usageOf, type Tables } from './tables.ts'

/** What a decision makes of an entry: an answer, and where `payload` is given what to put there. */
export interface Change<Answer> {
  readonly answer: Answer
  readonly payload?: Uint8Array
  /** When the entry expires; needed with `payload`. */
  readonly expires?: number
}

/** Whether a write may be refused to keep the store small, or has to go through as long as there is any room. */
export type Urgency = 'ordinary' | 'needed'

/** Writes that wait for the writer thread; more are refused at once. */
const MAX_PENDING = 2_000
/** So often is a write that was overtaken tried again, each time on what the other one left. */
const MAX_ROUNDS = 1_000
/** The size is looked at once in so many ordinary writes. */
const BETWEEN_MEASURES = 64
/** Milliseconds between two looks whether the last write is over, and how long that is waited for. */
const WAIT_STEP = 2
const MAX_WAIT = 5_000
const PRESENT = Uint8Array.of(1)

export class Environment {
  readonly directory: string
  readonly #tables: Tables
  readonly #room: Room
  readonly #maxSize: number
  readonly #kept = new KeptEntries()
  #pending = 0
  #writes = 0
  #full = false
  #closed = false

  /** Opens LMDB in a directory. Blocks while another process writes, so it belongs to the start of a program. */
  static async open(path: string, maxSize: number): Promise<Environment> {
    const directory = await prepareDirectory(path)
    const tables = await openTables(directory, maxSize)
    const room = await Room.open(directory, addressSpace(maxSize), () => usageOf(tables))
    await confirmDirectory(directory)
    return new Environment(directory, tables, room, maxSize)
  }

  private constructor(directory: string, tables: Tables, room: Room, maxSize: number) {
    this.directory = directory
    this.#tables = tables
    this.#room = room
    this.#maxSize = maxSize
  }

  /** The record of a visit that has not expired at `now`; the very same object for as long as the entry is the same. */
  load(selector: string, now: number): Uint8Array | undefined {
    const kept = this.#kept.of(selector)
    const key = kept?.key ?? recordKey(selector)
    const bytes = this.#bytes(key)
    if (bytes === undefined) return undefined
    const version = this.#tables.lastVersion()
    const found = kept?.isOf(version) === true ? kept : this.#kept.keep(selector, key, decodeEntry(bytes, version))
    return found.isOver(now) ? undefined : found.payload
  }

  /** The entry under a key, also an expired one. */
  read(key: string): Entry | undefined {
    const bytes = this.#bytes(key)
    return bytes && decodeEntry(bytes, this.#tables.lastVersion())
  }

  /**
   * Changes one entry in one atomic step. `decide` sees the entry, or `undefined` where there is none or an
   * expired one; it may run again, when another write was faster, and must have no effects of its own.
   */
  async change<Answer>(
    key: string,
    now: number,
    urgency: Urgency,
    decide: (found: Entry | undefined) => Change<Answer>,
  ): Promise<Answer> {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const found = this.read(key)
      const { answer, payload, expires } = decide(found !== undefined && found.expires > now ? found : undefined)
      if (payload === undefined || expires === undefined) return answer
      if (urgency === 'ordinary' && payload.length > (found?.payload.length ?? 0)) this.#refuseWhenFull()
      if (await this.#put(key, found, payload, expires, urgency)) return answer
    }
    throw new StoreUnavailableError(`Too many writes at once to one entry of ${this.directory}.`)
  }

  /** Index keys whose time has come, oldest first. */
  due(now: number, limit: number): Buffer[] {
    this.#assertOpen()
    this.#tables.index.resetReadTxn()
    return Array.from(this.#tables.index.getKeys({ end: indexKey(now, ''), limit }))
  }

  /** Removes the entry that an index key names if it has expired, or gives it its new place in the index. */
  async settle(due: Buffer, now: number): Promise<void> {
    const { time, key } = decodeIndexKey(due)
    const found = this.read(key)
    const current = found !== undefined && found.indexed === time
    if (current && found.expires > now) return this.#reindex(key, found, due)
    const writes = (): Promise<boolean>[] => [
      this.#tables.index.remove(due),
      ...(current ? [this.#tables.entries.remove(key)] : []),
    ]
    await this.#write(key, found?.version, writes, 0, 'needed')
  }

  /** What wants doing now and then: frees what dead processes held, and takes room on the disk. */
  async maintain(): Promise<void> {
    this.#assertOpen()
    this.#tables.root.readerCheck()
    this.#full = this.#used() > this.#maxSize
    await this.#room.grow()
  }

  /** Waits for the writes under way, then closes. One that another process holds up keeps it for five seconds, and the file open. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    for (let waited = 0; this.#pending > 0; waited += WAIT_STEP) {
      if (waited >= MAX_WAIT) return
      await pause(WAIT_STEP)
    }
    await this.#tables.root.close()
    await this.#tables.gate.close()
    await this.#room.close()
  }

  #assertOpen(): void {
    if (this.#closed) throw new StoreUnavailableError('The LMDB store is closed.')
  }

  #bytes(key: string): Uint8Array | undefined {
    this.#assertOpen()
    try {
      // LMDB would go on with the snapshot of the event loop's last turn, which other processes' commits are not in.
      this.#tables.entries.resetReadTxn()
      const bytes = this.#tables.entries.getBinaryFast(key)
      if (bytes === undefined || bytes.length >= HEADER) return bytes
      throw new RangeError(`${key[0]}-entry of ${bytes.length} bytes`)
    } catch (error) {
      throw new StoreUnavailableError(`Reading ${this.directory} failed: ${describeFailure(error)}`, { cause: error })
    }
  }

  async #put(
    key: string,
    found: Entry | undefined,
    payload: Uint8Array,
    expires: number,
    urgency: Urgency,
  ): Promise<boolean> {
    const indexed = found !== undefined && found.indexed <= expires ? found.indexed : expires
    // Not from 1: the version of a removed entry must not come again with its successor.
    const version = (found?.version ?? Math.floor(Math.random() * 2 ** 48)) + 1
    const value = encodeEntry(expires, indexed, payload)
    const writes = (): Promise<boolean>[] => [
      this.#tables.entries.put(key, value, version),
      ...this.#move(key, found?.indexed, indexed),
    ]
    try {
      return await this.#write(key, found?.version, writes, value.length, urgency)
    } catch (error) {
      // A failed commit is undone, unless it failed in its last step.
      throw unavailable(this.directory, error, () => this.read(key)?.version === version)
    }
  }

  async #reindex(key: string, found: Entry, due: Buffer): Promise<void> {
    const value = encodeEntry(found.expires, found.expires, found.payload)
    const writes = (): Promise<boolean>[] => [
      this.#tables.entries.put(key, value, found.version + 1),
      this.#tables.index.remove(due),
      ...this.#move(key, undefined, found.expires),
    ]
    await this.#write(key, found.version, writes, value.length, 'needed')
  }

  #move(key: string, from: number | undefined, to: number): Promise<boolean>[] {
    if (from === to) return []
    const removed = from === undefined || from === Infinity ? [] : [this.#tables.index.remove(indexKey(from, key))]
    return to === Infinity ? removed : [...removed, this.#tables.index.put(indexKey(to, key), PRESENT)]
  }

  /**
   * Makes the writes, all or none, if the entry still has that version (`undefined`: is not there). In a transaction of
   * its own, within the gate, which is over before anything is acknowledged.
   */
  async #write(
    key: string,
    version: number | undefined,
    writes: () => Promise<boolean>[],
    bytes: number,
    urgency: Urgency,
  ): Promise<boolean> {
    this.#assertOpen()
    if (this.#pending >= MAX_PENDING)
      throw new StoreUnavailableError(`${MAX_PENDING} writes to ${this.directory} are waiting.`)
    let room = 0
    this.#pending += 1
    try {
      room = await this.#takeRoom(bytes, urgency)
      this.#assertOpen()
      const { gate, root } = this.#tables
      return gate.through(() => root.transactionSync(() => this.#writeIf(key, version, writes)))
    } catch (error) {
      throw await causeOf(error)
    } finally {
      this.#pending -= 1
      this.#room.giveBack(room)
    }
  }

  #writeIf(key: string, version: number | undefined, writes: () => Promise<boolean>[]): boolean {
    const { entries } = this.#tables
    const holds = version === undefined ? !entries.doesExist(key) : entries.doesExist(key, version)
    // What fails within fails the transaction, which throws.
    if (holds) for (const write of writes()) write.catch(ignore)
    return holds
  }

  async #takeRoom(bytes: number, urgency: Urgency): Promise<number> {
    const taken = await this.#room.take(bytes, urgency === 'needed')
    if (taken > 0) return taken
    const reason = describeFailure(this.#room.failure)
    throw new StoreUnavailableError(`Nothing was written to ${this.directory}: ${reason}`, {
      cause: this.#room.failure,
      retryAfter: 5,
    })
  }

  #refuseWhenFull(): void {
    this.#writes += 1
    if (this.#writes % BETWEEN_MEASURES === 1 || this.#full) this.#full = this.#used() > this.#maxSize
    if (!this.#full) return
    throw new StoreUnavailableError(`The store in ${this.directory} is full (mapSize: ${this.#maxSize} bytes).`, {
      retryAfter: 5,
    })
  }

  /** Bytes of the pages in use; free pages within the file do not count. */
  #used(): number {
    return sizeOf(this.#tables.entries) + sizeOf(this.#tables.index)
  }
}

function unavailable(directory: string, error: unknown, isThere: () => boolean): StoreUnavailableError {
  if (error instanceof StoreUnavailableError) return error
  return new StoreUnavailableError(`Writing to ${directory} failed: ${describeFailure(error)}`, {
    cause: error,
    applied: isThere() ? 'unknown' : 'no',
  })
}

function ignore(): void {
  // See where it is used.
}

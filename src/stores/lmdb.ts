/**
 * The embedded store: all processes of one machine share it through a directory, and no server is needed.
 * It needs the package `lmdb`.
 *
 * What is acknowledged is on the disk, and stays there under `kill -9` of any process at any point. The store's clock
 * is that of the machine.
 */
import { isEnded } from '../core/record.ts'
import { DONE } from '../core/store.ts'
import type {
  Durable,
  EndCondition,
  Patched,
  RecordBytes,
  Roll,
  Selector,
  Span,
  Store,
  StoreStats,
  Swap,
} from '../core/store.ts'
import { OptionsError, StoreUnavailableError } from '../errors.ts'
import type { Change, Environment } from './lmdb/environment.ts'
import { recordKey, type Entry } from './lmdb/entry.ts'
import { holdEnvironment, type Hold } from './lmdb/shared.ts'
import { decodeUser, encodeUser } from './lmdb/user-bytes.ts'
import { judgeEnd, mayReplace, patched } from './rules.ts'
import { UserIndex } from './user-index.ts'

export interface LmdbStoreOptions {
  /** A directory of the store's own, on a local disk. Made, for this user only, where it is missing. */
  readonly path: string
  /**
   * How many bytes the store may take up. Beyond them new and larger records are refused with a
   * `StoreUnavailableError`; touches, ends and revocations go through. Default: 1 GiB.
   */
  readonly mapSize?: number | undefined
  /** Milliseconds between two looks for what has expired. Default: 1 000. */
  readonly sweepInterval?: number | undefined
  /** Entries that are removed in one go when they have expired. Default: 200. */
  readonly sweepBatch?: number | undefined
  /**
   * The store's clock, in milliseconds; for tests. All processes that share a store need the same one.
   * Default: `Date.now`, the machine's clock.
   */
  readonly now?: (() => number) | undefined
}

/**
 * Opens a store in a directory, which any number of processes on one machine may do at once. `open()` blocks
 * for as long as another process writes, so it belongs to the start of a program.
 *
 * @param options the directory, or an object with it
 * @throws OptionsError for options that are wrong; and `open()` rejects with it when the package `lmdb` is
 *   missing, or the directory or the file in it cannot be used
 */
export function lmdbStore(options: string | LmdbStoreOptions): Store {
  return new LmdbStore(typeof options === 'string' ? { path: options } : options)
}

const EPOCH_KEY = 'epoch'
const LEASE_COUNTER_KEY = 'leases'
const text = new TextDecoder()

class LmdbStore implements Store {
  readonly kind = 'lmdb'
  readonly steady = true
  readonly #path: string
  readonly #mapSize: number
  readonly #sweeping: { interval: number; batch: number; now: () => number }
  readonly #now: () => number
  #opening: Promise<Hold> | undefined
  #environment: Environment | undefined
  #closing: Promise<void> | undefined
  #commands = 0
  /** The latest time that `epoch` or `moveEpoch` answered here: they never go back. */
  #answered = 0

  constructor(options: LmdbStoreOptions) {
    if (typeof options.path !== 'string' || options.path === '')
      throw new OptionsError('path', 'lmdbStore needs the path of a directory.')
    this.#path = options.path
    this.#now = options.now ?? Date.now
    this.#mapSize = positive('mapSize', options.mapSize ?? 1024 ** 3)
    const interval = positive('sweepInterval', options.sweepInterval ?? 1_000)
    this.#sweeping = { interval, batch: positive('sweepBatch', options.sweepBatch ?? 200), now: this.#now }
  }

  async open(): Promise<void> {
    if (this.#closing !== undefined) throw closedError()
    this.#opening ??= holdEnvironment(this.#path, this.#mapSize, this.#sweeping)
    try {
      this.#environment = (await this.#opening).environment
    } catch (error) {
      this.#opening = undefined
      throw error
    }
  }

  load(selector: Selector): RecordBytes | undefined {
    return this.#command().load(selector, this.#now())
  }

  remaining(selector: Selector): number | undefined {
    const found = this.#command().read(recordKey(selector))
    const now = this.#now()
    return found !== undefined && found.expires > now ? found.expires - now : undefined
  }

  async create(selector: Selector, record: RecordBytes, ttl: number): Promise<Swap> {
    const expires = this.#now() + ttl
    return this.#change(recordKey(selector), (found) =>
      found ? refused(found) : { answer: DONE, payload: record, expires },
    )
  }

  async replace(selector: Selector, version: Uint8Array, record: RecordBytes, ttl: number): Promise<Swap> {
    const expires = this.#now() + ttl
    return this.#change(recordKey(selector), (found) =>
      mayReplace(found?.payload, version) ? { answer: DONE, payload: record, expires } : refused(found),
    )
  }

  async patch(selector: Selector, expected: Span, written: Span, ttl: number): Promise<Patched> {
    const expires = this.#now() + ttl
    return this.#change<Patched>(recordKey(selector), (found) => {
      const record = patched(found?.payload, expected, written)
      if (record === undefined) return { answer: { done: false, found: found?.payload } }
      return { answer: { done: true, durable: true, record }, payload: record, expires }
    })
  }

  async touch(selector: Selector, ttl: number): Promise<'touched' | 'absent' | 'ended'> {
    const expires = this.#now() + ttl
    return this.#need(recordKey(selector), (found) => {
      if (found === undefined) return { answer: 'absent' }
      if (isEnded(found.payload)) return { answer: 'ended' }
      return found.expires >= expires ? { answer: 'touched' } : { answer: 'touched', payload: found.payload, expires }
    })
  }

  async end(selector: Selector, marker: RecordBytes, ttl: number, condition?: EndCondition): Promise<Swap> {
    const expires = this.#now() + ttl
    return this.#need(recordKey(selector), (found) => {
      const verdict = judgeEnd(found?.payload, condition)
      if (verdict === 'found') return refused(found)
      return verdict === 'ended' ? { answer: DONE } : { answer: DONE, payload: marker, expires }
    })
  }

  async enroll(user: string, selector: Selector, lifetime: number): Promise<Pick<Roll, 'notBefore' | 'now'>> {
    const now = this.#now()
    return this.#change(userKey(user), (found) => changeUser(found, (index) => index.enroll(selector, lifetime, now)))
  }

  async withdraw(user: string, selector: Selector, until?: number): Promise<void> {
    await this.#need(userKey(user), (found) => {
      const index = userOf(found)
      return index.withdraw(selector, until)
        ? { answer: true, payload: encodeUser(index), expires: index.expires }
        : { answer: false }
    })
  }

  roll(user: string): Roll {
    const found = this.#command().read(userKey(user))
    const now = this.#now()
    return userOf(found !== undefined && found.expires > now ? found : undefined).roll(now)
  }

  async bar(user: string, lifetime: number): Promise<Roll & Durable> {
    const now = this.#now()
    const roll = await this.#need(userKey(user), (found) => changeUser(found, (index) => index.bar(lifetime, now)))
    return { ...roll, durable: true }
  }

  async nextLease(): Promise<number> {
    return this.#need(LEASE_COUNTER_KEY, (found) => {
      const lease = numberOf(found) + 1
      return { answer: lease, payload: bytesOf(lease), expires: Infinity }
    })
  }

  async holdLease(lease: number, owner: string, ttl: number): Promise<string> {
    const expires = this.#now() + ttl
    return this.#need(`l${lease}`, (found) => {
      const holder = found && text.decode(found.payload)
      if (holder !== undefined && holder !== owner) return { answer: holder }
      return { answer: owner, payload: Buffer.from(owner), expires }
    })
  }

  epoch(): { readonly epoch: number; readonly now: number } {
    const epoch = numberOf(this.#command().read(EPOCH_KEY))
    return { epoch, now: this.#present(epoch) }
  }

  async moveEpoch(): Promise<{ readonly epoch: number } & Durable> {
    return this.#need(EPOCH_KEY, (found) => {
      // The present, as some server may have told it in this very millisecond.
      const epoch = this.#present(numberOf(found))
      return { answer: { epoch, durable: true }, payload: bytesOf(epoch), expires: Infinity }
    })
  }

  stats(): StoreStats {
    return { commands: this.#commands }
  }

  async close(): Promise<void> {
    this.#closing ??= this.#release()
    await this.#closing
  }

  async #release(): Promise<void> {
    this.#environment = undefined
    const opening = this.#opening
    if (opening === undefined) return
    const [opened] = await Promise.allSettled([opening])
    if (opened.status === 'fulfilled') await opened.value.release()
  }

  /** The present: after the epoch, and never back. */
  #present(epoch: number): number {
    this.#answered = Math.max(this.#now(), this.#answered, epoch === 0 ? 0 : epoch + 1)
    return this.#answered
  }

  #command(): Environment {
    if (this.#environment === undefined) throw this.#closing === undefined ? notOpenError() : closedError()
    this.#commands += 1
    return this.#environment
  }

  /** A write that may be refused when the store is full. */
  #change<Answer>(key: string, decide: (found: Entry | undefined) => Change<Answer>): Promise<Answer> {
    return this.#command().change(key, this.#now(), 'ordinary', decide)
  }

  /** A write that goes through as long as there is any room. */
  #need<Answer>(key: string, decide: (found: Entry | undefined) => Change<Answer>): Promise<Answer> {
    return this.#command().change(key, this.#now(), 'needed', decide)
  }
}

function userKey(user: string): string {
  return `u${user}`
}

function refused(found: Entry | undefined): Change<Swap> {
  return { answer: { done: false, found: found?.payload } }
}

function userOf(found: Entry | undefined): UserIndex {
  return found === undefined ? new UserIndex() : decodeUser(found.payload, found.expires)
}

function changeUser<Answer>(found: Entry | undefined, change: (index: UserIndex) => Answer): Change<Answer> {
  const index = userOf(found)
  const answer = change(index)
  return { answer, payload: encodeUser(index), expires: index.expires }
}

function numberOf(found: Entry | undefined): number {
  return found === undefined ? 0 : new DataView(found.payload.buffer, found.payload.byteOffset).getFloat64(0)
}

function bytesOf(number: number): Uint8Array {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setFloat64(0, number)
  return bytes
}

function positive(option: string, value: number): number {
  if (Number.isFinite(value) && value > 0) return value
  throw new OptionsError(option, `${option} must be a positive number, not ${value}.`)
}

function notOpenError(): StoreUnavailableError {
  return new StoreUnavailableError('The LMDB store is not open yet.')
}

function closedError(): StoreUnavailableError {
  return new StoreUnavailableError('The LMDB store is closed.')
}

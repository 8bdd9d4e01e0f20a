/**
 * The store of one process: for tests, for development, and for a program that runs once. Nothing outlives
 * the process, and no other process sees it.
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
import { judgeEnd, mayReplace, patched } from './rules.ts'
import { UserIndex } from './user-index.ts'

export interface MemoryStoreOptions {
  /** The store's clock: milliseconds, whole numbers. Default: `Date.now`. */
  readonly now?: (() => number) | undefined
  /**
   * How many values, users and enrolments it holds. What exceeds it is refused with a `StoreUnavailableError`:
   * forgetting an older one would log somebody out. Ends may go a quarter beyond it. Default: 1 000 000.
   */
  readonly maxEntries?: number | undefined
  /** How many bytes of records it holds, keys not counted. Default: 256 MiB. */
  readonly maxBytes?: number | undefined
  /** Milliseconds between two sweeps for what has expired. Default: 1 000. */
  readonly sweepInterval?: number | undefined
}

/** A value with the time at which it counts as absent. */
interface Held<Value> {
  readonly value: Value
  readonly expires: number
}

/** How many entries a sweep looks at in one go, so that it never blocks for long (about two milliseconds). */
const SWEEP_BATCH = 20_000
/** Room beyond the limits for the markers of ended visits, because an end has to work when the store is full. */
const RESERVE = 1.25

/**
 * Opens a store in this process's memory.
 *
 * @throws OptionsError for a limit that is no positive number
 */
export function memoryStore(options: MemoryStoreOptions = {}): Store {
  return new MemoryStore(options)
}

class MemoryStore implements Store {
  readonly kind = 'memory'
  readonly steady = true
  readonly #now: () => number
  readonly #maxEntries: number
  readonly #maxBytes: number
  readonly #sweepInterval: number
  readonly #values = new Map<Selector, Held<RecordBytes>>()
  readonly #users = new Map<string, UserIndex>()
  readonly #leases = new Map<number, Held<string>>()
  #bytes = 0
  #enrolments = 0
  #lease = 0
  #epoch = 0
  /** The latest time that `epoch` or `moveEpoch` answered: both never go back. */
  #answered = 0
  #commands = 0
  #closed = false
  #timer: NodeJS.Timeout | undefined
  #sweeper: Iterator<void> | undefined

  constructor(options: MemoryStoreOptions) {
    this.#now = options.now ?? Date.now
    this.#maxEntries = positive('maxEntries', options.maxEntries ?? 1_000_000)
    this.#maxBytes = positive('maxBytes', options.maxBytes ?? 256 * 1024 * 1024)
    this.#sweepInterval = positive('sweepInterval', options.sweepInterval ?? 1_000)
  }

  async open(): Promise<void> {
    this.#assertOpen()
    this.#timer ??= setInterval(() => this.#sweep(), this.#sweepInterval).unref()
  }

  load(selector: Selector): RecordBytes | undefined {
    this.#command()
    return this.#find(selector)
  }

  remaining(selector: Selector): number | undefined {
    this.#command()
    const held = this.#values.get(selector)
    const remaining = held === undefined ? 0 : held.expires - this.#now()
    return remaining > 0 ? remaining : undefined
  }

  create(selector: Selector, record: RecordBytes, ttl: number): Swap {
    this.#command()
    const found = this.#find(selector)
    if (found !== undefined) return { done: false, found }
    this.#makeRoom(record.length, 1)
    this.#put(selector, record, ttl)
    return DONE
  }

  replace(selector: Selector, version: Uint8Array, record: RecordBytes, ttl: number): Swap {
    this.#command()
    const found = this.#find(selector)
    if (found === undefined || !mayReplace(found, version)) return { done: false, found }
    this.#makeRoom(record.length - found.length)
    this.#put(selector, record, ttl)
    return DONE
  }

  patch(selector: Selector, expected: Span, written: Span, ttl: number): Patched {
    this.#command()
    const found = this.#find(selector)
    const record = patched(found, expected, written)
    if (record === undefined) return { done: false, found }
    this.#put(selector, record, ttl)
    return { done: true, durable: true, record }
  }

  touch(selector: Selector, ttl: number): 'touched' | 'absent' | 'ended' {
    this.#command()
    const found = this.#find(selector)
    if (found === undefined) return 'absent'
    if (isEnded(found)) return 'ended'
    const expires = Math.max(this.#now() + ttl, this.#values.get(selector)?.expires ?? 0)
    this.#values.set(selector, { value: found, expires })
    return 'touched'
  }

  end(selector: Selector, marker: RecordBytes, ttl: number, condition?: EndCondition): Swap {
    this.#command()
    const found = this.#find(selector)
    const verdict = judgeEnd(found, condition)
    if (verdict === 'found') return { done: false, found }
    if (verdict === 'ended') return DONE
    this.#makeRoom(marker.length, found === undefined ? 1 : 0, RESERVE)
    this.#put(selector, marker, ttl)
    return DONE
  }

  enroll(user: string, selector: Selector, lifetime: number): Pick<Roll, 'notBefore' | 'now'> {
    this.#command()
    this.#makeRoom(0, 2)
    return this.#changeUser(user, (index) => index.enroll(selector, lifetime, this.#now()))
  }

  withdraw(user: string, selector: Selector, until?: number): void {
    this.#command()
    if (this.#user(user).entries.size > 0) this.#changeUser(user, (index) => index.withdraw(selector, until))
  }

  roll(user: string): Roll {
    this.#command()
    return this.#user(user).roll(this.#now())
  }

  bar(user: string, lifetime: number): Roll & Durable {
    this.#command()
    this.#makeRoom(0, 1, RESERVE)
    return { ...this.#changeUser(user, (index) => index.bar(lifetime, this.#now())), durable: true }
  }

  nextLease(): number {
    this.#command()
    this.#lease += 1
    return this.#lease
  }

  holdLease(lease: number, owner: string, ttl: number): string {
    this.#command()
    const held = this.#leases.get(lease)
    const now = this.#now()
    if (held !== undefined && held.expires > now && held.value !== owner) return held.value
    this.#makeRoom(0, 1, RESERVE)
    this.#leases.set(lease, { value: owner, expires: now + ttl })
    return owner
  }

  epoch(): { readonly epoch: number; readonly now: number } {
    this.#command()
    this.#answered = Math.max(this.#now(), this.#answered, this.#epoch === 0 ? 0 : this.#epoch + 1)
    return { epoch: this.#epoch, now: this.#answered }
  }

  moveEpoch(): { readonly epoch: number } & Durable {
    this.#command()
    this.#answered = Math.max(this.#now(), this.#answered)
    this.#epoch = this.#answered
    return { epoch: this.#epoch, durable: true }
  }

  stats(): StoreStats {
    return { commands: this.#commands }
  }

  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#timer)
    this.#values.clear()
    this.#users.clear()
    this.#leases.clear()
  }

  #command(): void {
    this.#assertOpen()
    this.#commands += 1
  }

  #assertOpen(): void {
    if (this.#closed) throw new StoreUnavailableError('The memory store is closed.')
  }

  #find(selector: Selector): RecordBytes | undefined {
    const held = this.#values.get(selector)
    if (held === undefined) return undefined
    if (held.expires > this.#now()) return held.value
    this.#forget(selector, held)
    return undefined
  }

  #put(selector: Selector, value: RecordBytes, ttl: number): void {
    this.#bytes += value.length - (this.#values.get(selector)?.value.length ?? 0)
    // A copy of our own: the caller's buffer may be a piece of a pool.
    this.#values.set(selector, { value: Uint8Array.prototype.slice.call(value), expires: this.#now() + ttl })
  }

  #forget(selector: Selector, held: Held<RecordBytes>): void {
    this.#bytes -= held.value.length
    this.#values.delete(selector)
  }

  #user(user: string): UserIndex {
    const index = this.#users.get(user)
    return index !== undefined && index.expires > this.#now() ? index : new UserIndex()
  }

  #changeUser<Answer>(user: string, change: (index: UserIndex) => Answer): Answer {
    const index = this.#user(user)
    this.#enrolments -= this.#users.get(user)?.entries.size ?? 0
    const answer = change(index)
    this.#enrolments += index.entries.size
    this.#users.set(user, index)
    return answer
  }

  #makeRoom(bytes: number, entries = 0, factor = 1): void {
    const count = this.#values.size + this.#users.size + this.#enrolments + this.#leases.size
    if (entries > 0 && count + entries > this.#maxEntries * factor) throw full('maxEntries', this.#maxEntries)
    if (bytes > 0 && this.#bytes + bytes > this.#maxBytes * factor) throw full('maxBytes', this.#maxBytes)
  }

  #sweep(): void {
    for (let looked = 0; looked < SWEEP_BATCH; looked++) {
      this.#sweeper ??= this.#round()
      if (this.#sweeper.next().done === true) {
        this.#sweeper = undefined
        return
      }
    }
  }

  /** One look at every entry; goes on where it stopped, also when entries came and went meanwhile. */
  *#round(): Generator<void> {
    for (const [selector, held] of this.#values) {
      if (held.expires <= this.#now()) this.#forget(selector, held)
      yield
    }
    for (const [user, index] of this.#users) {
      if (index.expires <= this.#now()) {
        this.#enrolments -= index.entries.size
        this.#users.delete(user)
      }
      yield
    }
    for (const [lease, held] of this.#leases) {
      if (held.expires <= this.#now()) this.#leases.delete(lease)
      yield
    }
  }
}

function full(limit: string, value: number): StoreUnavailableError {
  return new StoreUnavailableError(`The memory store is full (${limit}: ${value}).`, { retryAfter: 5 })
}

function positive(option: string, value: number): number {
  if (Number.isFinite(value) && value > 0) return value
  throw new OptionsError(option, `${option} must be a positive number, not ${value}.`)
}

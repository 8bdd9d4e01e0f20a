/**
 * Stands before a store: opens it, gives every call a deadline, and makes one kind of error of everything
 * that goes wrong. An answer that needs no waiting passes through as it is.
 */
import { HoldfastError, StoreUnavailableError, type Applied } from '../errors.ts'
import * as channels from '../telemetry/channels.ts'
import type {
  Awaitable,
  Durability,
  Durable,
  EndCondition,
  Patched,
  RecordBytes,
  Roll,
  Selector,
  Span,
  Store,
  StoreStats,
  StoreWatcher,
  Swap,
} from './store.ts'

/** Milliseconds that a store which keeps the deadline itself has to say so: it knows better whether a write was sent. */
const MARGIN = 25

export class GuardedStore implements Store {
  readonly kind: string
  readonly #store: Store
  readonly #deadline: number
  #opening: Promise<void> | undefined
  #opened = false

  /** `deadline`: milliseconds that any one call may take. */
  constructor(store: Store, deadline: number) {
    this.kind = store.kind
    this.#store = store
    this.#deadline = deadline
  }

  /** Opens the store; after a failure the next call tries again. */
  open(): Promise<void> {
    this.#opening ??= this.#store.open().then(
      () => {
        this.#opened = true
      },
      (error: unknown) => {
        this.#opening = undefined
        throw this.#asOurs('open', error, 'no')
      },
    )
    return this.#opening
  }

  load(selector: Selector): Awaitable<RecordBytes | undefined> {
    return this.#call('load', 'no', () => this.#store.load(selector))
  }

  remaining(selector: Selector): Awaitable<number | undefined> {
    return this.#call('remaining', 'no', () => this.#store.remaining(selector))
  }

  create(selector: Selector, record: RecordBytes, ttl: number, durability?: Durability): Awaitable<Swap> {
    return this.#call('create', 'unknown', () => this.#store.create(selector, record, ttl, durability))
  }

  replace(
    selector: Selector,
    version: Uint8Array,
    record: RecordBytes,
    ttl: number,
    durability?: Durability,
  ): Awaitable<Swap> {
    return this.#call('replace', 'unknown', () => this.#store.replace(selector, version, record, ttl, durability))
  }

  patch(selector: Selector, expected: Span, written: Span, ttl: number, durability?: Durability): Awaitable<Patched> {
    return this.#call('patch', 'unknown', () => this.#store.patch(selector, expected, written, ttl, durability))
  }

  touch(selector: Selector, ttl: number): Awaitable<'touched' | 'absent' | 'ended'> {
    return this.#call('touch', 'unknown', () => this.#store.touch(selector, ttl))
  }

  end(selector: Selector, marker: RecordBytes, ttl: number, condition?: EndCondition): Awaitable<Swap> {
    return this.#call('end', 'unknown', () => this.#store.end(selector, marker, ttl, condition))
  }

  enroll(user: string, selector: Selector, lifetime: number): Awaitable<Pick<Roll, 'notBefore' | 'now'>> {
    return this.#call('enroll', 'unknown', () => this.#store.enroll(user, selector, lifetime))
  }

  withdraw(user: string, selector: Selector): Awaitable<void> {
    return this.#call('withdraw', 'unknown', () => this.#store.withdraw(user, selector))
  }

  roll(user: string): Awaitable<Roll> {
    return this.#call('roll', 'no', () => this.#store.roll(user))
  }

  bar(user: string, lifetime: number): Awaitable<Roll & Durable> {
    return this.#call('bar', 'unknown', () => this.#store.bar(user, lifetime))
  }

  nextLease(): Awaitable<number> {
    return this.#call('nextLease', 'unknown', () => this.#store.nextLease())
  }

  holdLease(lease: number, owner: string, ttl: number): Awaitable<string> {
    return this.#call('holdLease', 'unknown', () => this.#store.holdLease(lease, owner, ttl))
  }

  epoch(): Awaitable<{ readonly epoch: number; readonly now: number }> {
    return this.#call('epoch', 'no', () => this.#store.epoch())
  }

  moveEpoch(): Awaitable<{ readonly epoch: number } & Durable> {
    return this.#call('moveEpoch', 'unknown', () => this.#store.moveEpoch())
  }

  watch(watcher: StoreWatcher): void {
    this.#store.watch?.(watcher)
  }

  stats(): StoreStats {
    return this.#store.stats()
  }

  /** Waits for an opening that is under way, and for the closing itself, no longer than a deadline each. */
  async close(): Promise<void> {
    const opening = this.#opening
    if (opening !== undefined) await this.#within('open', 'no', opening).catch(() => undefined)
    await this.#within('close', 'no', this.#store.close())
  }

  #call<Answer>(operation: string, applied: Applied, ask: () => Awaitable<Answer>): Awaitable<Answer> {
    if (!this.#opened) return this.#callOnceOpen(operation, applied, ask)
    try {
      const answer = ask()
      return answer instanceof Promise ? this.#within(operation, applied, answer) : answer
    } catch (error) {
      throw this.#asOurs(operation, error, applied)
    }
  }

  /** One deadline for both: the opening, and the call after it. */
  async #callOnceOpen<Answer>(operation: string, applied: Applied, ask: () => Awaitable<Answer>): Promise<Answer> {
    const begun = performance.now()
    await this.#within('open', 'no', this.open())
    const left = Math.max(1, this.#deadline - (performance.now() - begun))
    return this.#within(operation, applied, Promise.resolve(ask()), left)
  }

  #within<Answer>(
    operation: string,
    applied: Applied,
    answer: Promise<Answer>,
    deadline: number = this.#deadline,
  ): Promise<Answer> {
    return new Promise<Answer>((resolve, reject) => {
      const late = setTimeout(() => {
        reject(this.#asOurs(operation, new Error(`no answer within ${this.#deadline} ms`), applied))
      }, deadline + MARGIN)
      answer.then(
        (value) => {
          clearTimeout(late)
          resolve(value)
        },
        (error: unknown) => {
          clearTimeout(late)
          reject(this.#asOurs(operation, error, applied))
        },
      )
    })
  }

  #asOurs(operation: string, error: unknown, applied: Applied): HoldfastError {
    if (channels.store.hasSubscribers) channels.store.publish({ store: this.kind, operation, error })
    if (error instanceof HoldfastError) return error
    const why = error instanceof Error ? error.message : String(error)
    return new StoreUnavailableError(`The session store (${this.kind}) failed at ${operation}: ${why}`, {
      applied,
      cause: error,
    })
  }
}

/**
 * A store whose code is loaded when it is opened, so that an application loads that of no other store. Until then only what
 * has to be known of it beforehand is there; whoever asks for more has to open it first.
 */
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
  Tracked,
} from '../core/store.ts'
import { StoreUnavailableError } from '../errors.ts'

/** What is known of a store before it is loaded: what it will say of itself, too. */
export interface Announced {
  readonly kind: string
  readonly steady?: boolean
  readonly mayLose?: boolean
  /** Whether it has `loadTracked`. */
  readonly tracks?: boolean
  readonly load: () => Promise<Store>
}

export class StoreToCome implements Store {
  readonly kind: string
  readonly steady: boolean
  readonly mayLose: boolean
  readonly loadTracked?: (selector: Selector) => Promise<Tracked>
  readonly #load: () => Promise<Store>
  #loading: Promise<Store> | undefined
  #loaded: Store | undefined
  #watcher: StoreWatcher | undefined
  #closed = false

  constructor({ kind, steady = false, mayLose = false, tracks = false, load }: Announced) {
    this.kind = kind
    this.steady = steady
    this.mayLose = mayLose
    this.#load = load
    if (tracks) this.loadTracked = async (selector) => tracked(this.#store, selector)
  }

  async open(): Promise<void> {
    this.#loading ??= this.#loadOnce()
    await (await this.#loading).open()
  }

  load(selector: Selector): Awaitable<RecordBytes | undefined> {
    return this.#store.load(selector)
  }

  remaining(selector: Selector): Awaitable<number | undefined> {
    return this.#store.remaining(selector)
  }

  create(selector: Selector, record: RecordBytes, ttl: number, durability?: Durability): Awaitable<Swap> {
    return this.#store.create(selector, record, ttl, durability)
  }

  replace(
    selector: Selector,
    version: Uint8Array,
    record: RecordBytes,
    ttl: number,
    durability?: Durability,
  ): Awaitable<Swap> {
    return this.#store.replace(selector, version, record, ttl, durability)
  }

  patch(selector: Selector, expected: Span, written: Span, ttl: number, durability?: Durability): Awaitable<Patched> {
    return this.#store.patch(selector, expected, written, ttl, durability)
  }

  touch(selector: Selector, ttl: number): Awaitable<'touched' | 'absent' | 'ended'> {
    return this.#store.touch(selector, ttl)
  }

  end(selector: Selector, marker: RecordBytes, ttl: number, condition?: EndCondition): Awaitable<Swap> {
    return this.#store.end(selector, marker, ttl, condition)
  }

  enroll(user: string, selector: Selector, lifetime: number): Awaitable<Pick<Roll, 'notBefore' | 'now'>> {
    return this.#store.enroll(user, selector, lifetime)
  }

  withdraw(user: string, selector: Selector, until?: number): Awaitable<void> {
    return this.#store.withdraw(user, selector, until)
  }

  roll(user: string): Awaitable<Roll> {
    return this.#store.roll(user)
  }

  bar(user: string, lifetime: number): Awaitable<Roll & Durable> {
    return this.#store.bar(user, lifetime)
  }

  nextLease(): Awaitable<number> {
    return this.#store.nextLease()
  }

  holdLease(lease: number, owner: string, ttl: number): Awaitable<string> {
    return this.#store.holdLease(lease, owner, ttl)
  }

  epoch(): Awaitable<{ readonly epoch: number; readonly now: number }> {
    return this.#store.epoch()
  }

  moveEpoch(): Awaitable<{ readonly epoch: number } & Durable> {
    return this.#store.moveEpoch()
  }

  watch(watcher: StoreWatcher): void {
    this.#watcher = watcher
  }

  stats(): StoreStats {
    return this.#loaded?.stats() ?? { commands: 0 }
  }

  /** One that is being loaded is closed once it is there, and its `open` rejects. */
  async close(): Promise<void> {
    this.#closed = true
    await (await this.#loading)?.close()
  }

  get #store(): Store {
    if (this.#loaded === undefined) throw new StoreUnavailableError(`The session store (${this.kind}) is not open.`)
    return this.#loaded
  }

  async #loadOnce(): Promise<Store> {
    if (this.#closed) throw new StoreUnavailableError(`The session store (${this.kind}) is closed.`)
    const store = await this.#load()
    if (this.#watcher !== undefined) store.watch?.(this.#watcher)
    this.#loaded = store
    return store
  }
}

function tracked(store: Store, selector: Selector): Promise<Tracked> {
  if (store.loadTracked === undefined) throw new Error(`The session store (${store.kind}) tracks nothing.`)
  return store.loadTracked(selector)
}

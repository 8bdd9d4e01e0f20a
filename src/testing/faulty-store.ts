/** A store with faults: slow, failing, silent, or with answers that get lost. For tests of what stands on it. */
import { setTimeout as wait } from 'node:timers/promises'
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

/** The calls that can be made to fail: all that reach the store. */
export type StoreOperation = Exclude<keyof Store, 'kind' | 'steady' | 'mayLose' | 'stats' | 'close'>

/**
 * What becomes of a call. `'refuse'`: it fails and did not reach the store. `'lose'`: it reached the store,
 * its answer did not come back. `'hang'`: it does not reach the store and is never answered.
 * `'swallow'`: it reached the store and is never answered.
 */
export type Fault = 'refuse' | 'lose' | 'hang' | 'swallow'

/** Each may depend on the operation. */
export interface Faults {
  /** Milliseconds that pass before a call reaches the store. Default 0: at once. */
  readonly delay?: number | ((operation: StoreOperation) => number) | undefined
  /** Default: none. */
  readonly fail?: Fault | ((operation: StoreOperation) => Fault | undefined) | undefined
  /** Milliseconds that the news of a change take after a tracked load; or they get lost. Default 0: at once. */
  readonly news?: number | 'lose' | undefined
}

/** A store whose faults a test sets, and that counts what it was asked. */
export interface FaultyStore extends Store {
  /** The faults from now on; calls under way keep theirs. */
  faults: Faults
  /** The operations asked for since the last `forget`, in order. */
  readonly asked: readonly StoreOperation[]
  /** Those of them that the store has carried out, whether its answer got through or not. */
  readonly done: readonly StoreOperation[]
  /** Empties `asked` and `done`. */
  forget(): void
}

/** Wraps a store. Without faults every call passes as it is, in the same turn. */
export function faultyStore(store: Store, faults: Faults = {}): FaultyStore {
  return new Faulty(store, faults)
}

class Faulty implements FaultyStore {
  readonly kind: string
  readonly mayLose: boolean
  readonly #store: Store
  #asked: StoreOperation[] = []
  #done: StoreOperation[] = []
  faults: Faults
  /** Where the store has it. */
  readonly loadTracked?: (selector: Selector) => Promise<Tracked>

  constructor(store: Store, faults: Faults) {
    this.kind = store.kind
    this.mayLose = store.mayLose === true
    this.#store = store
    this.faults = faults
    const load = store.loadTracked?.bind(store)
    if (load !== undefined) this.loadTracked = async (selector) => this.#call('loadTracked', () => load(selector))
  }

  get asked(): readonly StoreOperation[] {
    return this.#asked
  }

  get done(): readonly StoreOperation[] {
    return this.#done
  }

  forget(): void {
    this.#asked = []
    this.#done = []
  }

  open(): Promise<void> {
    return Promise.resolve(this.#call('open', () => this.#store.open()))
  }

  load(selector: Selector): Awaitable<RecordBytes | undefined> {
    return this.#call('load', () => this.#store.load(selector))
  }

  remaining(selector: Selector): Awaitable<number | undefined> {
    return this.#call('remaining', () => this.#store.remaining(selector))
  }

  create(selector: Selector, record: RecordBytes, ttl: number, durability?: Durability): Awaitable<Swap> {
    return this.#call('create', () => this.#store.create(selector, record, ttl, durability))
  }

  replace(
    selector: Selector,
    version: Uint8Array,
    record: RecordBytes,
    ttl: number,
    durability?: Durability,
  ): Awaitable<Swap> {
    return this.#call('replace', () => this.#store.replace(selector, version, record, ttl, durability))
  }

  patch(selector: Selector, expected: Span, written: Span, ttl: number, durability?: Durability): Awaitable<Patched> {
    return this.#call('patch', () => this.#store.patch(selector, expected, written, ttl, durability))
  }

  touch(selector: Selector, ttl: number): Awaitable<'touched' | 'absent' | 'ended'> {
    return this.#call('touch', () => this.#store.touch(selector, ttl))
  }

  end(selector: Selector, marker: RecordBytes, ttl: number, condition?: EndCondition): Awaitable<Swap> {
    return this.#call('end', () => this.#store.end(selector, marker, ttl, condition))
  }

  enroll(user: string, selector: Selector, lifetime: number): Awaitable<Pick<Roll, 'notBefore' | 'now'>> {
    return this.#call('enroll', () => this.#store.enroll(user, selector, lifetime))
  }

  withdraw(user: string, selector: Selector, until?: number): Awaitable<void> {
    return this.#call('withdraw', () => this.#store.withdraw(user, selector, until))
  }

  roll(user: string): Awaitable<Roll> {
    return this.#call('roll', () => this.#store.roll(user))
  }

  bar(user: string, lifetime: number): Awaitable<Roll & Durable> {
    return this.#call('bar', () => this.#store.bar(user, lifetime))
  }

  nextLease(): Awaitable<number> {
    return this.#call('nextLease', () => this.#store.nextLease())
  }

  holdLease(lease: number, owner: string, ttl: number): Awaitable<string> {
    return this.#call('holdLease', () => this.#store.holdLease(lease, owner, ttl))
  }

  epoch(): Awaitable<{ readonly epoch: number; readonly now: number }> {
    return this.#call('epoch', () => this.#store.epoch())
  }

  moveEpoch(): Awaitable<{ readonly epoch: number } & Durable> {
    return this.#call('moveEpoch', () => this.#store.moveEpoch())
  }

  watch(watcher: StoreWatcher): void {
    this.#store.watch?.({
      replaced: () => watcher.replaced(),
      changed: (selector) => this.#tell(() => watcher.changed?.(selector)),
      untracked: () => watcher.untracked?.(),
    })
  }

  stats(): StoreStats {
    return this.#store.stats()
  }

  close(): Promise<void> {
    return this.#store.close()
  }

  #tell(news: () => void): void {
    const { news: ms = 0 } = this.faults
    if (ms === 'lose') return
    if (ms === 0) news()
    else setTimeout(news, ms)
  }

  #call<Answer>(operation: StoreOperation, ask: () => Awaitable<Answer>): Awaitable<Answer> {
    this.#asked.push(operation)
    const { delay = 0, fail } = this.faults
    const ms = typeof delay === 'function' ? delay(operation) : delay
    const fault = typeof fail === 'function' ? fail(operation) : fail
    if (ms === 0 && fault === undefined) return this.#reach(operation, ask)
    return this.#suffer(operation, { ms, fault }, ask)
  }

  #reach<Answer>(operation: StoreOperation, ask: () => Awaitable<Answer>): Awaitable<Answer> {
    const answer = ask()
    if (!(answer instanceof Promise)) {
      this.#done.push(operation)
      return answer
    }
    return answer.then((value: Answer) => {
      this.#done.push(operation)
      return value
    })
  }

  async #suffer<Answer>(
    operation: StoreOperation,
    { ms, fault }: { ms: number; fault: Fault | undefined },
    ask: () => Awaitable<Answer>,
  ): Promise<Answer> {
    if (ms > 0) await wait(ms)
    if (fault === 'refuse') {
      throw new StoreUnavailableError(`The store was told to refuse ${operation}.`, { applied: 'no' })
    }
    if (fault === 'hang') return silence()
    const answer = await this.#reach(operation, ask)
    if (fault === 'lose') {
      throw new StoreUnavailableError(`The answer to ${operation} was told to get lost.`, { applied: 'unknown' })
    }
    return fault === 'swallow' ? silence() : answer
  }
}

function silence<Answer>(): Promise<Answer> {
  return new Promise<Answer>(() => undefined)
}

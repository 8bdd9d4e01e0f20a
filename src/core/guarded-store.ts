/**
 * Stands before a store: opens it, gives every call a deadline, makes one kind of error of everything that goes wrong,
 * and while the store does not answer refuses calls at once. An answer that needs no waiting passes through as it is.
 */
import { HoldfastError, StoreUnavailableError, type Applied } from '../errors.ts'
import * as channels from '../telemetry/channels.ts'
import type { Log } from '../types.ts'
import { Breaker } from './breaker.ts'
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
} from './store.ts'

/** Milliseconds that a store which keeps the deadline itself has to say so: it knows better whether a write was sent. */
const MARGIN = 25
/** What the probes ask for: the length of a selector, and none that anybody mints. */
const PROBED = 'holdfast-probe-of-writes' as Selector

/** How a store is guarded. */
export interface Guarding {
  /** Milliseconds that any one call may take. */
  readonly deadline: number
  readonly log: Log
  /** Called when reads are answered again after they were not. */
  readonly answersAgain: () => void
  /** Called before a visit is ended. Answers what is called when the marker is in its place. */
  readonly ending: () => (selector: Selector, marker: RecordBytes, ttl: number) => void
  /** Called before a record is written, and again when that is over, whatever came of it. */
  readonly writing: (selector: Selector) => void
  /** Called when a marker is in its place, and waited for: what hangs on the visit ends, too. */
  readonly ended?: ((selector: Selector) => Promise<void> | undefined) | undefined
}

/** A call that waits for its answer. `answers`: how many its breaker had counted when it was made. */
interface Asked {
  readonly operation: string
  readonly applied: Applied
  readonly breaker: Breaker
  readonly begun: number
  readonly answers: number
}

export class GuardedStore implements Store {
  readonly kind: string
  readonly steady: boolean
  readonly mayLose: boolean
  readonly reads: Breaker
  readonly writes: Breaker
  readonly #store: Store
  readonly #deadline: number
  readonly #beginEnd: Guarding['ending']
  readonly #writing: Guarding['writing']
  readonly #ended: Guarding['ended']
  #opening: Promise<void> | undefined
  #opened = false

  constructor(store: Store, { deadline, log, answersAgain, ending, writing, ended }: Guarding) {
    this.kind = store.kind
    this.steady = store.steady === true
    this.mayLose = store.mayLose === true
    this.#store = store
    this.#deadline = deadline
    this.#beginEnd = ending
    this.#writing = writing
    this.#ended = ended
    const settings = { store: store.kind, log }
    this.reads = new Breaker({ ...settings, calls: 'reads', probe: () => this.#probeReads(), closed: answersAgain })
    this.writes = new Breaker({
      ...settings,
      calls: 'writes',
      probe: () => this.#probeWrites(),
      closed: () => undefined,
    })
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
    return this.#call('load', this.reads, 'no', () => this.#store.load(selector))
  }

  /** Whether changes of what was read can be told of. */
  get tracks(): boolean {
    return this.#store.loadTracked !== undefined
  }

  async loadTracked(selector: Selector): Promise<Tracked> {
    return this.#call('load', this.reads, 'no', () => this.#loadTracked(selector))
  }

  remaining(selector: Selector): Awaitable<number | undefined> {
    return this.#call('remaining', this.reads, 'no', () => this.#store.remaining(selector))
  }

  create(selector: Selector, record: RecordBytes, ttl: number, durability?: Durability): Awaitable<Swap> {
    return this.#write('create', selector, () => this.#store.create(selector, record, ttl, durability))
  }

  replace(
    selector: Selector,
    version: Uint8Array,
    record: RecordBytes,
    ttl: number,
    durability?: Durability,
  ): Awaitable<Swap> {
    return this.#write('replace', selector, () => this.#store.replace(selector, version, record, ttl, durability))
  }

  patch(selector: Selector, expected: Span, written: Span, ttl: number, durability?: Durability): Awaitable<Patched> {
    return this.#write('patch', selector, () => this.#store.patch(selector, expected, written, ttl, durability))
  }

  touch(selector: Selector, ttl: number): Awaitable<'touched' | 'absent' | 'ended'> {
    return this.#call('touch', this.writes, 'unknown', () => this.#store.touch(selector, ttl))
  }

  end(selector: Selector, marker: RecordBytes, ttl: number, condition?: EndCondition): Awaitable<Swap> {
    const ended = this.#beginEnd()
    const ending = this.#write('end', selector, () => this.#store.end(selector, marker, ttl, condition))
    const noted = (swap: Swap): Awaitable<Swap> => {
      if (!swap.done) return swap
      ended(selector, marker, ttl)
      return this.#ended?.(selector)?.then(() => swap) ?? swap
    }
    return ending instanceof Promise ? ending.then(noted) : noted(ending)
  }

  enroll(user: string, selector: Selector, lifetime: number): Awaitable<Pick<Roll, 'notBefore' | 'now'>> {
    return this.#call('enroll', this.writes, 'unknown', () => this.#store.enroll(user, selector, lifetime))
  }

  withdraw(user: string, selector: Selector, until?: number): Awaitable<void> {
    return this.#call('withdraw', this.writes, 'unknown', () => this.#store.withdraw(user, selector, until))
  }

  roll(user: string): Awaitable<Roll> {
    return this.#call('roll', this.reads, 'no', () => this.#store.roll(user))
  }

  bar(user: string, lifetime: number): Awaitable<Roll & Durable> {
    return this.#call('bar', this.writes, 'unknown', () => this.#store.bar(user, lifetime))
  }

  nextLease(): Awaitable<number> {
    return this.#call('nextLease', this.writes, 'unknown', () => this.#store.nextLease())
  }

  holdLease(lease: number, owner: string, ttl: number): Awaitable<string> {
    return this.#call('holdLease', this.writes, 'unknown', () => this.#store.holdLease(lease, owner, ttl))
  }

  epoch(): Awaitable<{ readonly epoch: number; readonly now: number }> {
    return this.#call('epoch', this.reads, 'no', () => this.#store.epoch())
  }

  moveEpoch(): Awaitable<{ readonly epoch: number } & Durable> {
    return this.#call('moveEpoch', this.writes, 'unknown', () => this.#store.moveEpoch())
  }

  watch(watcher: StoreWatcher): void {
    this.#store.watch?.(watcher)
  }

  stats(): StoreStats {
    return this.#store.stats()
  }

  /** Waits for an opening that is under way, and for the closing itself, no longer than a deadline each. */
  async close(): Promise<void> {
    this.reads.stop()
    this.writes.stop()
    const opening = this.#opening
    if (opening !== undefined)
      await this.#within(this.#deadline, opening, this.#asking('open', this.reads, 'no')).catch(() => undefined)
    await this.#within(this.#deadline, this.#store.close(), this.#asking('close', this.writes, 'no'))
  }

  /** A write of the record itself. */
  #write<Answer>(operation: string, selector: Selector, ask: () => Awaitable<Answer>): Awaitable<Answer> {
    const over = (): void => this.#writing(selector)
    over()
    const writing = this.#call(operation, this.writes, 'unknown', ask)
    if (!(writing instanceof Promise)) over()
    return writing instanceof Promise ? writing.finally(over) : writing
  }

  #call<Answer>(
    operation: string,
    breaker: Breaker,
    applied: Applied,
    ask: () => Awaitable<Answer>,
  ): Awaitable<Answer> {
    if (breaker.open) throw breaker.refusal(operation)
    return this.#ask(operation, breaker, applied, ask)
  }

  /** Asks the store, also where the breaker is open. */
  #ask<Answer>(operation: string, breaker: Breaker, applied: Applied, ask: () => Awaitable<Answer>): Awaitable<Answer> {
    if (!this.#opened) return this.#askOnceOpen(this.#asking(operation, breaker, applied), ask)
    try {
      const answer = ask()
      if (answer instanceof Promise)
        return this.#within(this.#deadline, answer, this.#asking(operation, breaker, applied))
      breaker.answers++
      return answer
    } catch (error) {
      throw this.#failure(error, this.#asking(operation, breaker, applied))
    }
  }

  /** One deadline for both: the opening, and the call after it. */
  async #askOnceOpen<Answer>(asked: Asked, ask: () => Awaitable<Answer>): Promise<Answer> {
    await this.#within(this.#deadline, this.open(), { ...asked, operation: 'open', applied: 'no' })
    const left = Math.max(1, this.#deadline - (performance.now() - asked.begun))
    return this.#within(left, (async () => ask())(), asked)
  }

  #within<Answer>(deadline: number, answer: Promise<Answer>, asked: Asked): Promise<Answer> {
    return new Promise<Answer>((resolve, reject) => {
      let late: NodeJS.Timeout | undefined = setTimeout(() => {
        // What came while this process itself was busy is read between the timer and the immediate.
        setImmediate(() => {
          if (settles()) reject(this.#failure(new Error(`no answer within ${this.#deadline} ms`), asked))
        })
      }, deadline + MARGIN)
      // Whether this is the first to come. What comes after the deadline is no answer any more, and no second failure.
      const settles = (): boolean => {
        const first = late !== undefined
        clearTimeout(late)
        late = undefined
        return first
      }
      answer.then(
        (value) => {
          if (!settles()) return
          asked.breaker.answers++
          resolve(value)
        },
        (error: unknown) => {
          if (settles()) reject(this.#failure(error, asked))
        },
      )
    })
  }

  #asking(operation: string, breaker: Breaker, applied: Applied): Asked {
    return { operation, applied, breaker, begun: performance.now(), answers: breaker.answers }
  }

  /** The error of a call that failed, which its breaker hears of. */
  #failure(error: unknown, { operation, applied, breaker, begun, answers }: Asked): HoldfastError {
    const ours = this.#asOurs(operation, error, applied)
    // Half of it, because a store may keep a shorter deadline of its own.
    const silent = breaker.answers === answers && performance.now() - begun >= this.#deadline / 2
    if (ours instanceof StoreUnavailableError) breaker.failed(ours, silent)
    return ours
  }

  async #loadTracked(selector: Selector): Promise<Tracked> {
    if (this.#store.loadTracked !== undefined) return this.#store.loadTracked(selector)
    return { found: await this.#store.load(selector), tracked: false }
  }

  /** What a page needs of the store: a look-up, and the epoch. */
  async #probeReads(): Promise<void> {
    await Promise.all([
      this.#ask('load', this.reads, 'no', () => this.#store.load(PROBED)),
      this.#ask('epoch', this.reads, 'no', () => this.#store.epoch()),
    ])
  }

  /** A touch of nothing: it changes nothing, and is a write like an end, which a full store carries out too. */
  async #probeWrites(): Promise<void> {
    await this.#ask('touch', this.writes, 'no', () => this.#store.touch(PROBED, 1))
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

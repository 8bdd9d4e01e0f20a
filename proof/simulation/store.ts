/**
 * The simulated store: the one in memory, at the end of a line on which a call is sent, carried out and answered at
 * different moments, or one of these never. It keeps a log of its writes, so that it can lose the last of them.
 */
import type { VirtualTime } from '../../test/support/virtual-time.ts'
import { memoryStore, type Selector, type Store, type StoreWatcher } from './parts.ts'
import type { CallFate, Fate, Schedule } from './plan.ts'

const READS = ['load', 'remaining', 'roll', 'epoch'] as const
const CHANGES = ['create', 'replace', 'patch', 'touch', 'end'] as const
const WRITES = [...CHANGES, 'enroll', 'withdraw', 'bar', 'nextLease', 'holdLease', 'moveEpoch'] as const
/** Where `create`, `replace` and `patch` are told how many must have a write. */
const DURABILITY_AT: Readonly<Record<string, number>> = { create: 3, replace: 4, patch: 4 }
/** These wait for a replica always. */
const ENDS: ReadonlySet<string> = new Set(['end', 'bar', 'moveEpoch'])
const IS_CHANGE: ReadonlySet<string> = new Set(CHANGES)
const IS_WRITE: ReadonlySet<string> = new Set(WRITES)
/** Milliseconds until a server hears that another one stands in the place of its store. */
const NOTICED = 2
/** A clock is set by half of the way there and back: one that was much longer than the other would make it wrong. */
const CLOCK_DELAY_MOST = 50

interface Written {
  readonly operation: string
  readonly given: readonly unknown[]
  readonly at: number
}

type Call = (...given: readonly unknown[]) => unknown

/** What the world is told: a line for people, and what did not go as it should. */
export interface Telling {
  note(line: () => string): void
  /** From now on for so many milliseconds calls may fail. */
  trouble(name: string, lasts: number): void
}

export class SimulatedStore {
  readonly #time: VirtualTime
  readonly #telling: Telling
  readonly #connections = new Set<Connection>()
  readonly #silent: { readonly until: number; readonly server: number | undefined }[] = []
  #base: Store
  #log: Written[] = []
  /** So many writes a replica has. */
  #confirmed = 0
  #replaying: number | undefined

  constructor(time: VirtualTime, telling: Telling) {
    this.#time = time
    this.#telling = telling
    this.#base = this.#empty()
  }

  connect(server: number, schedule: Schedule, firstCall: number): Connection {
    const connection = new Connection(this, { server, schedule, firstCall, telling: this.#telling })
    this.#connections.add(connection)
    return connection
  }

  /** From now on what is sent, by this server or by all, is lost. */
  silence(lasts: number, server?: number): void {
    this.#silent.push({ until: this.#time.now + lasts, server })
  }

  isSilent(server: number): boolean {
    return this.#silent.some((one) => this.#time.now < one.until && (one.server ?? server) === server)
  }

  /** Loses the last writes, and tells all who are connected. Answers how many are lost. */
  failOver(writes: number): number {
    const left = Math.max(this.#confirmed, this.#log.length - writes)
    const lost = this.#log.length - left
    this.#log = this.#log.slice(0, left)
    this.#base = this.#empty()
    for (const { operation, given, at } of this.#log) {
      this.#replaying = at
      callOf(this.#base, operation)(...given)
    }
    this.#replaying = undefined
    for (const connection of this.#connections) connection.replaced()
    return lost
  }

  leave(connection: Connection): void {
    this.#connections.delete(connection)
  }

  carryOut(operation: string, given: readonly unknown[], fate: Fate | undefined): unknown {
    const answer = callOf(this.#base, operation)(...given)
    if (!IS_WRITE.has(operation)) return answer
    this.#log.push({ operation, given, at: this.#time.now })
    if (IS_CHANGE.has(operation) && isChanged(answer))
      for (const connection of this.#connections) connection.changed(given[0] as Selector)
    if (!ENDS.has(operation) && given[DURABILITY_AT[operation] ?? -1] !== 'replicated') return answer
    if (fate === 'unconfirmed') return isDurable(answer) ? { ...answer, durable: false } : answer
    this.#confirmed = this.#log.length
    return answer
  }

  #empty(): Store {
    return memoryStore({ now: () => this.#replaying ?? this.#time.now })
  }
}

function callOf(store: Store, operation: string): Call {
  return (store as unknown as Record<string, Call>)[operation]!.bind(store)
}

function isChanged(answer: unknown): boolean {
  return answer === 'touched' || (answer as { done?: boolean }).done === true
}

function isDurable(answer: unknown): answer is object {
  return typeof answer === 'object' && answer !== null && 'durable' in answer
}

interface Line {
  readonly server: number
  readonly schedule: Schedule
  /** Calls of one server are counted on when it starts again. */
  readonly firstCall: number
  readonly telling: Telling
}

/** One server's way to the store. */
export class Connection {
  /** How many calls were made by this server, and its predecessors. */
  calls: number
  readonly #store: SimulatedStore
  readonly #line: Line
  readonly #tracked = new Set<Selector>()
  #watcher: StoreWatcher | undefined
  #news = 0
  #broken = false

  constructor(store: SimulatedStore, line: Line) {
    this.#store = store
    this.#line = line
    this.calls = line.firstCall
  }

  /** The server is dead: what it has sent may still arrive, and nothing comes back. */
  break(): void {
    this.#broken = true
    this.#store.leave(this)
  }

  /** As a server sees it. */
  asStore(): Store {
    const calls = Object.fromEntries(
      [...READS, ...WRITES].map((operation) => [
        operation,
        (...given: unknown[]) => this.#call(operation, given, (fate) => this.#store.carryOut(operation, given, fate)),
      ]),
    )
    const store = {
      ...calls,
      kind: 'simulated',
      mayLose: true,
      open: () => Promise.resolve(),
      close: () => Promise.resolve(),
      stats: () => ({ commands: this.calls }),
      watch: (watcher: StoreWatcher) => void (this.#watcher = watcher),
      loadTracked: (selector: Selector) =>
        this.#call('loadTracked', [selector], () => {
          this.#tracked.add(selector)
          return { found: this.#store.carryOut('load', [selector], undefined), tracked: true }
        }),
    }
    return store as unknown as Store
  }

  /** A record changed: the server is told once, if it has read it. */
  changed(selector: Selector): void {
    if (!this.#tracked.delete(selector)) return
    const { server, schedule } = this.#line
    const fate = schedule.news[`${server}.${this.#news++}`] ?? 1
    if (fate !== 'lost') this.#tell(fate, () => this.#watcher?.changed?.(selector))
  }

  /** Another server stands in the place of the store. */
  replaced(): void {
    this.#tracked.clear()
    this.#tell(NOTICED, () => {
      this.#watcher?.untracked?.()
      this.#watcher?.replaced()
    })
  }

  /** The channel of the news breaks. */
  cut(): void {
    this.#tracked.clear()
    this.#tell(1, () => this.#watcher?.untracked?.())
  }

  #tell(ms: number, news: () => void): void {
    setTimeout(() => {
      if (!this.#broken) news()
    }, ms)
  }

  #call(operation: string, given: readonly unknown[], ask: (fate: Fate | undefined) => unknown): Promise<unknown> {
    const { server, schedule, telling } = this.#line
    const number = `${server}.${this.calls++}`
    const { send, answer, fate } = wayOf(operation, schedule.calls[number])
    const name = `${number} ${operation}`
    return new Promise((resolve, reject) => {
      // Who is dead sends nothing more, and hears nothing more.
      if (this.#broken) return
      if (fate !== undefined) telling.trouble(`${name}: ${fate}`, send + answer + LOST_AFTER)
      else if (send + answer > SLOW) telling.trouble(`${name}: ${send + answer} ms`, send + answer)
      const back = (arrive: () => void): void => {
        setTimeout(() => {
          if (!this.#broken) arrive()
        }, answer)
      }
      setTimeout(() => {
        if (fate === 'request-lost' || this.#store.isSilent(server))
          return telling.note(() => `  ${name}: lost on the way`)
        if (fate === 'refused') {
          telling.note(() => `  ${name}: refused`)
          return back(() => reject(new Error('the connection broke')))
        }
        try {
          const answered = ask(fate)
          telling.note(() => `  ${name}(${shortOf(given)}) ${wordOf(answered)}${fate === undefined ? '' : `, ${fate}`}`)
          if (fate === 'answer-lost') return
          back(() => (fate === 'broken' ? reject(new Error('the connection broke')) : resolve(answered)))
        } catch (error) {
          back(() => reject(error instanceof Error ? error : new Error(String(error))))
        }
      }, send)
    })
  }
}

/** Milliseconds after which a call without an answer is over for sure. */
const LOST_AFTER = 1_100
/** From so many milliseconds on a call may be too late for its request. */
const SLOW = 400

function wayOf(
  operation: string,
  { send = 1, answer = 1, fate }: CallFate = {},
): {
  readonly send: number
  readonly answer: number
  readonly fate: Fate | undefined
} {
  if (operation !== 'epoch') return { send, answer, fate }
  return { send: Math.min(send, CLOCK_DELAY_MOST), answer: Math.min(answer, CLOCK_DELAY_MOST), fate }
}

function shortOf([first]: readonly unknown[]): string {
  return typeof first === 'string' ? first.slice(-6) : ''
}

function wordOf(answer: unknown): string {
  if (answer === undefined) return 'nothing'
  if (typeof answer === 'string' || typeof answer === 'number') return `${answer}`
  if (typeof answer !== 'object' || answer === null) return 'answered'
  if ('done' in answer) return answer.done === true ? 'done' : 'something else is there'
  if ('found' in answer && answer.found === undefined) return 'nothing'
  return 'answered'
}

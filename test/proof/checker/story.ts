/** Small histories, told one operation after the other. */
import type {
  Effect,
  FaultMark,
  History,
  Kind,
  Operation,
  OperationOf,
  ReportedEvent,
  Run,
  Seen,
} from '../../../proof/history/history.ts'

const RUN: Run = {
  scenario: 'told',
  target: 'holdfast',
  store: 'redis',
  durability: 'primary',
  seed: 1,
  seconds: 60,
  servers: ['A', 'B'],
  promises: { grace: 2_000, answer: 3_000, staleness: 1_000 },
  versions: {},
}

/** What is not said is as usual: acknowledged, by server A, after ten milliseconds. */
export type Told = Partial<Omit<Operation, 'id' | 'kind' | 'asked' | 'seen'>> & {
  readonly seen?: Partial<Seen> | undefined
}

export class Story {
  readonly operations: Operation[] = []
  readonly faults: FaultMark[] = []
  readonly effects: Effect[] = []
  readonly events: ReportedEvent[] = []
  readonly run: Run
  #now = 0

  constructor(run: Partial<Run> = {}) {
    this.run = { ...RUN, ...run }
  }

  /** So many milliseconds pass. */
  wait(milliseconds: number): this {
    this.#now += milliseconds
    return this
  }

  /** The next operation of `v1`, in its visit `v1-1` where no other is said, ten milliseconds after the one before. */
  tell<K extends Kind>(kind: K, asked: OperationOf<K>['asked'], told: Told = {}): Operation {
    const visit = told.visit ?? 'v1-1'
    const began = told.began ?? this.wait(10).#now
    const ended = told.ended ?? began + 10
    this.#now = Math.max(this.#now, ended)
    const seen = { user: null, owner: visit, handle: `of ${visit}`, cart: [], count: 0, mark: 0, ...told.seen }
    const told_ = {
      id: this.operations.length,
      kind,
      asked,
      browser: visit.split('-', 1)[0] ?? '',
      visit,
      outcome: 'acknowledged',
      status: 200,
      server: 'A#1',
      ...told,
      began,
      ended,
    }
    const operation = (told.seen === undefined && 'seen' in told ? told_ : { ...told_, seen }) as Operation
    this.operations.push(operation)
    return operation
  }

  /** Signs in `ada`, as the visit `v1-2`, of which the rest of the story is to tell. */
  signIn(visit = 'v1-2', user = 'ada', from?: string, cart: readonly string[] = []): Operation {
    return this.tell('sign-in', { user, ...(from !== undefined && { from }) }, { visit, seen: { user, cart } })
  }

  broken(fault: Partial<FaultMark> & Pick<FaultMark, 'sort'>): this {
    this.faults.push({ name: 'something broken', began: 0, ended: 1_000_000, ...fault })
    return this
  }

  /** A server tells of something. */
  report(channel: string, detail: ReportedEvent['detail'], at: number): this {
    this.events.push({ at, server: 'A', channel, detail })
    return this
  }

  get history(): History {
    const { run, operations, faults, effects, events } = this
    return { run, operations, faults, effects, events }
  }
}

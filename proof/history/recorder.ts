/** Writes down what happens during a run. */
import type {
  Effect,
  FaultMark,
  FaultSort,
  History,
  Kind,
  Operation,
  OperationOf,
  ReportedEvent,
  Run,
} from './history.ts'

/** What is known of an operation when it begins. */
export type Begun<K extends Kind> = Pick<OperationOf<K>, 'kind' | 'asked' | 'browser' | 'visit'>

/** What its answer adds. */
export type Outcome = Omit<OperationOf<Kind>, 'id' | 'kind' | 'asked' | 'browser' | 'visit' | 'began' | 'ended'>

export class Recorder {
  readonly operations: Operation[] = []
  readonly faults: FaultMark[] = []
  readonly events: ReportedEvent[] = []
  readonly #origin = performance.now()
  #next = 0

  /** Milliseconds since the run began. */
  now(): number {
    return performance.now() - this.#origin
  }

  /** Begins an operation; what is answered ends it, with its place in the history. Call that once. */
  begin<K extends Kind>(begun: Begun<K>): (outcome: Outcome) => Operation {
    const began = this.now()
    const id = this.#next++
    return (outcome) => {
      const operation = { id, ...begun, began, ended: this.now(), ...outcome } as Operation
      this.operations.push(operation)
      return operation
    }
  }

  /** A fault begins; what is answered ends it. */
  fault(name: string, sort: FaultSort): () => void {
    const began = this.now()
    return () => void this.faults.push({ name, sort, began, ended: this.now() })
  }

  event(server: string, channel: string, detail: ReportedEvent['detail']): void {
    this.events.push({ at: this.now(), server, channel, detail })
  }

  /** What has been written down, in the order in which operations began. */
  history(run: Run, effects: readonly Effect[]): History {
    const operations = this.operations.toSorted((left, right) => left.id - right.id)
    return { run, operations, faults: [...this.faults], events: [...this.events], effects }
  }
}

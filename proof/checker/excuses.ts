/** What faults excuse, in one place. */
import type { FaultMark, FaultSort, History, Kind, Operation } from '../history/history.ts'

/**
 * How long after a fault was undone its consequences may show, in milliseconds: breakers open again for a try every second,
 * links are made again with pauses of up to two, and a Sentinel or a cluster needs some to agree.
 */
const RECOVERY = 4_000
/** What was left in buffers is sent again by TCP with pauses that double: by then it has arrived, or never will. Milliseconds. */
const LINGERING = 8_000
/** A kill is done within this, in milliseconds: what is sent later finds the other server. */
const KILLING = 100

/** What asks nothing of the store but to be read. */
const READS: ReadonlySet<Kind> = new Set(['read', 'replay', 'form'])

type Span = Pick<Operation, 'began' | 'ended'>

export class Excuses {
  readonly #faults: readonly FaultMark[]
  readonly #replicated: boolean
  /** What was forgotten may be shown from near for so long, in milliseconds. */
  readonly #staleness: number
  /** Whether what is confirmed is confirmed by all replicas. Of the two that Sentinels watch, the store asks one by itself. */
  readonly #byAll: boolean

  constructor({ faults, run }: History) {
    this.#faults = faults
    this.#staleness = run.promises.staleness
    this.#replicated = run.durability === 'replicated'
    this.#byAll = this.#replicated || run.store !== 'sentinel'
  }

  /** Whether an operation may have failed because of something that was broken. */
  excusesError({ began, ended, kind }: Span & { readonly kind?: Kind }): boolean {
    return this.#faults.some((fault) => {
      if (fault.sort === 'unwritable' && kind !== undefined && READS.has(kind)) return false
      const { from, to } = breaks(fault)
      return began < to && ended > from
    })
  }

  /** Whether it may have taken long: a store that does not answer is no excuse for that. */
  excusesDelay({ began, ended }: Span): boolean {
    return this.#faults.some(
      (fault) => fault.sort === 'server' && began < fault.ended + RECOVERY && ended > fault.began,
    )
  }

  /** When an operation whose outcome nobody knows has happened, or never will: once all was whole for a while. */
  settledAfter({ ended }: Span): number {
    let settled = ended + LINGERING
    for (const fault of this.#faults.toSorted((left, right) => left.began - right.began))
      if (fault.sort !== 'none' && fault.began < settled) settled = Math.max(settled, fault.ended + LINGERING)
    return settled
  }

  /** Whether both servers were there, and nothing else was broken. */
  isWhole({ began, ended }: Span): boolean {
    return !this.#faults.some((fault) => fault.sort !== 'none' && began < fault.ended + RECOVERY && ended > fault.began)
  }

  /**
   * The fault by which a store may have lost before `at` what it took up at `since`. `confirmed`: whether it was said that
   * replicas have it, as of ends it is, whatever the run's durability; as the run has it, where nothing was said.
   */
  forgot(since: number, at: number, confirmed = this.#replicated): FaultMark | undefined {
    const forgetting = (sort: FaultSort): boolean => sort === 'forgets' || (sort === 'failover' && !confirmed)
    return this.#faults.find(
      ({ sort, began, ended }) => forgetting(sort) && ended + this.#staleness > since && began <= at,
    )
  }

  /**
   * The same for an end. One that some of the replicas have is lost where another one is promoted, until the server that
   * made it has made it again: for good where that server is not there to do it.
   */
  forgotEnd({ began, durable }: Operation, at: number): FaultMark | undefined {
    const isAway = ({ sort, began: from, ended: to }: FaultMark): boolean =>
      (sort === 'kill' || sort === 'server') && from <= at && to > began
    return this.forgot(began, at, durable === true && !this.#byAll && this.#faults.some(isAway) ? false : durable)
  }
}

/** In which time a fault makes requests fail. */
function breaks({ sort, began, ended }: FaultMark): { readonly from: number; readonly to: number } {
  if (sort === 'none') return { from: Number.POSITIVE_INFINITY, to: Number.NEGATIVE_INFINITY }
  return { from: began, to: sort === 'kill' ? began + KILLING : ended + RECOVERY }
}

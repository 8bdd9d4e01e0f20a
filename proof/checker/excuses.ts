/** What faults excuse, in one place. */
import type { FaultMark, FaultSort, History, Operation } from '../history/history.ts'

/**
 * How long after a fault was undone its consequences may show, in milliseconds: breakers open again for a try every second,
 * links are made again with pauses of up to two, and a Sentinel or a cluster needs some to agree.
 */
const RECOVERY = 4_000
/** A kill is done within this, in milliseconds: what is sent later finds the other server. */
const KILLING = 100

type Span = Pick<Operation, 'began' | 'ended'>

export class Excuses {
  readonly #faults: readonly FaultMark[]
  readonly #replicated: boolean

  constructor({ faults, run }: History) {
    this.#faults = faults
    this.#replicated = run.durability === 'replicated'
  }

  /** Whether an operation may have failed because of something that was broken. */
  excusesError({ began, ended }: Span): boolean {
    return this.#faults.some((fault) => {
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
    return this.#faults.find(({ sort, began, ended }) => forgetting(sort) && ended + RECOVERY > since && began <= at)
  }
}

/** In which time a fault makes requests fail. */
function breaks({ sort, began, ended }: FaultMark): { readonly from: number; readonly to: number } {
  if (sort === 'none') return { from: Number.POSITIVE_INFINITY, to: Number.NEGATIVE_INFINITY }
  return { from: began, to: sort === 'kill' ? began + KILLING : ended + RECOVERY }
}

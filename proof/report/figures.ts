/** What a history says in figures. */
import type { FaultMark, History, Operation } from '../history/history.ts'

/** One slice of the time of a run. */
export interface Slice {
  /** Milliseconds since the run began. */
  readonly from: number
  readonly answered: number
  /** Refused with an error, or not answered at all. */
  readonly failed: number
  /** Milliseconds; 0 where nothing was answered. */
  readonly p50: number
  readonly p99: number
}

/** What visitors had of a fault, from its beginning until nothing failed any more. */
export interface FaultFigures {
  readonly name: string
  /** Milliseconds since the run began. */
  readonly began: number
  /** Milliseconds. */
  readonly lasted: number
  readonly requests: number
  /** 503 and the like: the answer says that nothing was done. */
  readonly refused: number
  /** Nobody can say whether it was done. */
  readonly unknown: number
  /** The longest time without one request that succeeded, in milliseconds. */
  readonly silence: number
  /**
   * From the end of the fault until the last request that failed, in milliseconds. 0: none did after it. Null: that cannot
   * be told, because something else was broken then.
   */
  readonly recovered: number | null
}

/** In how many slices a run is shown, at most. */
const SLICES = 120
/** How long after a fault failures are put down to it, in milliseconds, unless another fault begins. */
const AFTERWARDS = 4_000

export function slicesOf({ operations }: History): Slice[] {
  const length = lengthOf(operations)
  const width = Math.max(250, Math.ceil(length / SLICES / 250) * 250)
  const slices = Array.from({ length: Math.ceil(length / width) }, (): Operation[] => [])
  for (const operation of operations) slices[Math.floor(operation.ended / width)]?.push(operation)
  return slices.map((own, at) => {
    const times = own.filter(isAnswered).map(({ began, ended }) => ended - began)
    return {
      from: at * width,
      answered: times.length,
      failed: own.length - times.length,
      p50: percentile(times, 0.5),
      p99: percentile(times, 0.99),
    }
  })
}

/** One row for each fault, in the order in which they began. */
export function faultsOf({ operations, faults }: History): FaultFigures[] {
  const ordered = faults.toSorted((left, right) => left.began - right.began)
  return ordered.map((fault) => {
    const until = aftermathOf(fault, ordered)
    const own = operations.filter(({ began, ended }) => ended >= fault.began && began <= until)
    const failed = own.filter((operation) => !isAnswered(operation))
    const latest = failed.reduce((last, { ended }) => Math.max(last, ended), 0)
    return {
      name: fault.name,
      began: fault.began,
      lasted: fault.ended - fault.began,
      requests: own.length,
      refused: failed.filter(({ outcome }) => outcome === 'refused').length,
      unknown: failed.filter(({ outcome }) => outcome === 'unknown').length,
      silence: silenceOf(operations, fault),
      recovered: until === fault.ended ? null : Math.max(0, latest - fault.ended),
    }
  })
}

/** Until when failures are put down to a fault: its end, if something else is broken then. */
function aftermathOf(fault: FaultMark, faults: readonly FaultMark[]): number {
  const others = faults.filter((other) => other !== fault && other.ended >= fault.ended)
  const next = others.reduce((first, { began }) => Math.min(first, began), fault.ended + AFTERWARDS)
  return Math.max(fault.ended, next)
}

/** Whether the application has answered: a form that it refused is one. */
export function isAnswered({ status }: Operation): boolean {
  return status > 0 && status < 500
}

export function percentile(values: readonly number[], share: number): number {
  if (values.length === 0) return 0
  const sorted = values.toSorted((left, right) => left - right)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}

/** Until the first answer after the fault, or the end of the run: an outage that goes on is not cut short by the figure. */
function silenceOf(operations: readonly Operation[], { began, ended }: FaultMark): number {
  const answers = operations.filter(isAnswered).map((operation) => operation.ended)
  const ends = [...answers, lengthOf(operations)].filter((end) => end >= began).toSorted((left, right) => left - right)
  let longest = 0
  let before = began
  for (const end of ends) {
    longest = Math.max(longest, end - before)
    if (end > ended) return longest
    before = end
  }
  return longest
}

function lengthOf(operations: readonly Operation[]): number {
  return operations.reduce((longest, { ended }) => Math.max(longest, ended), 1)
}

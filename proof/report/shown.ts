/** What a report is made of. */
import { unexcused } from '../checker/check.ts'
import type { Violation } from '../checker/violations.ts'
import type { History, Run } from '../history/history.ts'

/** One run of the programme, as the report shows it. */
export interface Shown {
  readonly history: History
  readonly violations: readonly Violation[]
  /** Of a control or a mutant: in which something has to be found. */
  readonly faulty: boolean
  /** Of these, one has to be found in it; where it is missing, any. */
  readonly expected?: readonly string[]
  /** Repeats it. */
  readonly command: string
}

export interface Report {
  /** When it was made, as ISO 8601. */
  readonly at: string
  readonly command: string
  readonly runs: readonly Shown[]
}

export function titleOf({ history: { run } }: Shown): string {
  const what = run.target === 'holdfast' ? '' : `${run.target}: `
  const changed = run.mutant === undefined ? '' : `mutant ${run.mutant}: `
  return [`${what}${changed}${run.scenario} on ${run.store}`, ...mannersOf(run)].join(', ')
}

/** In what a run differs from the usual, in words. */
export function mannersOf({ durability, namespaces }: Pick<Run, 'durability' | 'namespaces'>): string[] {
  return [...(durability === 'replicated' ? [durability] : []), ...(namespaces === true ? ['in namespaces'] : [])]
}

/** Whether it came out as it has to. */
export function isFine({ faulty, expected, violations }: Shown): boolean {
  const bad = unexcused(violations)
  if (!faulty) return bad.length === 0
  return bad.some(({ name }) => expected === undefined || expected.includes(name))
}

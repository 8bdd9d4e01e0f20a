/** Whether Holdfast itself reported what a store that forgot has done to its sessions. */
import type { History } from '../history/history.ts'
import type { Violation } from './violations.ts'

/** By which a server says that the store lost something, or is another one. */
const TELLING: ReadonlySet<string> = new Set(['holdfast:lost', 'holdfast:replaced'])

/** Says of each excused violation whether such an event came before it showed, or within the time given. */
export function reports({ events, faults }: History, violations: readonly Violation[]): Violation[] {
  return violations.map((violation) => {
    const fault = faults.find(({ name }) => name === violation.excusedBy)
    if (fault === undefined) return violation
    const reported = events.some(
      ({ channel, at }) => TELLING.has(channel) && at >= fault.began && at <= violation.at + 1_000,
    )
    return { ...violation, reported }
  })
}

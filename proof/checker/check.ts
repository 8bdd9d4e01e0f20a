/** Decides over a history whether each rule held. */
import type { History } from '../history/history.ts'
import { answers } from './answers.ts'
import { cycles } from './cycles.ts'
import { ends } from './ends.ts'
import { Excuses } from './excuses.ts'
import { forms } from './forms.ts'
import { identities } from './identities.ts'
import { withNotices } from './notices.ts'
import { updates } from './updates.ts'
import type { Violation } from './violations.ts'
import { Visits } from './visits.ts'

/** What every group of rules is given. */
export interface Case {
  readonly history: History
  readonly visits: Visits
  readonly excuses: Excuses
}

/** All violations, in the order in which they showed. */
export function check(history: History): readonly Violation[] {
  const excuses = new Excuses(history)
  const about: Case = { history, visits: new Visits(history, excuses), excuses }
  const found = [updates, ends, identities, cycles, forms, answers].flatMap((group) => group(about))
  return withNotices(about, found).toSorted((left, right) => left.at - right.at)
}

/** Those that nothing excuses. */
export function unexcused(violations: readonly Violation[]): readonly Violation[] {
  return violations.filter(({ excusedBy }) => excusedBy === undefined)
}

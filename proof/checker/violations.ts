/** What may not happen: each violation by its name, with the rule that it breaks and what excuses it. */
import type { FaultMark } from '../history/history.ts'

export interface Rule {
  /** What must hold, in a sentence. */
  readonly rule: string
  /** Whether a store that lost or restored data by itself excuses it. */
  readonly excusable: boolean
}

export const RULES = {
  'lost-update': { rule: 'A change that was acknowledged is there as long as the session is.', excusable: true },
  'doubled-increment': { rule: 'A counter is never more than what was added to it.', excusable: false },
  'own-write-unseen': { rule: 'Who has the answer to a change sees it in whatever is asked next.', excusable: true },
  'going-back': { rule: 'What one browser was shown, it is not shown older.', excusable: true },
  'alive-after-end': { rule: 'After an acknowledged sign-out nobody is served as that visitor.', excusable: true },
  'alive-after-revocation': {
    rule: 'After an acknowledged sign-out everywhere no session of the user from before is served.',
    excusable: true,
  },
  'another-visitor': { rule: 'Nobody is shown what belongs to another visitor.', excusable: false },
  'shared-session': { rule: 'No two visits have one session.', excusable: true },
  'logged-out': { rule: 'Nobody is logged out without a cause.', excusable: true },
  'old-id-accepted': {
    rule: 'An id from before a sign-in reaches nothing, and one that was renewed after its grace.',
    excusable: true,
  },
  'renewed-id-refused': { rule: 'An id that was renewed serves within its grace.', excusable: true },
  'effect-twice': { rule: 'The end of a cycle happens once.', excusable: true },
  'effect-missing': {
    rule: 'An end of a cycle that was acknowledged has happened, with that result.',
    excusable: false,
  },
  'form-refused': { rule: 'A form that the visitor was given is taken as long as the visit lasts.', excusable: true },
  'forgery-accepted': {
    rule: 'What another site sends, or who has no token of the visitor’s, is refused.',
    excusable: false,
  },
  'undue-error': { rule: 'Where nothing is broken everything is answered.', excusable: false },
  'late-answer': { rule: 'An answer comes within its time, errors included.', excusable: false },
  'unequal-share': { rule: 'The balancer sends each server its share of the requests.', excusable: false },
} as const satisfies Readonly<Record<string, Rule>>

export type RuleName = keyof typeof RULES

/** `session`: there was an event about this very session; `store`: one of the store; see `notices.ts`. */
export type Noticed = 'session' | 'store' | 'no'

export interface Violation {
  readonly name: RuleName
  /** When it showed, in milliseconds since the run began. */
  readonly at: number
  /** What happened, to which visit. */
  readonly text: string
  /** The smallest part of the history that shows it: places in `operations`. */
  readonly operations: readonly number[]
  /** The visit to which it happened. */
  readonly visit?: string
  /** What excuses it, where the store forgot by itself. */
  readonly excusedBy?: FaultMark
  /** Of one that is excused: how Holdfast itself gave notice of it. */
  readonly noticed?: Noticed
}

/** The first that nothing excuses; where all are excused, the first. */
export function worstOf(violations: readonly Violation[]): Violation[] {
  const worst = violations.find(({ excusedBy }) => excusedBy === undefined) ?? violations[0]
  return worst === undefined ? [] : [worst]
}

/** What is submitted. */
import type { Case } from './check.ts'
import type { Violation } from './violations.ts'

const FORBIDDEN = 403

export function forms({ history, visits, excuses }: Case): Violation[] {
  return history.operations.flatMap((operation): Violation[] => {
    if (operation.kind !== 'submit') return []
    const { asked, outcome, status, visit, id, ended } = operation
    if (asked.form !== 'genuine') {
      if (outcome !== 'acknowledged') return []
      const text = `${visit}: what came ${asked.form} was taken.`
      return [{ name: 'forgery-accepted' as const, at: ended, text, visit, operations: [id] }]
    }
    const whose = visits.named(visit)
    if (status !== FORBIDDEN || (whose !== undefined && visits.mayBeOver(whose, operation))) return []
    const latest = whose && (visits.lastShown(whose, operation) ?? whose.signIn)
    const excusedBy = excuses.forgot(latest?.began ?? 0, ended)
    const text = `${visit}: a form that the visitor was given was refused.`
    return [
      {
        name: 'form-refused' as const,
        at: ended,
        text,
        visit,
        operations: [id],
        ...(excusedBy !== undefined && { excusedBy }),
      },
    ]
  })
}

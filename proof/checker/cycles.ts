/** The ends of cycles, held against the ledger. Different answers for one cycle are an effect that happened twice, or none. */
import { grouped } from './grouped.ts'
import type { Effect, OperationOf } from '../history/history.ts'
import type { Case } from './check.ts'
import type { Violation } from './violations.ts'

type Finish = OperationOf<'finish'>

export function cycles(about: Case): Violation[] {
  const { history } = about
  const effects = grouped(history.effects, ({ cycle }) => cycle)
  const finishes = grouped(
    history.operations.filter((operation): operation is Finish => operation.kind === 'finish'),
    ({ asked }) => asked.cycle,
  )
  return [...finishes].flatMap(([cycle, submissions]) => [
    ...twice(about, cycle, submissions, effects.get(cycle) ?? []),
    ...missing(cycle, submissions, effects.get(cycle) ?? []),
  ])
}

function twice(
  { excuses }: Case,
  cycle: string,
  submissions: readonly Finish[],
  effects: readonly Effect[],
): Violation[] {
  if (effects.length < 2) return []
  const began = Math.min(...submissions.map((one) => one.began))
  const at = Math.max(...submissions.map((one) => one.ended))
  // What nobody has an answer to may have happened later.
  const until = Math.max(at, ...submissions.filter(isUnknown).map((one) => excuses.settledAfter(one)))
  const excusedBy = excuses.forgot(began, until)
  const text = `${cycle} happened ${effects.length} times, by ${effects.map(({ server }) => server).join(' and ')}.`
  const operations = submissions.map(({ id }) => id)
  const [{ visit }] = submissions as [Finish]
  return [{ name: 'effect-twice', at, text, visit, operations, ...(excusedBy !== undefined && { excusedBy }) }]
}

function isUnknown({ outcome }: Finish): boolean {
  return outcome === 'unknown'
}

function missing(cycle: string, submissions: readonly Finish[], effects: readonly Effect[]): Violation[] {
  const happened = effects.map(({ server }) => `${cycle} by ${server}`)
  const wrong = submissions.find(({ outcome, result = '' }) => outcome === 'acknowledged' && !happened.includes(result))
  if (wrong === undefined) return []
  const text = `${cycle} was answered with ${wrong.result ?? 'nothing'}, and the ledger has ${happened.join(' and ') || 'nothing'}.`
  return [{ name: 'effect-missing', at: wrong.ended, text, visit: wrong.visit, operations: [wrong.id] }]
}

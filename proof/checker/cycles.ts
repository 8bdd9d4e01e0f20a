/** The ends of cycles, held against the ledger. */
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
  const excusedBy = excuses.forgot(began, at)
  const text = `${cycle} happened ${effects.length} times, by ${effects.map(({ server }) => server).join(' and ')}.`
  const operations = submissions.map(({ id }) => id)
  return [{ name: 'effect-twice', at, text, operations, ...(excusedBy !== undefined && { excusedBy }) }]
}

function missing(cycle: string, submissions: readonly Finish[], effects: readonly Effect[]): Violation[] {
  const done = submissions.filter(({ outcome }) => outcome === 'acknowledged')
  const results = new Set(done.map(({ result }) => result))
  const promised = effects.map(({ server }) => `${cycle} by ${server}`)
  const [first] = done
  if (first === undefined || (results.size === 1 && promised.includes(first.result ?? ''))) return []
  const text = `${cycle} was answered with ${[...results].join(' and ')}, and the ledger has ${promised.join(' and ') || 'nothing'}.`
  return [{ name: 'effect-missing', at: first.ended, text, operations: done.map(({ id }) => id) }]
}

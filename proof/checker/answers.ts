/** Answers: that they come, in time, without errors, and from both servers. */
import { ENDED, type Operation, type OperationOf } from '../history/history.ts'
import type { Case } from './check.ts'
import { grouped } from './grouped.ts'
import type { Violation } from './violations.ts'

/** From so many answers on shares are compared, and may differ by this much of them. */
const SHARES = { from: 200, differ: 0.05 }
/** What a duplicate is told while the first one still runs. */
const BUSY = 'ERR_CYCLE_BUSY'
/** What is told of an end whose server died within it. */
const IN_DOUBT = 'ERR_CYCLE_IN_DOUBT'

export function answers(about: Case): Violation[] {
  return [...errors(about), ...deaths(about), ...late(about), ...shares(about)]
}

function errors({ history, visits, excuses }: Case): Violation[] {
  const finishes = grouped(history.operations.filter(isFinish), ({ asked }) => asked.cycle)
  const isDuplicate = (operation: Operation): boolean =>
    isFinish(operation) &&
    (finishes.get(operation.asked.cycle) ?? []).some(({ id, began }) => id !== operation.id && began < operation.ended)
  // Whose first submission nobody knows the outcome of is told so, and nothing is run again.
  const isInDoubt = (operation: Operation): boolean =>
    isFinish(operation) &&
    (finishes.get(operation.asked.cycle) ?? []).some(
      ({ id, outcome, began }) => id !== operation.id && outcome !== 'acknowledged' && began < operation.ended,
    )
  const isOver = (operation: Operation): boolean => {
    const whose = visits.named(operation.visit)
    return (
      (whose !== undefined && visits.mayBeOver(whose, operation)) ||
      excuses.forgot(whose?.operations[0]?.began ?? 0, operation.ended) !== undefined
    )
  }
  return history.operations.flatMap((operation) => {
    const { kind, status, code, visit, id, ended } = operation
    // What is broken breaks requests: nobody is told that the request was wrong.
    const isBlamed = status >= 400 && status < 500
    if (status === 200 || isJudgedElsewhere(operation) || (!isBlamed && excuses.excusesError(operation))) return []
    if (code === BUSY && isDuplicate(operation)) return []
    if (code === IN_DOUBT && isInDoubt(operation)) return []
    if (isBlamed && isOver(operation)) return []
    const text = `${visit}: ${kind} was answered with ${status === 0 ? 'a broken connection' : status}${code === undefined ? '' : ` (${code})`}.`
    return [{ name: 'undue-error' as const, at: ended, text, visit, operations: [id] }]
  })
}

/** No fault that is made here ends a server, but those that say so. */
function deaths({ history }: Case): Violation[] {
  return history.events.flatMap(({ at, server, channel, detail }) => {
    if (channel !== ENDED) return []
    const text = `Server ${server} ended by itself (${String(detail['signal'] ?? detail['code'])}).`
    return [{ name: 'undue-error', at, text, operations: [] }]
  })
}

function isFinish(operation: Operation): operation is OperationOf<'finish'> {
  return operation.kind === 'finish'
}

/** Forms that are refused are. */
function isJudgedElsewhere({ kind, status }: Operation): boolean {
  return kind === 'submit' && status === 403
}

function late({ history, excuses }: Case): Violation[] {
  const { answer } = history.run.promises
  return history.operations.flatMap((operation) => {
    const { kind, visit, began, ended, id, status } = operation
    if (ended - began <= answer || excuses.excusesDelay(operation)) return []
    const text = `${visit}: ${kind} was answered with ${status} after ${Math.round(ended - began)} ms.`
    return [{ name: 'late-answer' as const, at: ended, text, visit, operations: [id] }]
  })
}

/** While nothing is broken. */
function shares({ history, excuses }: Case): Violation[] {
  const counts = new Map(history.run.servers.map((name) => [name, 0]))
  for (const operation of history.operations) {
    const name = operation.server?.split('#', 1)[0] ?? ''
    if (counts.has(name) && excuses.isWhole(operation)) counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  const all = [...counts.values()].reduce((sum, count) => sum + count, 0)
  const fair = all / counts.size
  if (all < SHARES.from || [...counts.values()].every((count) => Math.abs(count - fair) <= all * SHARES.differ))
    return []
  const text = `Of ${all} answers ${[...counts].map(([name, count]) => `${count} came from ${name}`).join(', ')}.`
  return [{ name: 'unequal-share', at: history.operations.at(-1)?.ended ?? 0, text, operations: [] }]
}

/** Ends are final, and nobody is logged out without one. */
import { grouped } from './grouped.ts'
import type { FaultMark, Operation } from '../history/history.ts'
import type { Case } from './check.ts'
import type { Excuses } from './excuses.ts'
import { type Violation, worstOf } from './violations.ts'
import type { Visit } from './visits.ts'

export function ends(about: Case): Violation[] {
  const { visits, history } = about
  // By what it shows, and not by who asked: an old cookie may show another visit than the one that its browser is at.
  const byOwner = grouped(
    history.operations.filter(({ seen }) => seen !== undefined && seen.user !== null),
    ({ seen }) => seen?.owner,
  )
  return visits.all.flatMap((visit) => [
    ...aliveAfterEnd(about, visit, byOwner.get(visit.name) ?? []),
    ...(visit.user === undefined ? [] : loggedOut(about, visit.name)),
  ])
}

/** One violation of a visit is enough to look at: one that nothing excuses, where there is one. */
function aliveAfterEnd({ visits, excuses, history }: Case, visit: Visit, shown: readonly Operation[]): Violation[] {
  const { staleness } = history.run.promises
  const found: Violation[] = []
  for (const end of visits.ends(visit, shown.at(-1)?.began ?? 0)) {
    const alive = shown.find(({ began }) => began > end.ended + staleness)
    if (alive === undefined) continue
    const excusedBy =
      excuses.forgotEnd(end, alive.ended) ??
      (end.visit === visit.name ? undefined : endedByNobody(excuses, end, visits.named(end.visit)))
    const after = Math.round(alive.began - end.ended)
    found.push({
      name: end.visit === visit.name ? 'alive-after-end' : 'alive-after-revocation',
      at: alive.ended,
      text: `${visit.name} was served as ${alive.seen?.user} ${after} ms after its end was acknowledged.`,
      visit: visit.name,
      operations: [end.id, alive.id],
      ...(excusedBy !== undefined && { excusedBy }),
    })
  }
  return worstOf(found)
}

/** Whose own session was forgotten ends nobody else's any more. */
function endedByNobody(excuses: Excuses, end: Operation, by: Visit | undefined): FaultMark | undefined {
  return excuses.forgot(by?.signIn?.began ?? 0, end.ended)
}

function loggedOut({ visits, excuses }: Case, name: string): Violation[] {
  const visit = visits.named(name)
  const signIn = visit?.signIn
  if (visit === undefined || signIn === undefined) return []
  // Where the sign-in's own answer was lost, it holds once an answer has shown it.
  const held = visit.operations.find((operation) => visits.isShown(visit, operation))
  if (held === undefined) return []
  const out = visit.operations.find(
    (operation) =>
      operation.began > held.ended &&
      operation.kind !== 'sign-out' &&
      operation.outcome === 'acknowledged' &&
      operation.seen !== undefined &&
      !visits.isShown(visit, operation) &&
      !visits.mayBeOver(visit, operation),
  )
  if (out === undefined) return []
  const latest = visits.lastShown(visit, out) ?? held
  // A sign-in that was not confirmed may be lost.
  const excusedBy = excuses.forgot(latest.began, out.ended, signIn.outcome === 'acknowledged' ? undefined : false)
  return [
    {
      name: 'logged-out',
      at: out.ended,
      text: `${name}: ${visit.user} is signed in, and ${Math.round(out.began - latest.ended)} ms later was served as ${out.seen?.user ?? 'nobody'}.`,
      visit: name,
      operations: [latest.id, out.id],
      ...(excusedBy !== undefined && { excusedBy }),
    },
  ]
}

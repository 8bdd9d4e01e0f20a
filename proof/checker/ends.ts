/** Ends are final, and nobody is logged out without one. */
import { grouped } from './grouped.ts'
import type { Operation, OperationOf } from '../history/history.ts'
import type { Case } from './check.ts'
import type { Violation } from './violations.ts'

export function ends(about: Case): Violation[] {
  const { visits, history } = about
  // By what it shows, and not by who asked: an old cookie may show another visit than the one that its browser is at.
  const byOwner = grouped(
    history.operations.filter(({ seen }) => seen !== undefined && seen.user !== null),
    ({ seen }) => seen?.owner,
  )
  return visits.all.flatMap((visit) => [
    ...aliveAfterEnd(about, visit.name, visits.ends(visit), byOwner.get(visit.name) ?? []),
    ...(visit.user === undefined ? [] : loggedOut(about, visit.name)),
  ])
}

/** One violation of a visit is enough to look at. */
function aliveAfterEnd(
  { excuses, history }: Case,
  visit: string,
  all: readonly OperationOf<'sign-out'>[],
  shown: readonly Operation[],
): Violation[] {
  const { staleness } = history.run.promises
  for (const end of all) {
    const alive = shown.find(({ began }) => began > end.ended + staleness)
    if (alive === undefined) continue
    const excusedBy = excuses.forgot(end.ended, alive.ended, end.durable !== false)
    const after = Math.round(alive.began - end.ended)
    return [
      {
        name: end.visit === visit ? 'alive-after-end' : 'alive-after-revocation',
        at: alive.ended,
        text: `${visit} was served as ${alive.seen?.user} ${after} ms after its end was acknowledged.`,
        operations: [end.id, alive.id],
        ...(excusedBy !== undefined && { excusedBy }),
      },
    ]
  }
  return []
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
  // A sign-in that was not confirmed may be lost.
  const excusedBy = excuses.forgot(held.began, out.ended, signIn.outcome === 'acknowledged')
  return [
    {
      name: 'logged-out',
      at: out.ended,
      text: `${name}: ${visit.user} is signed in, and ${Math.round(out.began - held.ended)} ms later was served as ${out.seen?.user ?? 'nobody'}.`,
      operations: [held.id, out.id],
      ...(excusedBy !== undefined && { excusedBy }),
    },
  ]
}

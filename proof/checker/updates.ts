/** Changes: none is lost, none counts twice, and who has the answer sees it. */
import type { Operation } from '../history/history.ts'
import type { Case } from './check.ts'
import type { Violation } from './violations.ts'
import type { Visit } from './visits.ts'

type Change = Extract<Operation, { kind: 'add' | 'count' | 'mark' }>

export function updates(about: Case): Violation[] {
  return about.visits.all.flatMap((visit) => {
    const changes = changesOf(visit)
    const shown = visit.operations.filter((operation) => about.visits.isShown(visit, operation))
    return [
      ...unseen(about, visit, changes, shown),
      ...doubled(visit, changes, shown),
      ...goingBack(about, visit, changes, shown),
    ]
  })
}

/** The visit's own, and what was put into the cart of the guest that it was. */
function changesOf({ operations, goesOn }: Visit): Change[] {
  const before = goesOn?.operations.filter(({ kind }) => kind === 'add') ?? []
  return [...before, ...operations].filter((operation): operation is Change =>
    ['add', 'count', 'mark'].includes(operation.kind),
  )
}

function unseen(
  { visits, excuses, history }: Case,
  visit: Visit,
  changes: readonly Change[],
  shown: readonly Operation[],
): Violation[] {
  const { staleness } = history.run.promises
  const unsure = unsureMarks(changes)
  const last = shown.at(-1)
  return changes.flatMap((change) => {
    if (change.outcome !== 'acknowledged' || !wasShownTo(visits, visit, change)) return []
    const due = visits.isSettled(change) ? change.ended : change.ended + staleness
    const missing = shown.find((operation) => operation.began > due && !shows(operation, change, changes, unsure))
    if (missing === undefined || last === undefined) return []
    const forever = !shows(last, change, changes, unsure)
    const excusedBy = excuses.forgot(change.ended, missing.ended)
    return [
      {
        name: forever ? ('lost-update' as const) : ('own-write-unseen' as const),
        at: missing.ended,
        text: `${visit.name}: ${nameOf(change)} was acknowledged, and ${forever ? 'is gone' : 'was not seen'} ${ms(missing.began - change.ended)} later.`,
        operations: [change.id, missing.id],
        ...(excusedBy !== undefined && { excusedBy }),
      },
    ]
  })
}

/** A change whose own answer shows another session was not this visit's: that it was over is judged elsewhere. */
function wasShownTo(visits: Case['visits'], visit: Visit, change: Change): boolean {
  if (change.kind === 'count') return visits.isShown(visit, change)
  const owner = visits.named(change.visit)
  return owner !== undefined && visits.isShown(owner, change)
}

function shows(
  { seen, began }: Operation,
  change: Change,
  changes: readonly Change[],
  unsure: ReadonlySet<number>,
): boolean {
  if (seen === undefined) return true
  if (change.kind === 'add') return seen.cart.includes(change.asked.item)
  if (change.kind === 'mark') return seen.mark >= change.asked.mark || unsure.has(seen.mark)
  const least = changes.filter(
    (one) => one.kind === 'count' && one.outcome === 'acknowledged' && one.ended <= change.ended,
  )
  return began <= change.ended || seen.count >= least.length
}

/** Those that may still be written, by a server that stood still with them: on the same place the later wins. */
function unsureMarks(changes: readonly Change[]): ReadonlySet<number> {
  return new Set(changes.flatMap((one) => (one.kind === 'mark' && one.outcome === 'unknown' ? [one.asked.mark] : [])))
}

function doubled(visit: Visit, changes: readonly Change[], shown: readonly Operation[]): Violation[] {
  const counts = changes.filter(({ kind, outcome }) => kind === 'count' && outcome !== 'refused')
  const first = shown.find(({ seen, ended }) => (seen?.count ?? 0) > counts.filter((one) => one.began < ended).length)
  if (first === undefined) return []
  const text = `${visit.name}: the counter is ${first.seen?.count} after ${counts.length} additions at most.`
  return [{ name: 'doubled-increment', at: first.ended, text, operations: [...counts.map(({ id }) => id), first.id] }]
}

/** One violation of a visit is enough to look at. */
function goingBack(
  { visits, excuses, history }: Case,
  visit: Visit,
  changes: readonly Change[],
  shown: readonly Operation[],
): Violation[] {
  const { staleness } = history.run.promises
  const unsure = unsureMarks(changes)
  for (const [at, later] of shown.entries()) {
    // Those before are few: a visit has some dozens of operations.
    const older = shown.slice(0, at).find((earlier) => {
      const due = visits.isSettled(earlier) ? earlier.ended : earlier.ended + staleness
      return later.began > due && isOlder(later, earlier, unsure)
    })
    if (older === undefined) continue
    // Others may be shown a change before replicas have confirmed it to its maker.
    const excusedBy = excuses.forgot(older.began, later.ended, false)
    return [
      {
        name: 'going-back',
        at: later.ended,
        text: `${visit.name}: what was shown is not shown any more ${ms(later.began - older.ended)} later.`,
        operations: [older.id, later.id],
        ...(excusedBy !== undefined && { excusedBy }),
      },
    ]
  }
  return []
}

function isOlder({ seen: later }: Operation, { seen: earlier }: Operation, unsure: ReadonlySet<number>): boolean {
  if (later === undefined || earlier === undefined) return false
  if (later.count < earlier.count || (later.mark < earlier.mark && !unsure.has(later.mark))) return true
  return later.cart.length < earlier.cart.length && earlier.cart.some((item) => !later.cart.includes(item))
}

function nameOf(change: Change): string {
  if (change.kind === 'add') return `item ${change.asked.item}`
  return change.kind === 'mark' ? `mark ${change.asked.mark}` : 'an addition to the counter'
}

function ms(milliseconds: number): string {
  return `${Math.round(milliseconds)} ms`
}

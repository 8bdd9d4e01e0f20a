/** Changes: none is lost, none counts twice, and who has the answer sees it. */
import type { Operation, Seen } from '../history/history.ts'
import type { Case } from './check.ts'
import { grouped } from './grouped.ts'
import { type Violation, worstOf } from './violations.ts'
import type { Visit } from './visits.ts'

type Change = Extract<Operation, { kind: 'add' | 'count' | 'mark' }>

/** How long a guest's new id that a server does not know is not taken for one that Redis has lost, in milliseconds. */
const BEHIND_MOST = 15_000

/** An answer that shows the visit's session. */
interface Shown {
  readonly operation: Operation
  readonly seen: Seen
  readonly cart: ReadonlySet<string>
}

/** What of a visit is looked at. */
interface Looked {
  readonly visit: Visit
  /** Additions to a session without an owner, which its browser took for this visit's then. */
  readonly adopted: readonly Operation[]
  /** The visit's own, and what was put into the cart of the guest that it was. */
  readonly changes: readonly Change[]
  readonly shown: readonly Shown[]
  /** Marks that may still be written, by a server that stood still with them: on the same place the later wins. */
  readonly unsure: ReadonlySet<number>
}

export function updates(about: Case): Violation[] {
  const ownerless = grouped(
    about.history.operations.filter((one) => one.kind === 'count' && (one.seen?.owner ?? null) === null),
    ({ browser }) => browser,
  )
  return about.visits.all.flatMap((visit) => {
    const counted = ownerless.get(visit.browser) ?? []
    const adopted = visit.user === undefined ? counted.filter((one) => one.visit !== visit.name) : []
    const changes = changesOf(visit)
    const shown = visit.operations.flatMap((operation) => {
      const { seen } = operation
      return seen !== undefined && about.visits.isShown(visit, operation)
        ? [{ operation, seen, cart: new Set(seen.cart) }]
        : []
    })
    const unsure = changes.flatMap((one) => (one.kind === 'mark' && one.outcome === 'unknown' ? [one.asked.mark] : []))
    const looked = { visit, adopted, changes, shown, unsure: new Set(unsure) }
    return [
      ...dropped(about, visit),
      ...unseen(about, looked),
      ...uncounted(about, looked),
      ...doubled(looked),
      ...goingBack(about, looked),
    ]
  })
}

function changesOf({ operations, goesOn }: Visit): Change[] {
  const before = goesOn?.operations.filter(({ kind }) => kind === 'add') ?? []
  return [...before, ...operations].filter(isChange)
}

function isChange(operation: Operation): operation is Change {
  return operation.kind === 'add' || operation.kind === 'count' || operation.kind === 'mark'
}

/**
 * What an answer says of itself: it was a success, and its request was without a session to store anything in. That is so for
 * who meets an end, or a sign-in, of which the browser had not heard. That the store has forgotten something is no excuse,
 * unless somebody came with an older cookie then, with which the forgotten session went on, or a guest's id is so young that
 * its server may ask a primary that was replaced.
 */
function dropped({ visits, excuses, history }: Case, visit: Visit): Violation[] {
  const [first] = visit.operations.filter(
    (one) =>
      isChange(one) &&
      one.outcome === 'acknowledged' &&
      one.seen?.handle === null &&
      !visits.mayBeOver(visit, one) &&
      !visits.mayBeSuperseded(one),
  )
  if (first === undefined) return []
  const text = `${visit.name}: ${first.kind} was acknowledged, and there was no session to keep it.`
  const [replay, named] = [visits.lastReplay(first), visits.lastNamed(first)]
  const isYoung =
    visit.user === undefined && first.began < (named?.ended ?? 0) + BEHIND_MOST && history.run.store !== 'lmdb'
  const excusedBy = excuses.forgot(
    named?.began ?? 0,
    isYoung ? first.began : (replay?.began ?? Number.NEGATIVE_INFINITY),
  )
  return [
    {
      name: 'lost-update',
      at: first.ended,
      text,
      visit: visit.name,
      operations: [first.id],
      ...(excusedBy !== undefined && { excusedBy }),
    },
  ]
}

/** Items and marks: each has a name of its own. */
function unseen({ visits, excuses }: Case, { visit, changes, shown, unsure }: Looked): Violation[] {
  return changes.flatMap((change) => {
    if (change.kind === 'count' || change.outcome !== 'acknowledged' || !wasShownTo(visits, visit, change)) return []
    const isMissing = ({ seen, cart }: Shown): boolean =>
      change.kind === 'add' ? !cart.has(change.asked.item) : seen.mark < change.asked.mark && !unsure.has(seen.mark)
    const known = visits.knownFrom(change)
    const missing = shown.find((one) => one.operation.began > known && isMissing(one))
    if (missing === undefined) return []
    const forever = shown.slice(-1).some(isMissing)
    const what = change.kind === 'add' ? `item ${change.asked.item}` : `mark ${change.asked.mark}`
    const { id, began, ended } = missing.operation
    const excusedBy = excuses.forgot(change.began, ended)
    return [
      {
        name: forever ? ('lost-update' as const) : ('own-write-unseen' as const),
        at: ended,
        text: `${visit.name}: ${what} was acknowledged, and ${forever ? 'is gone' : 'was not seen'} ${ms(began - change.ended)} later.`,
        visit: visit.name,
        operations: [change.id, id],
        ...(excusedBy !== undefined && { excusedBy }),
      },
    ]
  })
}

/**
 * A change whose own answer shows another session was not this visit's: that it was over is judged elsewhere. One that meets
 * an end is dropped, though its answer may show it.
 */
function wasShownTo(visits: Case['visits'], visit: Visit, change: Change): boolean {
  const owner = visits.named(change.visit)
  return owner !== undefined && visits.isShown(owner, change) && !visits.mayBeOver(visit, change)
}

/**
 * Additions have no names, so nobody can tell which one is lost: all that are known by then are the smallest part of the
 * history that shows it. They count from nothing, and from each answer of before they began: what was lost until then is
 * no excuse for those. One violation of a visit is enough to look at.
 */
function uncounted(about: Case, { visit, changes, shown }: Looked): Violation[] {
  const { visits } = about
  const counts = changes.filter(
    (one) => one.kind === 'count' && one.outcome === 'acknowledged' && visits.isShown(visit, one),
  )
  const missing = shown.flatMap((one) => {
    const known = counts.filter((count) => visits.knownFrom(count) < one.operation.began)
    const bases = shown.filter((base) => base.operation.ended < one.operation.began)
    return [undefined, ...bases].flatMap((base) => lessThanCounted(about, one, known, base))
  })
  const [worst] = worstOf(missing)
  const last = shown.at(-1)?.operation.id
  if (worst === undefined) return []
  const forever = missing.some(({ operations }) => operations.at(-1) === last)
  return [{ ...worst, name: forever ? 'lost-update' : 'own-write-unseen' }]
}

/** Whether an answer shows less than the answer `base`, or nothing, with what was added after it. */
function lessThanCounted(
  { excuses }: Case,
  { operation, seen }: Shown,
  known: readonly Change[],
  base: Shown | undefined,
): Violation[] {
  const added = base === undefined ? known : known.filter(({ began }) => began > base.operation.ended)
  const [first] = added
  const before = base?.seen.count ?? 0
  if (first === undefined || seen.count >= before + added.length) return []
  // Others may be shown a change before replicas have confirmed it to its maker.
  const excusedBy =
    base === undefined
      ? excuses.forgot(first.began, operation.ended)
      : excuses.forgot(base.operation.began, operation.ended, false)
  return [
    {
      name: 'own-write-unseen',
      at: operation.ended,
      text: `${operation.visit}: the counter is ${seen.count} after ${base === undefined ? '' : `it was ${before}, and `}${added.length} acknowledged additions.`,
      visit: operation.visit,
      operations: [...(base === undefined ? [] : [base.operation.id]), ...added.map(({ id }) => id), operation.id],
      ...(excusedBy !== undefined && { excusedBy }),
    },
  ]
}

/** A guest whose session was lost may have counted in the next one before anything named its owner. */
function doubled({ visit, adopted, changes, shown }: Looked): Violation[] {
  const counts = [...adopted, ...changes].filter(({ kind, outcome }) => kind === 'count' && outcome !== 'refused')
  const begunBy = ({ operation }: Shown): Operation[] => counts.filter(({ began }) => began < operation.ended)
  const first = shown.find((one) => one.seen.count > begunBy(one).length)
  if (first === undefined) return []
  const begun = begunBy(first)
  const text = `${visit.name}: the counter is ${first.seen.count} after ${begun.length} additions at most.`
  const operations = [...new Set([...begun.map(({ id }) => id), first.operation.id])]
  return [{ name: 'doubled-increment', at: first.operation.ended, text, visit: visit.name, operations }]
}

/** One violation of a visit is enough to look at: one that nothing excuses, where there is one. */
function goingBack({ visits, excuses }: Case, { visit, shown, unsure }: Looked): Violation[] {
  const known = shown
    .filter(({ operation }) => !visits.mayBeOver(visit, operation))
    .toSorted((left, right) => visits.knownFrom(left.operation) - visits.knownFrom(right.operation))
  const newest = new Newest()
  let next = 0
  const found: Violation[] = []
  for (const later of shown) {
    for (let one = known[next]; one && visits.knownFrom(one.operation) < later.operation.began; one = known[++next])
      newest.take(one)
    const older = newest.than(later, unsure)?.operation
    if (older === undefined) continue
    const { id, began, ended } = later.operation
    // Others may be shown a change before replicas have confirmed it to its maker.
    const excusedBy = excuses.forgot(older.began, ended, false)
    found.push({
      name: 'going-back',
      at: ended,
      text: `${visit.name}: what was shown is not shown any more ${ms(began - older.ended)} later.`,
      visit: visit.name,
      operations: [older.id, id],
      ...(excusedBy !== undefined && { excusedBy }),
    })
  }
  return worstOf(found)
}

/** The newest that a browser was shown, part by part, each with the last answer that had it. */
class Newest {
  #count: Shown | undefined
  #mark: Shown | undefined
  readonly #items = new Map<string, Shown>()

  take(one: Shown): void {
    if (one.seen.count >= (this.#count?.seen.count ?? 0)) this.#count = one
    if (one.seen.mark >= (this.#mark?.seen.mark ?? 0)) this.#mark = one
    for (const item of one.cart) this.#items.set(item, one)
  }

  /** An answer that shows more than this one. */
  than({ seen, cart }: Shown, unsure: ReadonlySet<number>): Shown | undefined {
    if (this.#count !== undefined && seen.count < this.#count.seen.count) return this.#count
    if (this.#mark !== undefined && seen.mark < this.#mark.seen.mark && !unsure.has(seen.mark)) return this.#mark
    for (const [item, one] of this.#items) if (!cart.has(item)) return one
    return undefined
  }
}

function ms(milliseconds: number): string {
  return `${Math.round(milliseconds)} ms`
}

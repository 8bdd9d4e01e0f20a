/** Who is shown what, and by which cookies. */
import type { Operation, OperationOf } from '../history/history.ts'
import type { Case } from './check.ts'
import type { Violation } from './violations.ts'
import type { Visit } from './visits.ts'

/** What a machine under load may add to the end of a grace, in milliseconds. */
const LATE = 500

export function identities(about: Case): Violation[] {
  return [...others(about), ...shared(about), ...replays(about)]
}

function others({ history, visits }: Case): Violation[] {
  const users = new Map<string, Set<string>>()
  for (const { browser, user } of visits.all)
    if (user !== undefined) users.set(browser, (users.get(browser) ?? new Set()).add(user))
  return history.operations.flatMap((operation) => {
    const { browser, seen, id, ended } = operation
    if (seen === undefined) return []
    const user = visits.named(seen.owner ?? '')?.user
    const foreign =
      (seen.owner !== null && browserOf(seen.owner) !== browser) ||
      seen.cart.some((item) => item.split('.', 1)[0] !== browser) ||
      (seen.user !== null &&
        ((user !== undefined && seen.user !== user) || users.get(browser)?.has(seen.user) !== true))
    if (!foreign) return []
    const text = `${browser} was shown the session of ${seen.user ?? 'a guest'}, ${seen.owner}, with ${seen.cart.join(', ')}.`
    return [{ name: 'another-visitor' as const, at: ended, text, visit: operation.visit, operations: [id] }]
  })
}

/** A handle is made of the visit's key and of how often it was signed in: a store that forgot a sign-in gives it again. */
function shared({ history, excuses }: Case): Violation[] {
  const owners = new Map<string, Operation>()
  const told = new Set<string>()
  return history.operations.flatMap((operation) => {
    const { handle, owner } = operation.seen ?? {}
    if (typeof handle !== 'string' || typeof owner !== 'string') return []
    const first = owners.get(handle) ?? operation
    owners.set(handle, first)
    const own = first.browser === operation.browser
    // A guest's session goes on when a sign-in did not come about.
    if (own && (first.seen?.user === null || operation.seen?.user === null)) return []
    if (first.seen?.owner === owner || told.has(handle)) return []
    const text = `${handle} is the session of ${first.seen?.owner} and of ${owner}.`
    const excusedBy = own ? excuses.forgot(first.began, operation.ended) : undefined
    const as = excusedBy === undefined ? handle : `${handle} excused`
    if (told.has(as)) return []
    told.add(as)
    const operations = [first.id, operation.id]
    return [
      {
        name: 'shared-session' as const,
        at: operation.ended,
        text,
        visit: owner,
        operations,
        ...(excusedBy !== undefined && { excusedBy }),
      },
    ]
  })
}

function replays(about: Case): Violation[] {
  const { history, visits } = about
  return history.operations.flatMap((operation) => {
    if (operation.kind !== 'replay' || operation.outcome !== 'acknowledged') return []
    const of = history.operations[operation.asked.of]
    const visit = visits.named(of?.visit ?? '')
    if (of === undefined || visit === undefined) return []
    if (operation.asked.because === 'signed in') return afterSignIn(about, operation, of, visit)
    // A renewal that found no session renewed none.
    if (operation.asked.because === 'ended' || !visits.isShown(visit, of)) return []
    return afterRenewal(about, operation, of, visit)
  })
}

/**
 * That another visit of the browser's, over by now, is not served is judged by its end. A primary that was replaced and is
 * still asked by one of the servers knows nothing of a sign-in at the new one.
 */
function afterSignIn(
  { visits, excuses, history }: Case,
  replay: OperationOf<'replay'>,
  signIn: Operation,
  { name }: Visit,
): Violation[] {
  const { seen } = replay
  const before = visits.named(seen?.owner ?? '')
  const isKept =
    typeof seen?.user === 'string' &&
    replay.began > signIn.ended + history.run.promises.staleness &&
    !(before !== undefined && visits.mayBeOver(before, replay))
  if (seen === undefined || (seen.owner !== name && !isKept)) return []
  const excusedBy = excuses.forgot(signIn.began, replay.ended)
  const text = `${name}: the guest’s id of before the sign-in was served as ${seen.user ?? 'the same visit'}.`
  const operations = [signIn.id, replay.id]
  return [
    {
      name: 'old-id-accepted',
      at: replay.ended,
      text,
      visit: name,
      operations,
      ...(excusedBy !== undefined && { excusedBy }),
    },
  ]
}

function afterRenewal(
  { visits, excuses, history }: Case,
  replay: OperationOf<'replay'>,
  renewal: Operation,
  visit: Visit,
): Violation[] {
  const { grace, staleness } = history.run.promises
  const served = visits.isShown(visit, replay)
  const presented = visit.operations.find(({ began }) => began > renewal.ended)?.ended ?? Number.POSITIVE_INFINITY
  // The grace begins with a write, which a store that fails puts off.
  const begun = !excuses.excusesError({ began: renewal.ended, ended: replay.began })
  if (served && begun && replay.began > presented + grace + staleness + LATE) {
    const text = `${visit.name}: an id was served ${Math.round(replay.began - presented)} ms after the one in its place was presented.`
    return [{ name: 'old-id-accepted', at: replay.ended, text, visit: visit.name, operations: [renewal.id, replay.id] }]
  }
  if (served || replay.ended > renewal.ended + grace || visits.mayBeOver(visit, replay)) return []
  const excusedBy = excuses.forgot(renewal.began, replay.ended)
  const text = `${visit.name}: the id of before was refused ${Math.round(replay.began - renewal.ended)} ms after its renewal.`
  const operations = [renewal.id, replay.id]
  return [
    {
      name: 'renewed-id-refused',
      at: replay.ended,
      text,
      visit: visit.name,
      operations,
      ...(excusedBy !== undefined && { excusedBy }),
    },
  ]
}

/** Visits are called after their browsers. */
function browserOf(visit: string): string {
  return visit.split('-', 1)[0] ?? ''
}

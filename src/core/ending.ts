/** Ends the visit that a request speaks for, and no other: not the one that somebody else has signed in to meanwhile. */
import { EndPendingError, LimitError, StoreUnavailableError } from '../errors.ts'
import * as channels from '../telemetry/channels.ts'
import { standingOf } from './commits.ts'
import type { GenuineId } from './cookie.ts'
import type { PendingEnd } from './ends.ts'
import { absoluteDeadline } from './expiry.ts'
import type { Holding } from './identity.ts'
import { endedMarker, versionOf } from './record.ts'
import type { Services } from './services.ts'
import { handleOf } from './session-id.ts'
import type { Durable, Selector } from './store.ts'
import { standingOf as standingOfId } from './succession.ts'

const ATTEMPTS_MOST = 100
const NOTHING_WRITTEN: Durable = { durable: true }

/** An end as its maker asks for it. */
type End<Answer> = Omit<PendingEnd, 'write'> & { readonly write: () => Promise<Answer> }

/**
 * Writes an end. Where the store fails it is kept and written later, and until then nobody is served the session here.
 * Throws `EndPendingError` then, or `LimitError` where too many are kept already.
 */
export async function endOrKeep<Answer>(
  { ends, settings, watchers }: Services,
  reason: EndPendingError['reason'],
  end: End<Answer>,
): Promise<Answer> {
  try {
    const answer = await end.write()
    ends.settled(end)
    return answer
  } catch (error) {
    if (!(error instanceof StoreUnavailableError)) throw error
    const details = { handle: end.handle, cause: error }
    if (!ends.keep(end))
      throw new LimitError(
        'ends',
        `The store did not take the end of a session, and ${settings.limits.ends} are kept already (limits.ends): the session may live on. End it again.`,
        details,
      )
    watchers.ended(end.selector)
    throw new EndPendingError(
      reason,
      'The store did not take the end of a session. Nobody is served the session by this process any more, and the end is written when the store is back; until then other servers may serve it.',
      details,
    )
  }
}

/** The end of what a request holds, by its visitor. */
export function endOfHolding(services: Services, holding: Holding): End<Durable> {
  const { id, record } = holding
  return {
    selector: id.selector,
    handle: handleOf(id.selector, record.epoch),
    userId: record.userId ?? null,
    until: absoluteDeadline(record, services.settings.timers),
    write: () => endVisit(services, holding),
  }
}

/**
 * The ends of what ids lead to that could not be looked up, by who presented them: one for each visit. Whether any of the
 * ids had a right to it is seen when its end is written: a browser may still have its guest's id beside the one in its place.
 */
export function endsOfPresented(services: Services, ids: readonly GenuineId[]): End<Durable>[] {
  const selectors = [...new Set(ids.map(({ selector }) => selector))]
  return selectors.map((selector) =>
    endOfPresented(
      services,
      selector,
      ids.filter((id) => id.selector === selector),
    ),
  )
}

function endOfPresented(services: Services, selector: Selector, ids: readonly GenuineId[]): End<Durable> {
  const asked = services.clock.now()
  return {
    selector,
    handle: undefined,
    until: Math.max(...ids.map(({ mintedAt }) => mintedAt)) + services.settings.timers.absolute,
    write: async () => {
      const standing = standingOf(await services.store.load(selector))
      if (!('record' in standing)) return NOTHING_WRITTEN
      const { record, bytes } = standing
      const id = ids.find(({ hash }) => ['current', 'previous'].includes(standingOfId(record, hash, asked)))
      return id === undefined ? NOTHING_WRITTEN : endVisit(services, { id, record, bytes })
    },
  }
}

/** Takes a visit that is over out of its user's index; with `until`, only what was entered by then. If that fails, the index forgets the entry by itself. */
export async function withdraw({ store }: Services, userId: string, selector: Selector, until?: number): Promise<void> {
  try {
    await store.withdraw(userId, selector, until)
  } catch (error) {
    if (!(error instanceof StoreUnavailableError)) throw error
  }
}

/** Puts the marker in the place of the newest version. Nothing to end is done already. */
async function endVisit(services: Services, { id, record, bytes }: Holding): Promise<Durable> {
  const { store, settings, watchers } = services
  const { selector } = id
  const marker = endedMarker('signed-out')
  let expected = bytes
  for (let attempt = 0; attempt < ATTEMPTS_MOST; attempt++) {
    const swap = await store.end(selector, marker, settings.maxRequestTime, { version: versionOf(expected) })
    const standing = swap.done ? undefined : standingOf(swap.found)
    if (standing !== undefined && 'record' in standing) {
      // The same user's session after a rise in privilege is still this visit; a guest's that was signed in to is not.
      const same = record.userId !== undefined && standing.record.userId === record.userId
      if (standing.record.epoch !== record.epoch && !same) return NOTHING_WRITTEN
      expected = standing.bytes
      continue
    }
    if (record.userId !== undefined) await withdraw(services, record.userId, selector)
    watchers.ended(selector)
    channels.lifecycle.publish({ handle: handleOf(selector, record.epoch), what: 'signed-out' })
    return { durable: !swap.done || swap.durable }
  }
  throw new StoreUnavailableError('A session changed faster than it could be ended. It may live on: sign out again.')
}

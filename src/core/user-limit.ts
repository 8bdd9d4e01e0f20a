/**
 * Keeps the live sessions of a user within `maxPerUser`, while sign-ins go on at the same time on any number of servers.
 *
 * All servers see the sign-ins of a user in one order: that in which they were entered in the index. `'end-oldest'` counts
 * once the session is stored. Whoever counts last of several sees them all, and as all end by the same order, the newest
 * ones stay. `'refuse'` counts before anything is stored: what is live, and what was entered before and may be on its way.
 * Of several who are on their way each counts those before, so none too many come in, and those who do are the first.
 */
import { LimitError, StoreUnavailableError } from '../errors.ts'
import * as channels from '../telemetry/channels.ts'
import { standingOf } from './commits.ts'
import { withdraw } from './ending.ts'
import { endMeant } from './judged-end.ts'
import { rosterOf, type LiveEntry, type Roster } from './roster.ts'
import type { Services } from './services.ts'
import { handleOf } from './session-id.ts'
import type { Selector } from './store.ts'

export interface UserLimit {
  readonly most: number
  /** What a sign-in beyond it does. */
  readonly beyond: 'end-oldest' | 'refuse'
}

/** A sign-in in its user's index. `since`: when it was entered, by the store's clock. */
export interface SignInEntry {
  readonly user: string
  readonly selector: Selector
  readonly since: number
}

/** So many of the store's deadlines a sign-in takes at most, from its entry until it is stored. One that took longer counts again. */
const DEADLINES_MOST = 10

/** How long an entry without a session counts as one that is on its way, in milliseconds. */
function entryTime({ settings }: Services): number {
  return settings.storeDeadline * DEADLINES_MOST
}

/** Whether a sign-in that began then, by the monotonic clock, may have been taken for one that was given up. */
export function wasSlow(services: Services, begun: number): boolean {
  return performance.now() - begun >= entryTime(services) / 2
}

/** Whether there is room for one more who was entered then. */
export async function hasRoom(services: Services, entry: SignInEntry, { most }: UserLimit): Promise<boolean> {
  const roster = await rosterOf(services, entry.user)
  return othersOf(roster, entry, entryTime(services)) < most
}

function othersOf({ live, entering }: Roster, { selector, since }: SignInEntry, most: number): number {
  const before = entering.filter((other) => other.selector !== selector && other.since < since && other.age <= most)
  return live.filter((other) => other.selector !== selector).length + before.length
}

/** The error for who is refused. */
export function refusal({ most }: UserLimit): LimitError {
  return new LimitError(
    'maxPerUser',
    `The user has ${most} live sessions already, which is all that maxPerUser allows. Nobody was signed in: end one of them first.`,
  )
}

/**
 * Takes back the entry of a sign-in that came to nothing. It stays where the visit is this user's by now: then it is that
 * of another request of the same visit. One that is still on its way enters the visit again once it is stored.
 */
export async function retract(services: Services, { user, selector, since }: SignInEntry): Promise<void> {
  try {
    const standing = standingOf(await services.store.load(selector))
    if (!('record' in standing) || standing.record.userId !== user) await withdraw(services, user, selector, since)
  } catch (error) {
    if (!(error instanceof StoreUnavailableError)) throw error
  }
}

/** Whether the index has this very entry: not none, nor that of another request of the same visit. */
export async function isEntered({ store }: Services, { user, selector, since }: SignInEntry): Promise<boolean> {
  const { entries, now } = await store.roll(user)
  return entries.some((entry) => entry.selector === selector && now - entry.age === since)
}

/** A session as it was signed in to. */
export interface SignedIn {
  readonly user: string
  readonly selector: Selector
  readonly signedInAt: number
}

/**
 * Ends the oldest sessions beyond the limit. Answers whether this one stays, which it does unless so many newer ones came at
 * the same time. Who has signed in to one of the visits again meanwhile is newer than was thought, and counts for itself.
 */
export async function endOldest(
  services: Services,
  { user, selector }: SignedIn,
  { most }: UserLimit,
): Promise<boolean> {
  const { live } = await rosterOf(services, user)
  const order = live.toSorted(bySignIn)
  const oldest = order.slice(0, Math.max(0, order.length - most))
  await Promise.all(
    oldest.map((entry) =>
      endOf(services, { user, selector: entry.selector, signedInAt: entry.record.signedInAt ?? 0 }, 'maxPerUser'),
    ),
  )
  return order.slice(oldest.length).some((entry) => entry.selector === selector)
}

function bySignIn(left: LiveEntry, right: LiveEntry): number {
  const apart = (left.record.signedInAt ?? 0) - (right.record.signedInAt ?? 0)
  return apart === 0 ? (left.selector < right.selector ? -1 : 1) : apart
}

/** Ends the session, unless somebody has signed in to its visit since. */
export async function endOf(
  services: Services,
  { user, selector, signedInAt }: SignedIn,
  why?: 'maxPerUser',
): Promise<void> {
  const { store, settings, watchers } = services
  let epoch = 0
  const ended = await endMeant(store, {
    selector,
    user,
    reason: 'revoked',
    markerTime: settings.maxRequestTime,
    means: (record) => {
      epoch = record.epoch
      return record.signedInAt === signedInAt
    },
  })
  if (ended === undefined) return
  watchers.ended(selector)
  channels.lifecycle.publish({ handle: handleOf(selector, epoch), what: 'revoked', why })
  await withdraw(services, user, selector)
}

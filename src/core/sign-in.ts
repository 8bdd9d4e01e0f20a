/** Signs a user in to a visit: enters the visit in the user's index, then the user in the visit, and looks whether a revocation came in between. */
import { CommitUnknownError, LimitError, OptionsError, StoreUnavailableError } from '../errors.ts'
import * as channels from '../telemetry/channels.ts'
import { carriedData, type Carry } from './carried-data.ts'
import { withdraw } from './ending.ts'
import { isBarred } from './expiry.ts'
import type { Holding } from './identity.ts'
import type { LiveRecord } from './live-record.ts'
import type { Services } from './services.ts'
import { freshVerifier } from './session-id.ts'
import type { SessionWork, Written } from './session-work.ts'
import type { Selector } from './store.ts'
import { raised } from './succession.ts'
import {
  endOf,
  endOldest,
  hasRoom,
  isEntered,
  refusal,
  retract,
  wasSlow,
  type SignInEntry,
  type UserLimit,
} from './user-limit.ts'

/** Signs in, where the visit was lost meanwhile on a new one. Throws `UnconfirmedError` where the sign-in is stored and not confirmed. */
export async function signIn<Data extends object>(
  work: SessionWork<Data>,
  services: Services,
  userId: string,
  carry: Carry,
): Promise<void> {
  check(work, services, userId)
  const { identity } = work
  const before = identity.holding
  // Whose the loaded data are, also where the session was lost on the way.
  const other = identity.owner
  const carried = other === undefined || other === userId ? carry : 'drop'
  const entry = other === undefined || other === userId ? undefined : await entryOf(services, other, before)
  let written = identity.detached ? undefined : await enter(work, services, userId, carried)
  if (written === undefined) {
    identity.startOver()
    // What was ended stays ended, its data too.
    const kept = work.endedBy === 'revoked' || work.endedBy === 'signed-out' ? 'drop' : carried
    written = await enter(work, services, userId, kept)
    if (written === undefined) throw work.over()
  }
  // Only where this request took the visit over, and only the entry from before: its user may have come back to it.
  if (entry !== undefined && other !== undefined && identity.holding?.id.selector === entry.selector)
    await withdraw(services, other, entry.selector, entry.since)
  channels.lifecycle.publish({ handle: identity.handle, what: 'signed-in' })
  work.acknowledge(written)
}

/** The entry of a visit in its user's index. */
async function entryOf(
  { store }: Services,
  userId: string,
  holding: Holding | undefined,
): Promise<{ readonly selector: Selector; readonly since: number } | undefined> {
  if (holding === undefined) return undefined
  const { entries, now } = await store.roll(userId)
  const entry = entries.find(({ selector }) => selector === holding.id.selector)
  return entry === undefined ? undefined : { selector: entry.selector, since: now - entry.age }
}

/** One attempt to sign in to one visit. */
interface Attempt extends SignInEntry {
  readonly signedInAt: number
  /** When it began, by the monotonic clock. */
  readonly begun: number
  /** What may refuse it. Who signs in again in a session of their own has a place already. */
  readonly refuser: UserLimit | undefined
}

/** `undefined`: the visit is over, or another's. */
async function enter<Data extends object>(
  work: SessionWork<Data>,
  services: Services,
  userId: string,
  carry: Carry,
): Promise<Written | undefined> {
  const attempt = await announce(work, services, userId)
  const { refuser } = attempt
  if (refuser !== undefined && !(await hasRoom(services, attempt, refuser))) {
    await retract(services, attempt)
    throw refusal(refuser)
  }
  const written = await fill(work, services, attempt, carry)
  const selector = work.identity.holding?.id.selector
  if (written.outcome === 'gone' || selector === undefined) {
    // Where nobody is refused the entry is left alone: it may be that of the same user's other request, which went through.
    if (refuser !== undefined) await retract(services, attempt)
    return undefined
  }
  let stands: 'live' | 'revoked' | 'refused'
  try {
    stands = await confirm(services, attempt, selector)
  } catch (error) {
    // Nobody has looked whether the user was revoked meanwhile: this answer takes no id along.
    work.identity.lose()
    throw error
  }
  if (stands === 'live') return written
  work.lose('revoked')
  throw stands === 'refused' && refuser !== undefined ? refusal(refuser) : work.over()
}

/** Enters the visit in the user's index. */
async function announce<Data extends object>(
  { identity }: SessionWork<Data>,
  { store, settings, heartbeat }: Services,
  user: string,
): Promise<Attempt> {
  const begun = performance.now()
  const { holding } = identity
  const { selector } = holding?.id ?? identity.visitor().id
  const { notBefore, now: since } = await store.enroll(user, selector, settings.rollTime)
  const signedInAt = Math.max(Math.floor(since), notBefore + 1, heartbeat.epoch + 1)
  const again = holding?.record.userId === user && !isBarred(holding.record, notBefore)
  const limit = settings.maxPerUser
  const refuser = limit?.beyond === 'refuse' && !again ? limit : undefined
  return { user, selector, since, signedInAt, begun, refuser }
}

/** Enters the user in the visit. */
async function fill<Data extends object>(
  work: SessionWork<Data>,
  services: Services,
  attempt: Attempt,
  carry: Carry,
): Promise<Written> {
  const { user, signedInAt } = attempt
  const fresh = freshVerifier(services.random)
  const entered = (record: LiveRecord): LiveRecord => {
    const createdAt = Math.min(record.createdAt, signedInAt)
    // Of a visit that was not stored yet no id has been shown: its first one is as old as the visit.
    const idMintedAt = record.counter === 0 ? createdAt : record.idMintedAt
    return { ...record, userId: user, createdAt, idMintedAt, signedInAt, sparedAt: undefined }
  }
  try {
    return await work.write(carriedData(work.data, carry), (record, now) => raised(entered(record), fresh, now), {
      fresh,
    })
  } catch (error) {
    const unknown = error instanceof CommitUnknownError || error instanceof StoreUnavailableError
    if (attempt.refuser !== undefined && !unknown) await retract(services, attempt)
    throw error
  }
}

/** Looks whether the user was revoked, or others signed in, before the session was stored; and ends it, or others, where that is so. */
async function confirm(
  services: Services,
  attempt: Attempt,
  selector: Selector,
): Promise<'live' | 'revoked' | 'refused'> {
  const { settings } = services
  const { user, signedInAt, refuser } = attempt
  const stored = { user, selector, signedInAt }
  // Others may have counted without this one, where its entry was not there for them to see all the time.
  const unseen =
    refuser !== undefined &&
    (wasSlow(services, attempt.begun) || !(await isEntered(services, { ...attempt, selector })))
  const { notBefore, now } = await services.store.enroll(user, selector, settings.rollTime)
  if (notBefore >= signedInAt) {
    await endOf(services, stored)
    return 'revoked'
  }
  if (settings.maxPerUser?.beyond === 'end-oldest')
    return (await endOldest(services, stored, settings.maxPerUser)) ? 'live' : 'revoked'
  if (!unseen || (await hasRoom(services, { user, selector, since: now }, refuser))) return 'live'
  await endOf(services, stored)
  return 'refused'
}

function check<Data extends object>(work: SessionWork<Data>, { settings }: Services, userId: string): void {
  if (work.headGone) throw work.tooLate('signIn()')
  const most = settings.limits.userId
  // The index of a visitor's open cycles begins with the sign that no user id does.
  if (typeof userId !== 'string' || userId === '' || userId.startsWith('\0'))
    throw new OptionsError('userId', 'signIn(userId) needs a user id: a string that is not empty, nor begins with NUL.')
  if (Buffer.byteLength(userId) > most)
    throw new LimitError('userId', `The user id has ${Buffer.byteLength(userId)} bytes; limits.userId allows ${most}.`)
  work.unproven?.()
}

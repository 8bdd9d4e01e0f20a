/** Signs a user in to a visit: enters the visit in the user's index, then the user in the visit, and looks whether a revocation came in between. */
import { LimitError, OptionsError } from '../errors.ts'
import * as channels from '../telemetry/channels.ts'
import { carriedData, type Carry } from './carried-data.ts'
import { withdraw } from './ending.ts'
import type { Holding } from './identity.ts'
import { endMeant } from './judged-end.ts'
import type { Services } from './services.ts'
import { freshVerifier } from './session-id.ts'
import type { SessionWork, Written } from './session-work.ts'
import type { Selector } from './store.ts'
import { raised } from './succession.ts'

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

/** `undefined`: the visit is over, or another's. */
async function enter<Data extends object>(
  work: SessionWork<Data>,
  services: Services,
  userId: string,
  carry: Carry,
): Promise<Written | undefined> {
  const { store, settings, random, heartbeat } = services
  const { identity } = work
  const lifetime = settings.timers.absolute + settings.maxRequestTime
  const selector = (identity.holding?.id ?? identity.visitor().id).selector
  const { notBefore, now: storeNow } = await store.enroll(userId, selector, lifetime)
  const signedInAt = Math.max(Math.floor(storeNow), notBefore + 1, heartbeat.epoch + 1)
  const verifier = freshVerifier(random)
  const written = await work.write(
    carriedData(work.data, carry),
    (record, now) =>
      raised(
        { ...record, userId, createdAt: Math.min(record.createdAt, signedInAt), signedInAt, sparedAt: undefined },
        verifier,
        now,
      ),
    { fresh: verifier },
  )
  // An entry that leads nowhere is left alone: it may be that of the same user's other request, which went through.
  const entered = identity.holding?.id.selector
  if (written.outcome === 'gone' || entered === undefined) return undefined
  try {
    const after = await store.enroll(userId, entered, lifetime)
    if (after.notBefore < signedInAt) return written
    await endMeant(store, {
      selector: entered,
      user: userId,
      reason: 'revoked',
      markerTime: settings.maxRequestTime,
      means: (record) => record.signedInAt === signedInAt,
    })
  } catch (error) {
    // Nobody has looked whether the user was revoked meanwhile: this answer takes no id along.
    identity.lose()
    throw error
  }
  work.lose('revoked')
  throw work.over()
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

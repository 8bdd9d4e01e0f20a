/** What a user's index leads to: live sessions, and sign-ins that may be under way. */
import { standingOf, type Standing } from './commits.ts'
import { withdraw } from './ending.ts'
import { isBarred } from './expiry.ts'
import type { LiveRecord } from './live-record.ts'
import { overBy } from './resolution.ts'
import type { Services } from './services.ts'
import { handleOf } from './session-id.ts'
import type { Enrolment, RecordBytes, Selector } from './store.ts'

/** A live session of the user. */
export interface LiveEntry {
  readonly selector: Selector
  readonly record: LiveRecord
  readonly bytes: RecordBytes
  readonly handle: string
}

/** An entry that leads to no session of the user (yet). `since`: when it was entered, by the store's clock. */
export interface Entering {
  readonly selector: Selector
  readonly since: number
  readonly age: number
}

export interface Roster {
  readonly live: readonly LiveEntry[]
  readonly entering: readonly Entering[]
}

/** Reads it. An entry that leads nowhere is dropped, once no write that is still under way can make it lead anywhere. */
export async function rosterOf(services: Services, userId: string): Promise<Roster> {
  const { store, settings, ends } = services
  const { entries, notBefore, now } = await store.roll(userId)
  const live: LiveEntry[] = []
  const entering: Entering[] = []
  const look = async ({ selector, age }: Enrolment): Promise<void> => {
    const standing = standingOf(await store.load(selector))
    const stands = standsOf(services, standing, userId, notBefore)
    const since = now - age
    if (stands === 'live' && 'record' in standing) {
      const { record, bytes } = standing
      live.push({ selector, record, bytes, handle: handleOf(selector, record.epoch) })
    } else if (age > settings.maxRequestTime && stands !== 'unreadable') {
      // Only what was read: a sign-in may have entered the visit again meanwhile.
      await withdraw(services, userId, selector, since)
    } else if (stands === 'open' && since > notBefore) {
      // A sign-in that was entered before its user was revoked comes to nothing.
      entering.push({ selector, since, age })
    }
  }
  await Promise.all(entries.filter(({ selector }) => !ends.isPending(selector)).map(look))
  return { live, entering }
}

/** Whether a session of the user stands there, or something that somebody may be signing in to, which a marker is not, nor what is over. */
function standsOf(
  services: Services,
  standing: Standing,
  userId: string,
  notBefore: number,
): 'live' | 'open' | 'over' | 'unreadable' {
  if ('gone' in standing) {
    if (standing.gone === 'unreadable') return 'unreadable'
    return standing.gone === 'absent' ? 'open' : 'over'
  }
  const { record } = standing
  if (overBy(services, record, services.clock.now()) !== undefined) return 'over'
  return record.userId === userId && !isBarred(record, notBefore) ? 'live' : 'open'
}

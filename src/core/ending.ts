/** Ends the visit that a request holds, and no other: not the one that somebody else has signed in to meanwhile. */
import { StoreUnavailableError } from '../errors.ts'
import { standingOf } from './commits.ts'
import type { Holding } from './identity.ts'
import { endedMarker, versionOf } from './record.ts'
import type { Services } from './services.ts'

const ATTEMPTS_MOST = 100

/** Puts the marker in the place of the newest version. Nothing to end is done already. Answers whether the visit is over. */
export async function endVisit({ store, settings }: Services, { id, record, bytes }: Holding): Promise<boolean> {
  const marker = endedMarker('signed-out')
  let expected = bytes
  for (let attempt = 0; attempt < ATTEMPTS_MOST; attempt++) {
    const swap = await store.end(id.selector, marker, settings.maxRequestTime, { version: versionOf(expected) })
    if (swap.done) return true
    const standing = standingOf(swap.found)
    if (!('record' in standing)) return true
    // The same user's session after a rise in privilege is still this visit; a guest's that was signed in to is not.
    const same = record.userId !== undefined && standing.record.userId === record.userId
    if (standing.record.epoch !== record.epoch && !same) return false
    expected = standing.bytes
  }
  throw new StoreUnavailableError('A session changed faster than it could be ended. It may live on: sign out again.')
}

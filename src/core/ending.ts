/** Ends the visit that a request holds, and no other: not the one that somebody has signed in to meanwhile. */
import { standingOf } from './commits.ts'
import type { Holding } from './identity.ts'
import { endedMarker, versionOf } from './record.ts'
import type { Services } from './services.ts'

/** Puts the marker in the place of the newest version. Nothing to end is done already. */
export async function endVisit({ store, settings }: Services, { id, record, bytes }: Holding): Promise<void> {
  const marker = endedMarker('signed-out')
  let expected = bytes
  for (;;) {
    const swap = await store.end(id.selector, marker, settings.maxRequestTime, { version: versionOf(expected) })
    if (swap.done) return
    const standing = standingOf(swap.found)
    if (!('record' in standing) || standing.record.epoch !== record.epoch) return
    expected = standing.bytes
  }
}

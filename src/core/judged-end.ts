/** Ends what stands under a selector as long as it is what its ender means, which is judged by the newest record and not by one that was read before. */
import { StoreUnavailableError, type EndReason } from '../errors.ts'
import { standingOf } from './commits.ts'
import type { LiveRecord } from './live-record.ts'
import { endedMarker, isEnded, userOf, versionOf, VERSION_LENGTH } from './record.ts'
import { handleOf } from './session-id.ts'
import type { Durable, RecordBytes, Selector, Store } from './store.ts'

const ATTEMPTS_MOST = 100
/** No record has it: what ends only this version ends nothing but an absence. */
const NO_VERSION = new Uint8Array(VERSION_LENGTH)

/** What is to be ended. */
export interface Meant {
  readonly selector: Selector
  readonly user: string
  readonly reason: EndReason
  /** Milliseconds that the marker lasts. */
  readonly markerTime: number
  /** Whether this record of the user is meant. */
  readonly means: (record: LiveRecord) => boolean
}

/**
 * Puts the marker in the place of the user's record, if it is meant, and of nothing. `undefined`: what is there is not
 * meant, or is another's. What is unreadable, because a newer version wrote it, is judged by its user alone.
 */
export async function endMeant(store: Store, meant: Meant): Promise<Durable | undefined> {
  const { selector, markerTime } = meant
  const marker = endedMarker(meant.reason)
  let bytes = await store.load(selector)
  for (let attempt = 0; attempt < ATTEMPTS_MOST; attempt++) {
    if (bytes !== undefined && !isMeant(bytes, meant)) return undefined
    const version = bytes === undefined || isEnded(bytes) ? NO_VERSION : versionOf(bytes)
    const swap = await store.end(selector, marker, markerTime, { version })
    if (swap.done) return { durable: swap.durable }
    bytes = swap.found
  }
  throw new StoreUnavailableError('A session changed faster than it could be ended. It may live on: end it again.')
}

/**
 * Puts the marker in the place of whatever is there, in which an end that was acknowledged may be lost. Answers the handle
 * of the session that was alive there, if one was.
 */
export async function endAgain(
  store: Store,
  selector: Selector,
  marker: RecordBytes,
  ttl: number,
): Promise<string | undefined> {
  const swap = await store.end(selector, marker, ttl, { version: NO_VERSION })
  if (swap.done) return undefined
  await store.end(selector, marker, ttl)
  const standing = standingOf(swap.found)
  return handleOf(selector, 'record' in standing ? standing.record.epoch : 0)
}

function isMeant(bytes: RecordBytes, { user, means }: Meant): boolean {
  const standing = standingOf(bytes)
  if ('record' in standing) return standing.record.userId === user && means(standing.record)
  return standing.gone !== 'unreadable' || userOf(bytes) === user
}

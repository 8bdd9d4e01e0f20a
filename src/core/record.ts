/**
 * The layout of what a store keeps. One value per visit:
 *
 * | bytes | what |
 * |---|---|
 * | 1 | kind: 0 ended marker, 1 live record of this format, more: a newer format |
 * | 8 | version: a counter (32 bits) and the random stamp of its writer (32 bits), big-endian |
 * | 1 + n | user id: its length in bytes, then UTF-8; length 0: a guest |
 * | … | what is the core's own: verifier hashes, times, epoch, payload |
 *
 * An ended marker is the kind and one byte for the reason. Stores read kind, version and user, at these
 * places, and nothing else.
 */
import type { EndReason } from '../errors.ts'
import type { RecordBytes } from './store.ts'

export const KIND_ENDED = 0
export const KIND_LIVE = 1

/** Where the version stands in a live record, and how long it is. */
export const VERSION_OFFSET = 1
export const VERSION_LENGTH = 8
/** Where the length of the user id stands. */
export const USER_OFFSET: number = VERSION_OFFSET + VERSION_LENGTH

const REASONS: readonly EndReason[] = ['signed-out', 'revoked', 'expired', 'superseded']

/** Whether the value is the marker of an ended visit. */
export function isEnded(value: RecordBytes): boolean {
  return value[0] === KIND_ENDED
}

/** The eight bytes of a live record that a `replace` compares. A view, not a copy. */
export function versionOf(record: RecordBytes): Uint8Array {
  return record.subarray(VERSION_OFFSET, VERSION_OFFSET + VERSION_LENGTH)
}

/** How often a record was written. */
export function counterOf(record: RecordBytes): number {
  let counter = 0
  for (let at = 0; at < VERSION_LENGTH / 2; at++) counter = counter * 256 + (record[VERSION_OFFSET + at] ?? 0)
  return counter
}

/** The user that a live record belongs to; `''` for a guest and for anything that is no live record. */
export function userOf(record: RecordBytes): string {
  const length = record[0] === KIND_ENDED ? 0 : (record[USER_OFFSET] ?? 0)
  return Buffer.from(record.buffer, record.byteOffset + USER_OFFSET + 1, length).toString('utf8')
}

export function sameVersion(left: Uint8Array, right: Uint8Array): boolean {
  for (let at = 0; at < VERSION_LENGTH; at++) if (left[at] !== right[at]) return false
  return true
}

/** The marker that stands where a visit ended, so that the slowest request still recognises it. */
export function endedMarker(reason: EndReason): RecordBytes {
  return Uint8Array.of(KIND_ENDED, REASONS.indexOf(reason))
}

export function endReasonOf(marker: RecordBytes): EndReason {
  return REASONS[marker[1] ?? 0] ?? 'signed-out'
}

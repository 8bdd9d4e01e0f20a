/** The decisions of the store contract over one key, without I/O: what the embedded stores have in common. */
import { isEnded, sameVersion, userOf, versionOf } from '../core/record.ts'
import type { EndCondition, RecordBytes, Span } from '../core/store.ts'

/** A live record with exactly this version may be replaced. */
export function mayReplace(found: RecordBytes | undefined, version: Uint8Array): boolean {
  return found !== undefined && !isEnded(found) && sameVersion(versionOf(found), version)
}

/** The record with the span written, where it is a live one with the expected bytes. */
export function patched(found: RecordBytes | undefined, expected: Span, written: Span): RecordBytes | undefined {
  if (found === undefined || isEnded(found) || !stands(found, expected) || !fits(found, written)) return undefined
  const record = Uint8Array.from(found)
  record.set(written.bytes, written.at)
  return record
}

function fits(found: RecordBytes, { at, bytes }: Span): boolean {
  return at + bytes.length <= found.length
}

function stands(found: RecordBytes, expected: Span): boolean {
  return fits(found, expected) && expected.bytes.every((byte, at) => found[expected.at + at] === byte)
}

/** What an `end` does: puts its marker, leaves the marker that is there, or leaves a record that does not meet the condition. */
export function judgeEnd(
  found: RecordBytes | undefined,
  condition: EndCondition | undefined,
): 'put' | 'ended' | 'found' {
  if (found === undefined) return 'put'
  if (isEnded(found)) return 'ended'
  return condition === undefined || meets(found, condition) ? 'put' : 'found'
}

function meets(found: RecordBytes, condition: EndCondition): boolean {
  if ('version' in condition) return sameVersion(versionOf(found), condition.version)
  return userOf(found) === condition.user
}

/** The decisions of the store contract over one key, without I/O: what the embedded stores have in common. */
import { isEnded, sameVersion, userOf, versionOf } from '../core/record.ts'
import type { EndCondition, RecordBytes } from '../core/store.ts'

/** A live record with exactly this version may be replaced. */
export function mayReplace(found: RecordBytes | undefined, version: Uint8Array): boolean {
  return found !== undefined && !isEnded(found) && sameVersion(versionOf(found), version)
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

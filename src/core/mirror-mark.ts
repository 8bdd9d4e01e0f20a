/**
 * What new servers leave in an old record that they wrote: whose session it shows, in which version, and a hash of all its
 * other members. Old servers keep members that they do not know, so a hash that does not fit says that one of them has
 * changed the record since.
 */
import { createHash } from 'node:crypto'

import type { OldRecord } from './old-sessions.ts'

const MARK = '__holdfast'

/** What a record says of the session that was written to it. */
export interface Mark {
  /** The session's public name. */
  readonly handle: string
  /** How often the session had been written. */
  readonly counter: number
}

/** The mark of a record that nobody has changed since it was written. */
export function markOf(record: OldRecord): Mark | undefined {
  const mark = record[MARK]
  const [handle, counter, hash] = typeof mark === 'string' ? mark.split(' ') : []
  if (handle === undefined || hash !== hashOf(record)) return undefined
  return { handle, counter: Number(counter) }
}

export function marked(record: OldRecord, { handle, counter }: Mark): OldRecord {
  return { ...record, [MARK]: `${handle} ${counter} ${hashOf(record)}` }
}

/** The members that are the application's. */
export function withoutOurs(record: OldRecord): Record<string, unknown>
export function withoutOurs(record: OldRecord | undefined): Record<string, unknown> | undefined
export function withoutOurs(record: OldRecord | undefined): Record<string, unknown> | undefined {
  if (record === undefined) return undefined
  const { cookie: _cookie, [MARK]: _mark, ...members } = record
  return members
}

/** Of the members as they stand in JSON, in which every old store can keep them. */
export function hashOf(record: OldRecord): string {
  return createHash('sha256')
    .update(JSON.stringify(withoutOurs(record)))
    .digest('base64url')
    .slice(0, 16)
}

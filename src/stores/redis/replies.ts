/** Reads what Redis answered. An answer of another kind than the command's own comes from something that is no Redis. */
import { StoreUnavailableError } from '../../errors.ts'
import type { Reply } from './link.ts'

/** The bytes of a string, a view onto what arrived; `undefined` for none. */
export function bytesOf(reply: Reply | undefined): Buffer | undefined {
  if (reply === null) return undefined
  if (Buffer.isBuffer(reply)) return reply
  throw unexpected('a string')
}

export function textOf(reply: Reply | undefined): string {
  if (Buffer.isBuffer(reply)) return reply.toString('utf8')
  throw unexpected('a string')
}

export function numberOf(reply: Reply | undefined): number {
  if (typeof reply === 'number') return reply
  throw unexpected('a number')
}

export function listOf(reply: Reply | undefined): readonly Reply[] {
  if (Array.isArray(reply)) return reply as readonly Reply[]
  throw unexpected('a list')
}

function unexpected(kind: string): StoreUnavailableError {
  return new StoreUnavailableError(`Redis answered something else than ${kind}.`, { applied: 'unknown' })
}

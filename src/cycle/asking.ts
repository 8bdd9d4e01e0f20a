/** How cycles ask the store: together where nothing waits for anything, and again where an answer was lost. */
import { StoreUnavailableError } from '../errors.ts'
import type { Awaitable, RecordBytes } from '../core/store.ts'

/** Asks; also what fails at once is a promise then, so that of several none is left unattended. */
export async function ask<Answer>(call: () => Awaitable<Answer>): Promise<Answer> {
  return call()
}

/** Asks, and once more where the answer was lost: for what does no harm twice. */
export async function askAgain<Answer>(call: () => Awaitable<Answer>): Promise<Answer> {
  try {
    return await call()
  } catch (error) {
    if (!isLost(error)) throw error
    return call()
  }
}

/** Whether a write that failed may have reached the store all the same. */
export function isLost(error: unknown): boolean {
  return error instanceof StoreUnavailableError && error.applied === 'unknown'
}

export function sameRecord(left: RecordBytes | undefined, right: RecordBytes): boolean {
  return left !== undefined && Buffer.compare(left, right) === 0
}

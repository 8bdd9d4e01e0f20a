/** Calls to a store: each answers once, within a time, and a failure is told of. */
import { StoreUnavailableError } from '../../errors.ts'
import * as channels from '../../telemetry/channels.ts'
import { isFailure, type Callback } from './answered.ts'
import { deadlinesOf } from './deadlines.ts'
import type { SessionStore } from './store-contract.ts'

/** Calls `run` with a callback that passes on the first answer; after `deadline` milliseconds there is an error instead. */
export function askStore<Value>(
  store: SessionStore,
  { operation, deadline }: { readonly operation: string; readonly deadline: number },
  run: (done: Callback<Value>) => unknown,
  callback: Callback<Value>,
): void {
  let inTime: (() => void) | undefined
  let answered = false
  const done: Callback<Value> = (error, value) => {
    if (answered) return
    answered = true
    inTime?.()
    if (isFailure(error) && channels.store.hasSubscribers)
      channels.store.publish({ store: nameOf(store), operation, error })
    callback(error, value)
  }
  try {
    run(done)
  } catch (error) {
    // What the callback of a synchronous store throws is not the store's.
    if (answered) throw error
    done(error)
  }
  if (!answered && Number.isFinite(deadline))
    inTime = deadlinesOf(deadline).watch(() => done(tooLate(store, operation, deadline)))
}

/** Whether an error says no more than that there is no such session: of a store that keeps files. */
export function isNotFound(error: unknown): boolean {
  return typeof error === 'object' && error !== null && (error as { code?: unknown }).code === 'ENOENT'
}

function tooLate(store: SessionStore, operation: string, deadline: number): StoreUnavailableError {
  return new StoreUnavailableError(
    `The session store (${nameOf(store)}) did not answer ${operation} within ${deadline} ms (storeDeadline).`,
    { applied: 'unknown' },
  )
}

/** What logs and events call the store. */
export function nameOf(store: SessionStore): string {
  const { constructor } = store as { constructor?: { name?: unknown } }
  return typeof constructor?.name === 'string' ? constructor.name : 'store'
}

/** What goes from one state of a session's data into the next, when that is more than the request's own changes. */
import { DataError } from '../errors.ts'
import type { PendingData, SessionData } from './session-data.ts'

/** What a guest takes along into the signed-in session: everything, nothing, or these top-level keys. */
export type Carry = 'keep' | 'drop' | readonly string[]

/** The data of a session that is being signed in to. */
export function carriedData<Data extends object>(data: SessionData<Data>, carry: Carry): PendingData<Data> {
  const pending = data.pending()
  return {
    changed: true,
    get mine() {
      return pending.mine
    },
    on: (payload) => {
      if (carry === 'drop') return { data: data.initial(), conflicts: [] }
      const made = readable(() => pending.on(payload)) ?? { data: data.initial(), conflicts: [] }
      return { data: carriedOver(made.data, data.initial(), carry), conflicts: made.conflicts }
    },
  }
}

/** Data that cannot be decoded go nowhere, and keep nobody from signing in. */
function readable<Value>(read: () => Value): Value | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof DataError) return undefined
    throw error
  }
}

function carriedOver<Data extends object>(data: Data, initial: Data, carry: Carry): Data {
  if (carry === 'keep') return data
  if (carry === 'drop') return initial
  const kept = Object.entries(data).filter(([key]) => carry.includes(key))
  return { ...initial, ...Object.fromEntries(kept) }
}

/** A function given to `update` may run again, and its result counts at once. Throws `TypeError` for a promise. */
export function refusePromise(result: unknown): void {
  if (typeof result !== 'object' || result === null || typeof (result as { then?: unknown }).then !== 'function') return
  throw new TypeError(
    'The function given to update() must be synchronous, because it may run again: await before it, not in it.',
  )
}

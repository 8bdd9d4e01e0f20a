/** Sessions in memory whose store a test can slow down or break. */
import { resolveOptions } from '../../../src/core/options.ts'
import { Manager } from '../../../src/core/sessions.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import { faultyStore, type FaultyStore } from '../../../src/testing/faulty-store.ts'
import type { BaseOptions, Sessions } from '../../../src/types.ts'

export interface Shop {
  count?: number
  text?: string
}

export interface Fixture {
  readonly store: FaultyStore
  readonly sessions: Sessions<Shop>
}

/** One manager on a store of its own. */
export async function shopSessions(options: BaseOptions = {}): Promise<Fixture> {
  const store = faultyStore(memoryStore())
  const log = { warn: () => undefined, error: () => undefined }
  const settings = resolveOptions({ log, ...options })
  const sessions = new Manager<Shop>({ settings, secret: 'a secret for the tests of the adapters', store })
  await sessions.ready()
  return { store, sessions }
}

/** Writes fail from now on. */
export function refuseWrites(store: FaultyStore): void {
  store.faults = { fail: (operation) => (operation === 'create' || operation === 'replace' ? 'refuse' : undefined) }
}

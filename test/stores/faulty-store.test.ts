/** What a store with faults does to news of changes. */
import { faultyStore, type Faults } from 'holdfast/testing'
import { expect, it, vi } from 'vitest'

import type { Selector } from '../../src/core/store.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { LONG, newSelector, record, version } from '../../src/testing/store-contract/harness.ts'
import { TrackedStores } from '../support/tracked-store.ts'

/** What was told of a change of a record that was read. */
async function newsOf(faults: Faults, ms: number): Promise<Selector[]> {
  const stores = new TrackedStores(() => 0)
  const store = faultyStore(stores.connect(), faults)
  const changed: Selector[] = []
  store.watch?.({ replaced: () => undefined, changed: (selector) => changed.push(selector) })
  const selector = newSelector()
  await store.create(selector, record(1), LONG)
  expect((await store.loadTracked?.(selector))?.tracked).toBe(true)
  vi.useFakeTimers()
  await stores.connect().replace(selector, version(1), record(2), LONG)
  vi.advanceTimersByTime(ms)
  vi.useRealTimers()
  return changed
}

it('news pass, come late, or get lost', async () => {
  expect(await newsOf({}, 0)).toHaveLength(1)
  expect(await newsOf({ news: 50 }, 49)).toHaveLength(0)
  expect(await newsOf({ news: 50 }, 50)).toHaveLength(1)
  expect(await newsOf({ news: 'lose' }, 60_000)).toHaveLength(0)
})

it('what cannot be told of is not promised: there is no tracked load where the store has none', async () => {
  expect(faultyStore(memoryStore()).loadTracked).toBeUndefined()
  const store = faultyStore(new TrackedStores(() => 0).connect(), { fail: 'refuse' })
  await expect(store.loadTracked?.(newSelector())).rejects.toThrow('refuse loadTracked')
  expect(store.asked).toEqual(['loadTracked'])
})

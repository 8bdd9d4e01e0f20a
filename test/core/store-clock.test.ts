/** The clock that policy runs with is the store's, however long its answers take. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { createClock } from '../../src/core/clock.ts'
import { Heartbeat, type Selectors } from '../../src/core/selectors.ts'
import type { Store } from '../../src/core/store.ts'

const OTHERWISE = 1_000_000
const asks: Array<{ readonly there: number; readonly back: number }> = []

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'Date'] })
  asks.length = 0
})

afterEach(() => {
  vi.useRealTimers()
})

function storeTime(): number {
  return Date.now() + OTHERWISE
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** How far this process's clock is behind the store's after a heartbeat whose questions and answers take so long, in milliseconds. */
async function behindAfter(...trips: Array<{ there: number; back: number }>): Promise<number> {
  const store = {
    async epoch() {
      const trip = trips[Math.min(asks.length, trips.length - 1)]!
      asks.push(trip)
      await pause(trip.there)
      const answer = { epoch: 0, now: storeTime() }
      await pause(trip.back)
      return answer
    },
  }
  const clock = createClock(undefined)
  const selectors = { hold: async () => undefined }
  const heartbeat = new Heartbeat(selectors as unknown as Selectors, store as unknown as Store, clock, () => undefined)
  const beating = heartbeat.beat()
  await vi.advanceTimersByTimeAsync(10_000)
  await beating
  return storeTime() - clock.now()
}

describe('the clock', () => {
  it('I12: is not ahead of the store’s after an answer that was given late: what begins now ends with all that is revoked now', async () => {
    // In whole milliseconds, rounded down.
    expect(await behindAfter({ there: 800, back: 0 })).toBeOneOf([0, 1])
  })

  it('is behind by no more than an answer was on its way for', async () => {
    expect(await behindAfter({ there: 10, back: 30 })).toBeOneOf([30, 31])
    expect(asks).toHaveLength(1)
  })

  it('is set by the youngest of three answers, when they take long', async () => {
    expect(await behindAfter({ there: 0, back: 700 }, { there: 300, back: 60 }, { there: 0, back: 90 })).toBeOneOf([
      60, 61,
    ])
    expect(asks).toHaveLength(3)
  })

  it('is set by the first answer that was quick', async () => {
    expect(await behindAfter({ there: 0, back: 700 }, { there: 1, back: 1 })).toBeOneOf([1, 2])
    expect(asks).toHaveLength(2)
  })
})

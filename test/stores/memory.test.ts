import { OptionsError, StoreUnavailableError } from 'holdfast'
import { memoryStore } from 'holdfast/memory'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { endedMarker, versionOf } from '../../src/core/record.ts'
import { DONE } from '../../src/core/store.ts'
import { newSelector, record } from '../../src/testing/store-contract/harness.ts'

const LONG = 3_600_000

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('the memory store', () => {
  it('answers every method at once, without a promise', async () => {
    const store = memoryStore()
    const selector = newSelector()
    expect(store.create(selector, record(1), LONG)).toEqual(DONE)
    expect(store.load(selector)).toEqual(record(1))
    expect(store.touch(selector, LONG)).toBe('touched')
    await store.close()
  })

  it('I13: refuses what exceeds maxEntries with an error that names it; ends and replaces go through', async () => {
    const store = memoryStore({ maxEntries: 4 })
    const selectors = Array.from({ length: 4 }, newSelector)
    for (const selector of selectors) await store.create(selector, record(1), LONG)
    expect(() => store.create(newSelector(), record(1), LONG)).toThrow('maxEntries: 4')
    expect(() => store.enroll('ada', newSelector(), LONG)).toThrow(StoreUnavailableError)
    expect(store.replace(selectors[0]!, versionOf(record(1)), record(2), LONG)).toEqual(DONE)
    for (const selector of selectors) expect(store.end(selector, endedMarker('revoked'), LONG)).toEqual(DONE)
    expect(store.end(newSelector(), endedMarker('revoked'), LONG)).toEqual(DONE)
  })

  it('I13: refuses what exceeds maxBytes with an error that names it, and keeps count when records shrink', async () => {
    const store = memoryStore({ maxBytes: 1_000 })
    const big = newSelector()
    await store.create(big, record(1, { body: new Uint8Array(900) }), LONG)
    expect(() => store.create(newSelector(), record(1, { body: new Uint8Array(200) }), LONG)).toThrow('maxBytes: 1000')
    await store.replace(big, versionOf(record(1)), record(2), LONG)
    expect(store.create(newSelector(), record(1, { body: new Uint8Array(200) }), LONG)).toEqual(DONE)
  })

  it('I12, I13: forgets what has expired by itself, and has room again', async () => {
    const store = memoryStore({ maxEntries: 30 })
    await store.open()
    for (let at = 0; at < 10; at++) {
      await store.create(newSelector(), record(1), 500)
      await store.holdLease(at, 'owner', 500)
    }
    await store.enroll('ada', newSelector(), 500)
    const fill = async (): Promise<void> => {
      for (let at = 0; at < 20; at++) await store.create(newSelector(), record(1), LONG)
    }
    await expect(fill()).rejects.toThrow('maxEntries')
    await vi.advanceTimersByTimeAsync(3_000)
    await fill()
    await store.close()
  })

  it('does not keep a program running', async () => {
    vi.useRealTimers()
    const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
    const before = timers()
    const store = memoryStore()
    await store.open()
    expect(timers()).toBe(before)
    await store.close()
  })

  it('I12: hands out times that never go back, though its clock does', async () => {
    let now = 1_000_000
    const store = memoryStore({ now: () => now })
    const enrolled = await store.enroll('ada', newSelector(), LONG)
    const began = await store.epoch()
    now -= 60_000
    expect((await store.bar('ada', LONG)).notBefore).toBeGreaterThanOrEqual(enrolled.now)
    expect((await store.moveEpoch()).epoch).toBeGreaterThanOrEqual(began.now)
  })

  it('refuses limits that are no positive numbers', () => {
    for (const option of ['maxEntries', 'maxBytes', 'sweepInterval']) {
      for (const value of [0, -1, Number.NaN]) expect(() => memoryStore({ [option]: value })).toThrow(OptionsError)
    }
  })
})

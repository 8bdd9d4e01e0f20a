import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { Rounds } from '../../../src/stores/redis/rounds.ts'
import { Telling } from '../../../src/stores/redis/telling.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('rounds', () => {
  it('come after the time that each asks for, and at once when something has happened', async () => {
    let count = 0
    const rounds = new Rounds(async () => ((count += 1), 1_000))
    rounds.hurry()
    await vi.advanceTimersByTimeAsync(2_500)
    expect(count).toBe(3)
    rounds.hurry()
    expect(count).toBe(4)
    await rounds.stop()
    expect(vi.getTimerCount()).toBe(0)
  })

  it('are at most twenty in a second, however much happens', async () => {
    let count = 0
    const rounds = new Rounds(async () => ((count += 1), 1_000))
    for (let passed = 0; passed < 1_000; passed++) {
      rounds.hurry()
      await vi.advanceTimersByTimeAsync(1)
    }
    expect(count).toBeLessThanOrEqual(21)
    expect(count).toBeGreaterThan(15)
    await rounds.stop()
  })

  it('never overlap, and what happens meanwhile leads to another one', async () => {
    const [begun, ends]: [number[], (() => void)[]] = [[], []]
    const rounds = new Rounds(
      () =>
        new Promise((resolve) => {
          begun.push(Date.now())
          ends.push(() => resolve(10_000))
        }),
    )
    rounds.hurry()
    rounds.hurry()
    await vi.advanceTimersByTimeAsync(500)
    expect(begun).toHaveLength(1)
    ends[0]?.()
    await vi.advanceTimersByTimeAsync(100)
    expect(begun).toHaveLength(2)
    ends[1]?.()
    await vi.advanceTimersByTimeAsync(9_000)
    expect(begun).toHaveLength(2)
    await rounds.stop()
  })

  it('go on after one that failed', async () => {
    let count = 0
    const rounds = new Rounds(() => Promise.reject(new Error(String((count += 1)))))
    rounds.hurry()
    await vi.advanceTimersByTimeAsync(3_000)
    expect(count).toBeGreaterThan(2)
    await rounds.stop()
  })
})

describe('what is told', () => {
  it('is told at once, and once more for all that comes within a second', async () => {
    let count = 0
    const telling = new Telling(() => (count += 1))
    for (let at = 0; at < 100; at++) {
      telling.tell()
      await vi.advanceTimersByTimeAsync(5)
    }
    expect(count).toBe(1)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(count).toBe(2)
    await vi.advanceTimersByTimeAsync(5_000)
    expect(count).toBe(2)
    telling.tell()
    expect(count).toBe(3)
    telling.stop()
    expect(vi.getTimerCount()).toBe(0)
  })
})

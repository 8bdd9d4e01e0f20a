import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { createClock } from '../../src/core/clock.ts'
import { Ends, type PendingEnd } from '../../src/core/ends.ts'
import type { RecordBytes, Selector } from '../../src/core/store.ts'
import { testClock, type TestClock } from '../support/core-browser.ts'

const MARKER = Uint8Array.of(0, 1)
const MINUTE = 60_000

let clock: TestClock
let store: { fails: boolean; ended: string[]; alive: string[]; ttls: number[]; underWay: number; most: number }
let lines: { details: object; message: string }[]

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  clock = testClock()
  store = { fails: true, ended: [], alive: [], ttls: [], underWay: 0, most: 0 }
  lines = []
})
afterEach(() => {
  vi.useRealTimers()
})

function ends(options: { most?: number; remembers?: boolean } = {}): Ends {
  return new Ends({
    clock: createClock(clock.now),
    log: { warn: (details, message) => void lines.push({ details, message }), error: () => undefined },
    most: options.most ?? 100,
    remembers: options.remembers ?? true,
    again: async (selector: Selector, _marker: RecordBytes, ttl: number) => {
      store.ttls.push(ttl)
      await write(selector)
      return store.alive.includes(selector) ? `handle of ${selector}` : undefined
    },
  })
}

async function write(name: string): Promise<void> {
  store.underWay++
  store.most = Math.max(store.most, store.underWay)
  await new Promise((resolve) => setTimeout(resolve, 1))
  store.underWay--
  if (store.fails) throw new Error('The store fails.')
  store.ended.push(name)
}

const named = (name: string): Selector => name as Selector

function end(name: string, until = clock.now() + 60 * MINUTE): PendingEnd {
  return { selector: named(name), handle: `handle of ${name}`, until, write: () => write(name) }
}

describe('an end that the store did not take', () => {
  it('is pending until the store takes it, which is tried every second at least', async () => {
    const some = ends()
    expect(some.keep(end('a'))).toBe(true)
    await vi.advanceTimersByTimeAsync(10 * MINUTE)
    expect([some.isPending(named('a')), some.isPending(named('b'))]).toEqual([true, false])
    store.fails = false
    await vi.advanceTimersByTimeAsync(1_002)
    expect([some.isPending(named('a')), store.ended]).toEqual([false, ['a']])
    expect(some.stats).toMatchObject({ pending: 0, kept: 1, written: 1 })
    await vi.advanceTimersByTimeAsync(10 * MINUTE)
    expect(store.ended).toEqual(['a'])
  })

  it('is refused where too many are kept, and takes the place of one for the same session', () => {
    const some = ends({ most: 2 })
    expect(['a', 'b', 'c', 'a'].map((name) => some.keep(end(name)))).toEqual([true, true, false, true])
    expect(some.stats.pending).toBe(2)
  })

  it('is given up when its session would be over', async () => {
    const some = ends()
    some.keep(end('a', clock.now() + MINUTE))
    clock.forward(MINUTE)
    store.fails = false
    await vi.advanceTimersByTimeAsync(5_000)
    expect([store.ended, some.stats.pending, some.stats.givenUp]).toEqual([[], 0, 1])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('does not keep others waiting when it fails alone', async () => {
    const some = ends()
    store.fails = false
    some.keep({ ...end('bad'), write: () => Promise.reject(new Error('It alone fails.')) })
    for (let at = 0; at < 40; at++) some.keep(end(`good ${at}`))
    await vi.advanceTimersByTimeAsync(200)
    expect(store.ended).toHaveLength(40)
    expect(some.isPending(named('bad'))).toBe(true)
  })

  it('is tried once more when the process closes, and counted by handle in the log where that fails', async () => {
    const some = ends()
    for (const name of ['a', 'b', 'c']) some.keep(end(name))
    const closing = some.close()
    await vi.advanceTimersByTimeAsync(10)
    await closing
    expect(lines).toMatchObject([
      { details: { count: 3, handles: ['handle of a', 'handle of b', 'handle of c'] }, message: /did not take it/ },
    ])
    expect(vi.getTimerCount()).toBe(0)
    const others = ends()
    others.keep(end('d'))
    store.fails = false
    const well = others.close()
    await vi.advanceTimersByTimeAsync(10)
    await well
    expect([store.ended, lines.length]).toEqual([['d'], 1])
  })
})

describe('ends that a replaced store may have lost', () => {
  it('are written again, by key, until they go through, and few at a time', async () => {
    const some = ends()
    for (let at = 0; at < 50; at++) some.begin()(named(`s${at}`), MARKER, 15 * MINUTE)
    clock.forward(5 * MINUTE)
    expect(some.replaced()).toBe(50)
    expect(some.isPending(named('s7'))).toBe(true)
    await vi.advanceTimersByTimeAsync(3_000)
    store.fails = false
    store.alive = ['s7']
    store.ttls = []
    await vi.advanceTimersByTimeAsync(1_100)
    expect(new Set(store.ended).size).toBe(50)
    // No longer than the marker would have lasted.
    expect(new Set(store.ttls)).toEqual(new Set([10 * MINUTE]))
    expect(store.most).toBeLessThanOrEqual(16)
    expect(some.stats).toMatchObject({ pending: 0, again: 50, remembered: 50, revived: 1 })
  })

  it('are written again also where they were on their way while it was replaced, and one that was pending too', async () => {
    store.fails = false
    const some = ends()
    const [ended, late] = [some.begin(), some.begin()]
    ended(named('a'), MARKER, MINUTE)
    some.keep({ ...end('c'), write: async () => late(named('c'), MARKER, MINUTE) })
    expect(some.replaced()).toBe(1)
    const onItsWay = some.begin()
    late(named('b'), MARKER, MINUTE)
    onItsWay(named('d'), MARKER, MINUTE)
    await vi.advanceTimersByTimeAsync(1_100)
    expect(store.ended.toSorted()).toEqual(['a', 'b', 'c'])
    expect(some.stats).toMatchObject({ pending: 0, again: 3 })
  })

  it('are forgotten with their markers', () => {
    const some = ends()
    some.begin()(named('a'), MARKER, 15 * MINUTE)
    clock.forward(15 * MINUTE)
    some.begin()(named('b'), MARKER, 15 * MINUTE)
    expect(some.stats.remembered).toBe(1)
    expect(some.replaced()).toBe(1)
  })

  it('are so many at most: the oldest are forgotten', () => {
    const some = ends({ most: 3 })
    for (const name of ['a', 'b', 'c', 'a', 'd']) some.begin()(named(name), MARKER, MINUTE)
    some.replaced()
    expect(['a', 'b', 'c', 'd'].filter((name) => some.isPending(named(name)))).toEqual(['a', 'c', 'd'])
  })

  it('are none where the store never tells', () => {
    const some = ends({ remembers: false })
    some.begin()(named('a'), MARKER, MINUTE)
    expect([some.stats.remembered, some.replaced()]).toEqual([0, 0])
  })
})

import { subscribe, unsubscribe } from 'node:diagnostics_channel'

import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'

import { GuardedStore } from '../../src/core/guarded-store.ts'
import type { Selector, Store } from '../../src/core/store.ts'
import { StoreUnavailableError } from '../../src/errors.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { faultyStore, type Faults, type FaultyStore, type StoreOperation } from '../../src/testing/faulty-store.ts'

const DEADLINE = 200
/** What the guard leaves to a store that keeps the deadline itself. */
const MARGIN = 25
const KEY = 'k'.repeat(24) as Selector
const RECORD = Uint8Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1, 0)
const quiet = { warn: () => undefined, error: () => undefined }

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

async function guarded(bare: Store = memoryStore()): Promise<{ guard: GuardedStore; store: FaultyStore }> {
  const store = faultyStore(bare)
  const guard = new GuardedStore(store, {
    deadline: DEADLINE,
    log: quiet,
    answersAgain: () => undefined,
    ending: () => () => undefined,
    writing: () => undefined,
  })
  await guard.open()
  onTestFinished(() => guard.close())
  return { guard, store }
}

/** What a call comes to, and how many milliseconds it takes. */
async function outcome(call: () => unknown): Promise<{ error: unknown; took: number }> {
  const begun = performance.now()
  const took: number[] = []
  const running = (async () => call())()
    .then(
      () => undefined,
      (error: unknown) => error,
    )
    .finally(() => took.push(performance.now() - begun))
  await turn()
  for (let waited = 0; took.length === 0 && waited < 10 * DEADLINE; waited += 5) await vi.advanceTimersByTimeAsync(5)
  return { error: await running, took: took[0] ?? Number.NaN }
}

/** Lets what needs no time happen: a probe that is answered at once. */
const turn = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0)

const FAIL_FAST: readonly (readonly [string, Faults])[] = [
  ['refuses', { fail: 'refuse' }],
  ['loses the answer', { fail: 'lose' }],
]
const SILENT: readonly (readonly [string, Faults])[] = [
  ['hangs', { fail: 'hang' }],
  ['takes the command and never answers', { fail: 'swallow' }],
]

describe('the breaker of the reads', () => {
  it.each(SILENT)('opens after the first call, within one deadline, where the store %s (I6)', async (_, faults) => {
    const { guard, store } = await guarded()
    store.faults = faults
    const first = await outcome(() => guard.load(KEY))
    expect(first.error).toBeInstanceOf(StoreUnavailableError)
    expect(first.took).toBeLessThanOrEqual(DEADLINE + MARGIN)
    const { error, took } = await outcome(() => guard.load(KEY))
    expect(error).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE', applied: 'no', status: 503 })
    expect(took).toBe(0)
  })

  it.each(FAIL_FAST)('opens after five in a row where the store %s (I6)', async (_, faults) => {
    const { guard, store } = await guarded()
    store.faults = faults
    for (let call = 0; call < 4; call++) await outcome(() => guard.load(KEY))
    await turn()
    expect(guard.reads.open).toBe(false)
    await outcome(() => guard.load(KEY))
    await turn()
    expect(guard.reads.open).toBe(true)
  })

  it('does not open where answers come in between', async () => {
    const { guard, store } = await guarded()
    for (let call = 0; call < 40; call++) {
      store.faults = call % 4 === 0 ? {} : { fail: 'refuse' }
      await outcome(() => guard.load(KEY))
    }
    await turn()
    expect(guard.reads.open).toBe(false)
  })

  it('does not open for one call that is lost while others are answered', async () => {
    const { guard, store } = await guarded()
    store.faults = { fail: 'hang' }
    const lost = outcome(() => guard.load(KEY))
    await turn()
    store.faults = {}
    await guard.load(KEY)
    expect((await lost).error).toBeInstanceOf(StoreUnavailableError)
    await turn()
    expect(guard.reads.open).toBe(false)
  })

  it('asks the store nothing but probes while it is open, and lets nobody wait as one', async () => {
    const { guard, store } = await guarded()
    store.faults = { fail: 'hang' }
    await outcome(() => guard.load(KEY))
    await turn()
    store.forget()
    for (let call = 0; call < 1000; call++) expect((await outcome(() => guard.load(KEY))).took).toBe(0)
    expect(store.asked).toEqual([])
  })

  it('closes within a second of the moment at which the store answers again', async () => {
    for (const faults of [...SILENT, ...FAIL_FAST].map(([, one]) => one)) {
      const { guard, store } = await guarded()
      store.faults = faults
      for (let call = 0; call < 5; call++) await outcome(() => guard.load(KEY))
      await vi.advanceTimersByTimeAsync(30_000)
      expect(guard.reads.open).toBe(true)
      store.faults = {}
      // A probe that is under way is given up at its deadline.
      await vi.advanceTimersByTimeAsync(1000 + DEADLINE + MARGIN)
      expect(guard.reads.open).toBe(false)
      expect(await guard.load(KEY)).toBeUndefined()
    }
  })

  it('probes with waits that grow to a second and no further', async () => {
    const { guard, store } = await guarded()
    store.faults = { fail: 'refuse' }
    for (let call = 0; call < 5; call++) await outcome(() => guard.load(KEY))
    await turn()
    const probes = async (milliseconds: number): Promise<number> => {
      store.forget()
      await vi.advanceTimersByTimeAsync(milliseconds)
      return store.asked.filter((operation) => operation === 'epoch').length
    }
    expect(await probes(1_000)).toBeLessThanOrEqual(5)
    await probes(5_000)
    expect(await probes(10_000)).toBe(10)
  })

  it('says when to come again: later when it has been open for long, and never later than five seconds', async () => {
    const { guard, store } = await guarded()
    store.faults = { fail: 'hang' }
    await outcome(() => guard.load(KEY))
    expect((await outcome(() => guard.load(KEY))).error).toMatchObject({ retryAfter: 1 })
    await vi.advanceTimersByTimeAsync(60_000)
    const { error } = await outcome(() => guard.load(KEY))
    expect(error).toMatchObject({ retryAfter: 5, headers: { 'retry-after': '5' } })
    expect((error as Error).message).toMatch(
      /has not answered reads for 60.* load was not tried.*no answer within 200 ms/,
    )
  })

  it('is apart from that of the writes', async () => {
    const { guard, store } = await guarded()
    store.faults = { fail: (operation) => (operation === 'load' || operation === 'epoch' ? 'hang' : undefined) }
    await outcome(() => guard.load(KEY))
    expect([guard.reads.open, guard.writes.open]).toEqual([true, false])
    expect((await guard.create(KEY, RECORD, 1000)).done).toBe(true)
  })

  it('leaves no timer behind when the store is closed', async () => {
    const { guard, store } = await guarded()
    store.faults = { fail: 'hang' }
    await outcome(() => guard.load(KEY))
    await outcome(() => guard.create(KEY, RECORD, 1000))
    await vi.advanceTimersByTimeAsync(5_000)
    await guard.close()
    // What hangs is given up at its deadline; nothing follows.
    await vi.advanceTimersByTimeAsync(DEADLINE + MARGIN)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('does not flutter where probes are answered and the rest is not', async () => {
    const { guard, store } = await guarded()
    const breaking: unknown[] = []
    const note = (message: unknown): void => void breaking.push(message)
    subscribe('holdfast:breaker', note)
    onTestFinished(() => void unsubscribe('holdfast:breaker', note))
    const other = 'o'.repeat(24) as Selector
    const hanging = store.load.bind(store)
    store.load = (selector) => (selector === other ? new Promise(() => undefined) : hanging(selector))
    for (let second = 0; second < 60; second++) {
      await outcome(() => guard.load(other))
      await vi.advanceTimersByTimeAsync(1000 - DEADLINE - MARGIN)
    }
    expect(breaking.length).toBeLessThan(70)
  })

  it('tells when it opens and when it closes', async () => {
    const { guard, store } = await guarded()
    const told: unknown[] = []
    const note = (message: unknown): void => void told.push(message)
    subscribe('holdfast:breaker', note)
    onTestFinished(() => void unsubscribe('holdfast:breaker', note))
    store.faults = { fail: 'hang' }
    await outcome(() => guard.load(KEY))
    await outcome(() => guard.load(KEY))
    store.faults = {}
    await vi.advanceTimersByTimeAsync(2000)
    expect(told).toMatchObject([
      { store: 'memory', calls: 'reads', state: 'open', error: { code: 'ERR_STORE_UNAVAILABLE' } },
      { store: 'memory', calls: 'reads', state: 'closed' },
    ])
    expect(guard.reads.stats).toEqual({ open: false, opened: 1, refused: 1 })
  })
})

describe('the breaker of the writes', () => {
  it('stays closed before a full store, so that touches and ends go on', async () => {
    const { guard, store } = await guarded()
    const needRoom: readonly StoreOperation[] = ['create', 'replace', 'enroll', 'holdLease', 'nextLease']
    store.faults = { fail: (operation) => (needRoom.includes(operation) ? 'refuse' : undefined) }
    for (let call = 0; call < 100; call++) {
      expect((await outcome(() => guard.create(KEY, RECORD, 1000))).error).toMatchObject({ message: /told to refuse/ })
      await vi.advanceTimersByTimeAsync(20)
    }
    expect(guard.writes.stats).toMatchObject({ open: false, opened: 0 })
    expect((await guard.end(KEY, Uint8Array.of(0, 0), 1000)).done).toBe(true)
    expect(store.asked.filter((operation) => operation === 'touch').length).toBeLessThanOrEqual(3)
  })

  it('opens where nothing can be written, and then refuses ends at once too', async () => {
    const { guard, store } = await guarded()
    store.faults = { fail: (operation) => (operation === 'load' || operation === 'epoch' ? undefined : 'hang') }
    await outcome(() => guard.create(KEY, RECORD, 1000))
    const { error, took } = await outcome(() => guard.end(KEY, Uint8Array.of(0, 0), 1000))
    expect([error, took]).toMatchObject([{ applied: 'no' }, 0])
    expect(guard.reads.open).toBe(false)
  })

  it('is not opened by a store whose fault no waiting mends', async () => {
    const bare = memoryStore()
    const { OptionsError } = await import('../../src/errors.ts')
    bare.open = () => Promise.reject(new OptionsError('store', 'wrong password'))
    const guard = new GuardedStore(bare, {
      deadline: DEADLINE,
      log: quiet,
      answersAgain: () => undefined,
      ending: () => () => undefined,
      writing: () => undefined,
    })
    for (let call = 0; call < 10; call++)
      expect((await outcome(() => guard.load(KEY))).error).toMatchObject({ code: 'ERR_OPTIONS' })
    expect(guard.reads.open).toBe(false)
  })
})

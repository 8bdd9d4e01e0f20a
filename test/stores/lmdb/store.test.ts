import { existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { OptionsError, StoreUnavailableError } from 'holdfast'
import { lmdbStore } from 'holdfast/lmdb'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import type { Selector, Store } from '../../../src/core/store.ts'
import { endedMarker } from '../../../src/core/record.ts'
import { newSelector, record } from '../../../src/testing/store-contract/harness.ts'

const LONG = 3_600_000

let directory: string
const stores: Store[] = []

beforeEach(() => {
  directory = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'holdfast-store-'))
})

afterEach(async () => {
  for (const store of stores.splice(0)) await store.close()
  rmSync(directory, { recursive: true })
})

async function open(options: Parameters<typeof lmdbStore>[0] = directory): Promise<Store> {
  const store = lmdbStore(options)
  stores.push(store)
  await store.open()
  return store
}

describe('an LMDB store', () => {
  it('answers loads at once, without a promise', async () => {
    const store = await open()
    const selector = newSelector()
    await store.create(selector, record(1), LONG)
    expect(store.load(selector)).toBeInstanceOf(Uint8Array)
    expect(store.load(newSelector())).toBeUndefined()
  })

  it('is one in a process, however often and however spelled it is opened', async () => {
    symlinkSync(directory, `${directory}-link`)
    try {
      const one = await open(directory)
      const others = [
        await open(`${directory}/`),
        await open(`${directory}/../${directory.split('/').at(-1)}`),
        await open(`${directory}-link`),
      ]
      const selector = newSelector()
      await one.create(selector, record(1), LONG)
      await one.close()
      for (const store of others) expect(await store.load(selector)).toEqual(record(1))
    } finally {
      rmSync(`${directory}-link`)
    }
  })

  it('can be closed and opened again, also at once', async () => {
    const selector = newSelector()
    for (let round = 0; round < 5; round++) {
      const store = await open()
      const swap = await store.create(selector, record(1), LONG)
      expect(swap.done).toBe(round === 0)
      const closing = store.close()
      if (round % 2 === 0) await closing
    }
  })

  it('finishes what it was asked before it closes', async () => {
    const first = await open()
    const selectors = Array.from({ length: 50 }, newSelector)
    const writes = selectors.map(async (selector) => first.create(selector, record(1), LONG))
    await first.close()
    const done = await Promise.allSettled(writes)
    const second = await open()
    for (const [at, result] of done.entries()) {
      if (result.status === 'fulfilled') expect(await second.load(selectors[at]!)).toEqual(record(1))
      else expect(result.reason).toBeInstanceOf(StoreUnavailableError)
    }
  })

  it('fails with a StoreUnavailableError before it is open', async () => {
    const store = lmdbStore(directory)
    expect(() => store.load(newSelector())).toThrow(StoreUnavailableError)
    await expect(async () => store.create(newSelector(), record(1), LONG)).rejects.toThrow('not open yet')
  })

  it('can be opened once what was wrong is mended', async () => {
    const path = join(directory, 'store')
    symlinkSync(join(directory, 'nowhere', 'at', 'all'), path)
    const store = lmdbStore(path)
    await expect(store.open()).rejects.toThrow(path)
    rmSync(path)
    await store.open()
    await store.close()
  })

  it('refuses options that are wrong', () => {
    expect(() => lmdbStore('')).toThrow(OptionsError)
    for (const option of ['mapSize', 'sweepInterval', 'sweepBatch']) {
      for (const value of [0, -1, Number.NaN, Infinity])
        expect(() => lmdbStore({ path: directory, [option]: value })).toThrow(option)
    }
  })

  it("I12: hands out times that never go back, though the machine's clock does", async () => {
    let now = 1_700_000_000_000
    const [one, other] = [
      await open({ path: directory, now: () => now }),
      await open({ path: directory, now: () => now }),
    ]
    const enrolled = await one.enroll('ada', newSelector(), LONG)
    now -= 600_000
    const barred = await other.bar('ada', LONG)
    expect(barred.notBefore).toBeGreaterThanOrEqual(enrolled.now)
    const later = await one.enroll('ada', newSelector(), LONG)
    expect(later.now).toBeGreaterThan(barred.notBefore)
    const { epoch } = await one.moveEpoch()
    now -= 600_000
    expect((await other.moveEpoch()).epoch).toBeGreaterThan(epoch)
    expect((await other.epoch()).now).toBeGreaterThan(epoch)
  })

  it('I12: an enrolment in the same millisecond as the bar before it is not revoked', async () => {
    const store = await open({ path: directory, now: () => 1_700_000_000_000 })
    for (let round = 0; round < 5; round++) {
      const { notBefore } = await store.bar('ada', LONG)
      expect((await store.enroll('ada', newSelector(), LONG)).now).toBeGreaterThan(notBefore)
    }
  })

  it('I13: refuses new records at its mapSize, keeps those it has, and takes new ones once visits have ended', async () => {
    let now = 1_700_000_000_000
    const store = await open({ path: directory, mapSize: 400_000, now: () => now, sweepInterval: 10 })
    const kept: Selector[] = []
    const fill = async (): Promise<unknown> => {
      for (let at = 0; at < 2_000; at++) {
        const selector = newSelector()
        await store.create(selector, record(at, { body: new Uint8Array(1_000) }), LONG)
        kept.push(selector)
      }
      return undefined
    }
    await expect(fill()).rejects.toThrow('is full (mapSize: 400000 bytes)')
    expect(kept.length).toBeGreaterThan(100)
    for (const selector of kept) expect((await store.end(selector, endedMarker('revoked'), 1_000)).done).toBe(true)
    now += 2_000
    await expect
      .poll(async () => (await store.create(newSelector(), record(1), LONG)).done, { timeout: 5_000 })
      .toBe(true)
  })

  it('keeps its files to itself: no more than it needs, none left over', async () => {
    const store = await open()
    await store.create(newSelector(), record(1), LONG)
    await store.close()
    expect(readdirSync(directory).toSorted()).toEqual([
      'data.mdb',
      'gate.mdb',
      'gate.mdb-lock',
      'holdfast.json',
      'lock.mdb',
    ])
  })
})

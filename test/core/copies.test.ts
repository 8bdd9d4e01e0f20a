import { describe, expect, it } from 'vitest'

import { createClock } from '../../src/core/clock.ts'
import { Copies } from '../../src/core/copies.ts'
import { decodeRecord, encodeRecord, type LiveRecord } from '../../src/core/live-record.ts'
import type { RecordBytes, Selector } from '../../src/core/store.ts'
import { testClock, type TestClock } from '../support/core-browser.ts'

const AGE = 60_000

function copies(limits: { most?: number; bytesMost?: number } = {}): { clock: TestClock; kept: Copies } {
  const clock = testClock()
  const { most = 100, bytesMost = 1_000_000 } = limits
  return { clock, kept: new Copies({ clock: createClock(clock.now), age: AGE, most, bytesMost }) }
}

const named = (name: string): Selector => name as Selector

/** A version of a record. `size`: bytes of its data. */
function version(counter: number, { epoch = 0, size = 10 } = {}): [LiveRecord, RecordBytes] {
  const record = {
    counter,
    epoch,
    userId: undefined,
    hash: Buffer.alloc(16),
    createdAt: 0,
    idMintedAt: 0,
    signedInAt: undefined,
    sparedAt: undefined,
    previous: undefined,
    payload: Buffer.alloc(size),
  }
  const bytes = encodeRecord(record, Buffer.from([0, 0, 0, counter]))
  return [record, bytes]
}

function counterOf(bytes: RecordBytes | undefined): number | undefined {
  return bytes === undefined ? undefined : decodeRecord(bytes)?.counter
}

describe('a copy', () => {
  it('serves for its age and no longer, counted from when it was seen last', () => {
    const { clock, kept } = copies()
    kept.keep(named('a'), ...version(1))
    clock.forward(AGE - 1)
    expect(counterOf(kept.of(named('a')))).toBe(1)
    kept.keep(named('a'), ...version(1))
    clock.forward(AGE - 1)
    expect(counterOf(kept.of(named('a')))).toBe(1)
    clock.forward(1)
    expect(kept.of(named('a'))).toBeUndefined()
  })

  it('follows newer versions, and is not put back by an older one that comes late', () => {
    const { kept } = copies()
    for (const counter of [1, 3, 2]) kept.keep(named('a'), ...version(counter))
    expect(counterOf(kept.of(named('a')))).toBe(3)
  })

  it('is a copy: it does not keep or follow what the bytes were a view of', () => {
    const { kept } = copies()
    const [record, bytes] = version(1)
    const chunk = Buffer.alloc(65_536)
    chunk.set(bytes, 100)
    kept.keep(named('a'), record, chunk.subarray(100, 100 + bytes.length))
    chunk.fill(0)
    expect(counterOf(kept.of(named('a')))).toBe(1)
    expect(kept.of(named('a'))!.buffer.byteLength).toBeLessThan(1000)
  })

  it('of a visit that is over is none, also where an answer from before comes late', () => {
    const { kept } = copies()
    kept.keep(named('a'), ...version(1))
    kept.over(named('a'))
    kept.keep(named('a'), ...version(2))
    expect(kept.of(named('a'))).toBeUndefined()
  })

  it('of what a sign-in superseded is none, and of who signed in there may be one', () => {
    const { kept } = copies()
    kept.keep(named('a'), ...version(1, { epoch: 0 }))
    kept.over(named('a'), 0)
    kept.keep(named('a'), ...version(1, { epoch: 0 }))
    expect(kept.of(named('a'))).toBeUndefined()
    kept.keep(named('a'), ...version(2, { epoch: 1 }))
    kept.over(named('a'), 0)
    expect(counterOf(kept.of(named('a')))).toBe(2)
  })
})

describe('copies', () => {
  it('are bounded in number: what was seen longest ago goes first', () => {
    const { clock, kept } = copies({ most: 3 })
    for (const name of ['a', 'b', 'c']) kept.keep(named(name), ...version(1))
    clock.forward(AGE / 2)
    kept.keep(named('a'), ...version(1))
    kept.keep(named('d'), ...version(1))
    expect(['a', 'b', 'c', 'd'].filter((name) => kept.of(named(name)) !== undefined)).toEqual(['a', 'c', 'd'])
    for (let at = 0; at < 1000; at++) kept.over(named(`over ${at}`))
    expect(kept.size).toBe(3)
  })

  it('are bounded in bytes', () => {
    const { kept } = copies({ bytesMost: 10_000 })
    for (let at = 0; at < 100; at++) kept.keep(named(`s${at}`), ...version(1, { size: 1000 }))
    expect(kept.bytes).toBeLessThanOrEqual(10_000)
    expect(kept.size).toBe(9)
    kept.keep(named('large'), ...version(1, { size: 10_001 }))
    expect(kept.of(named('large'))).toBeUndefined()
    expect(kept.size).toBe(9)
  })

  it('that are too old make room, and are counted no more', () => {
    const { clock, kept } = copies()
    for (let at = 0; at < 50; at++) kept.keep(named(`s${at}`), ...version(1))
    clock.forward(AGE)
    kept.keep(named('new'), ...version(1))
    expect(kept.size).toBe(1)
    kept.forget(named('new'))
    expect([kept.size, kept.bytes]).toEqual([0, 0])
  })
})

import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'

import { Moments } from '../../src/core/moments.ts'
import type { Selector } from '../../src/core/store.ts'

function selectors(count: number): Selector[] {
  return Array.from({ length: count }, () => randomBytes(18).toString('base64url') as Selector)
}

describe('moments of sessions', () => {
  it('are known by selector, each of the two by itself', () => {
    const moments = new Moments()
    const [one, other] = selectors(2) as [Selector, Selector]
    expect(moments.of(one, 'moved')).toBeUndefined()
    moments.note(one, 'moved', 0)
    expect(moments.of(one, 'moved')).toBe(0)
    expect(moments.of(one, 'looked')).toBeUndefined()
    moments.note(one, 'looked', 1_700_000_000_000.5)
    moments.note(one, 'moved', -5)
    expect([moments.of(one, 'moved'), moments.of(one, 'looked')]).toEqual([-5, 1_700_000_000_000.5])
    expect(moments.of(other, 'moved')).toBeUndefined()
  })

  it('are forgotten one by one', () => {
    const moments = new Moments()
    const all = selectors(100)
    for (const [at, selector] of all.entries()) moments.note(selector, 'looked', at)
    moments.forget(all[7]!)
    moments.forget(selectors(1)[0]!)
    expect(all.filter((selector) => moments.of(selector, 'looked') === undefined)).toEqual([all[7]])
  })

  it('are never those of another session, however many there are, and the latest tens of thousands are known', () => {
    const moments = new Moments()
    const all = selectors(300_000)
    for (const [at, selector] of all.entries()) moments.note(selector, at % 2 === 0 ? 'moved' : 'looked', at)
    const known = all.filter(
      (selector) => (moments.of(selector, 'moved') ?? moments.of(selector, 'looked')) !== undefined,
    )
    const wrong = all.filter((selector, at) => {
      const [mine, none] = at % 2 === 0 ? (['moved', 'looked'] as const) : (['looked', 'moved'] as const)
      return ![at, undefined].includes(moments.of(selector, mine)) || moments.of(selector, none) !== undefined
    })
    expect(wrong).toEqual([])
    expect(known.length).toBeGreaterThan(60_000)
    const there = new Set(known)
    const late = all.slice(-30_000)
    expect(late.filter((selector) => there.has(selector)).length / late.length).toBeGreaterThan(0.99)
  })

  it('of whoever was dealt with again stay when others go', () => {
    const moments = new Moments()
    const [often] = selectors(1) as [Selector]
    for (const [at, selector] of selectors(200_000).entries()) {
      if (at % 1_000 === 0) moments.note(often, 'moved', at)
      moments.note(selector, 'moved', at)
    }
    expect(moments.of(often, 'moved')).toBe(199_000)
  })
})

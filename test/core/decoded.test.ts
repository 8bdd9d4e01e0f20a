import { describe, expect, it } from 'vitest'

import { decode, encode } from '../../src/core/codec.ts'
import { DecodedPayloads } from '../../src/core/decoded.ts'
import type { Selector } from '../../src/core/store.ts'

const LIMITS = { depth: 8, recordSize: 65_536 }

describe('decoded payloads', () => {
  it('are decoded once, for the same bytes of the same session', () => {
    const decoded = new DecodedPayloads(decode)
    const payload = encode({ cart: [1] }, LIMITS)
    const first = decoded.of('a' as Selector, payload)
    expect(first?.data).toEqual({ cart: [1] })
    expect(decoded.of('a' as Selector, Uint8Array.from(payload))).toBe(first)
    expect(decoded.of('a' as Selector, encode({ cart: [2] }, LIMITS))?.data).toEqual({ cart: [2] })
  })

  it('do not depend on what becomes of the bytes that were given', () => {
    const decoded = new DecodedPayloads(decode)
    const payload = encode({ name: 'Ada' }, LIMITS)
    const first = decoded.of('a' as Selector, payload)
    const same = Uint8Array.from(payload)
    payload.fill(0)
    expect(decoded.of('a' as Selector, same)).toBe(first)
  })

  it('give back their room, data and bytes, where there are more than fit, also to those who still hold them', () => {
    const decoded = new DecodedPayloads(decode, 10_000)
    const first = decoded.of('first' as Selector, encode({ name: 'Ada' }, LIMITS))
    expect(first?.data).toEqual({ name: 'Ada' })
    for (let at = 0; at < 100; at++) decoded.of(`s${at}` as Selector, encode({ at }, LIMITS))
    expect(first?.data).toBeUndefined()
    expect(first?.payload.byteLength).toBe(0)
    expect(decoded.of('s99' as Selector, encode({ at: 99 }, LIMITS))?.data).toEqual({ at: 99 })
  })
})

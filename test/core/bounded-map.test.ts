import { describe, expect, it } from 'vitest'

import { BoundedMap } from '../../src/core/bounded-map.ts'
import { encodeRecord } from '../../src/core/live-record.ts'
import { endedMarker } from '../../src/core/record.ts'
import type { GenuineId } from '../../src/core/cookie.ts'
import { readAgain } from '../../src/core/resolution.ts'
import type { Verifier } from '../../src/core/session-id.ts'
import { selectorOf } from '../../src/testing/store-contract/harness.ts'

describe('a bounded map', () => {
  const sized = (most: number) => new BoundedMap<string, string>(most, (value) => value.length)

  it('lets go what was put in first when it is full', () => {
    const map = sized(6)
    for (const value of ['aa', 'bb', 'cc', 'dd']) map.set(value, value)
    expect(['aa', 'bb', 'cc', 'dd'].map((key) => map.get(key))).toEqual([undefined, 'bb', 'cc', 'dd'])
  })

  it('counts what was replaced or taken out no more', () => {
    const map = sized(6)
    map.set('a', 'aaaa')
    map.set('a', 'aa')
    map.set('b', 'bbbb')
    expect(map.get('a')).toBe('aa')
    map.delete('b')
    map.set('c', 'cccc')
    expect([map.get('a'), map.get('b'), map.get('c')]).toEqual(['aa', undefined, 'cccc'])
  })

  it('keeps nothing that is larger than it may be', () => {
    const map = sized(3)
    map.set('a', 'aaaa')
    expect(map.get('a')).toBeUndefined()
    map.set('b', 'bbb')
    expect(map.get('b')).toBe('bbb')
  })
})

describe('what was made of a record', () => {
  const record = (counter: number, payload = 2) =>
    encodeRecord(
      {
        counter,
        userId: 'ada',
        epoch: 1,
        hash: new Uint8Array(16),
        createdAt: 1,
        idMintedAt: 1,
        signedInAt: 1,
        sparedAt: undefined,
        previous: undefined,
        payload: new Uint8Array(payload),
      },
      Uint8Array.of(1, 2, 3, 4),
    )
  const id = (): GenuineId => ({
    selector: selectorOf('steady'),
    verifier: Buffer.alloc(16) as Verifier,
    hash: Buffer.alloc(16),
    rank: 'gid' as const,
    mintedAt: 0,
  })

  it('is the same for the same object, and made anew for any other', () => {
    const of = id()
    const [one, two] = [record(1), record(2)]
    const first = readAgain(of, one)
    expect(readAgain(of, one)).toBe(first)
    expect(readAgain(of, two)).toMatchObject({ record: { counter: 2 } })
    expect(readAgain(of, one)).toMatchObject({ record: { counter: 1 } })
    expect(readAgain(of, endedMarker('revoked'))).toEqual({ gone: 'revoked' })
    expect(readAgain(of, undefined)).toEqual({ gone: 'absent' })
  })

  it('does not stay with an id where the record is large', () => {
    const of = id()
    const large = record(1, 2_000)
    expect(readAgain(of, large)).not.toBe(readAgain(of, large))
    expect(of.stored).toBeUndefined()
  })
})

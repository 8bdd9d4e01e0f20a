import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { CookieReader, openId, RANKS, sealId } from '../../src/core/cookie.ts'
import { openFloor, sealFloor, type Floor } from '../../src/core/floor.ts'
import { createKeyring } from '../../src/core/keyring.ts'
import { pooledRandom } from '../../src/core/random.ts'
import { freshVerifier, selectorAt } from '../../src/core/session-id.ts'

const SECRET = 'a secret of at least thirty-two bytes, for tests'
const keyring = createKeyring(SECRET, 'shop')
const rotated = createKeyring(['a secret of at least thirty-two bytes, the next', SECRET], 'shop')
const others = [
  createKeyring('a secret of at least thirty-two bytes, another!!', 'shop'),
  createKeyring(SECRET, 'other'),
]
const random = pooledRandom()

const floor: fc.Arbitrary<Floor> = fc
  .record({
    counter: fc.nat(),
    version: fc.nat({ max: 2 ** 32 - 1 }),
    epoch: fc.nat({ max: 65_535 }),
    stands: fc.nat({ max: 2 ** 31 }).map((seconds) => seconds * 1000),
  })
  .map(({ counter, ...rest }) => ({ ...rest, selector: selectorAt(keyring.active, { lease: 1, nonce: 2, counter }) }))

function genuine(value: string): boolean {
  return 'floor' in openFloor(keyring, value)
}

describe('a floor of ours', () => {
  it('opens to what was sealed, under every secret of the keyring, and is remembered', () => {
    const reader = new CookieReader(keyring, 4)
    fc.assert(
      fc.property(floor, (sealed) => {
        const value = sealFloor(keyring, sealed)
        for (const ring of [keyring, rotated]) expect(openFloor(ring, value)).toEqual({ floor: sealed })
        const opened = reader.openFloor(value)
        expect(opened).toEqual({ floor: sealed })
        expect(reader.openFloor(value)).toBe(opened)
      }),
      { numRuns: 500 },
    )
  })

  it('is refused with any one bit flipped (I9)', () => {
    fc.assert(
      fc.property(floor, (sealed) => {
        const bytes = Buffer.from(sealFloor(keyring, sealed), 'base64url')
        for (let bit = 0; bit < bytes.length * 8; bit++) {
          const flipped = Buffer.from(bytes)
          flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
          expect(genuine(flipped.toString('base64url'))).toBe(false)
        }
      }),
      { numRuns: 25 },
    )
  })

  it("is refused under another secret or another application's, and says which (I9)", () => {
    fc.assert(
      fc.property(floor, fc.constantFrom(...others), (sealed, foreign) => {
        const bytes = Buffer.from(sealFloor(foreign, sealed), 'base64url')
        expect(openFloor(keyring, bytes.toString('base64url'))).toEqual({ why: 'unknown-key' })
        keyring.active.fingerprint.copy(bytes, 1)
        expect(openFloor(keyring, bytes.toString('base64url'))).toEqual({ why: 'forged' })
      }),
      { numRuns: 1_000 },
    )
  })

  it('is no id of any rank, and no id is a floor (I9)', () => {
    fc.assert(
      fc.property(floor, fc.constantFrom(...RANKS), (sealed, rank) => {
        expect(openId(keyring, rank, sealFloor(keyring, sealed))).toEqual({ why: 'malformed' })
        const id = { selector: sealed.selector, verifier: freshVerifier(random), mintedAt: 1_790_000_000_000 }
        expect(openFloor(keyring, sealId(keyring, rank, id))).toEqual({ why: 'malformed' })
      }),
      { numRuns: 500 },
    )
  })

  it('is refused when it is random text, whatever its length', () => {
    const text = fc.oneof(
      fc.string({ maxLength: 200 }),
      fc.base64String({ maxLength: 120 }),
      fc.uint8Array({ minLength: 47, maxLength: 47 }).map((bytes) => Buffer.from(bytes).toString('base64url')),
    )
    fc.assert(
      fc.property(text, (value) => {
        expect(genuine(value)).toBe(false)
      }),
      { numRuns: 10_000 },
    )
  })
})

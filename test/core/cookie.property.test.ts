import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { CookieReader, cookieNames, openId, RANKS, readCookies, sealId, setCookie } from '../../src/core/cookie.ts'
import { mac } from '../../src/core/hmac.ts'
import { createKeyring, FINGERPRINT_LENGTH, type MacPurpose } from '../../src/core/keyring.ts'
import { pooledRandom } from '../../src/core/random.ts'
import {
  freshVerifier,
  hashVerifier,
  selectorAt,
  SELECTOR_BYTES,
  VERIFIER_BYTES,
  type Id,
} from '../../src/core/session-id.ts'

const RUNS = 10_000
const random = pooledRandom()
const keyring = createKeyring('a secret of at least thirty-two bytes, for tests', 'shop')
const others = [
  createKeyring('a secret of at least thirty-two bytes, another!!', 'shop'),
  createKeyring('a secret of at least thirty-two bytes, for tests', 'other'),
]
const rank = fc.constantFrom(...RANKS)

function newId(counter = 0): Id {
  return {
    selector: selectorAt(keyring.active, { lease: 1, nonce: 2, counter }),
    verifier: freshVerifier(random),
    mintedAt: 1_790_000_000_000,
  }
}

function genuine(value: string, as: (typeof RANKS)[number]): boolean {
  return 'id' in openId(keyring, as, value)
}

describe('a cookie of ours', () => {
  it('opens to the id that was sealed, under every secret of the keyring', () => {
    const rotated = createKeyring(
      ['a secret of at least thirty-two bytes, the next', 'a secret of at least thirty-two bytes, for tests'],
      'shop',
    )
    fc.assert(
      fc.property(rank, fc.nat(), (as, counter) => {
        const id = newId(counter)
        for (const ring of [keyring, rotated]) {
          const opened = openId(ring, as, sealId(keyring, as, id))
          expect(opened).toMatchObject({ id: { selector: id.selector, mintedAt: id.mintedAt } })
          if ('id' in opened)
            expect([opened.id.verifier.equals(id.verifier), opened.id.hash.equals(hashVerifier(id.verifier))]).toEqual([
              true,
              true,
            ])
        }
      }),
      { numRuns: 500 },
    )
  })

  it('is refused with any one bit flipped (I9)', () => {
    for (let round = 0; round < 25; round++) {
      for (const as of RANKS) {
        const bytes = Buffer.from(sealId(keyring, as, newId(round)), 'base64url')
        for (let bit = 0; bit < bytes.length * 8; bit++) {
          const flipped = Buffer.from(bytes)
          flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
          expect(genuine(flipped.toString('base64url'), as)).toBe(false)
        }
      }
    }
  })

  it('is refused with fields moved, lengths shifted, bytes swapped or cut (I9)', () => {
    fc.assert(
      fc.property(
        rank,
        fc.nat(56),
        fc.nat(56),
        fc.nat(57),
        fc.constantFrom('swap', 'rotate', 'cut', 'extend', 'double'),
        (as, left, right, by, how) => {
          const value = sealId(keyring, as, newId(left * 57 + right))
          const bytes = Buffer.from(value, 'base64url')
          const changed = mutate(bytes, left, right, by, how)
          fc.pre(!changed.equals(bytes))
          expect(genuine(changed.toString('base64url'), as)).toBe(false)
        },
      ),
      { numRuns: RUNS },
    )
  })

  it("is refused under another rank, another application's key, or a MAC made for another purpose (I9)", () => {
    fc.assert(
      fc.property(
        rank,
        rank,
        fc.constantFrom(...others),
        fc.constantFrom<MacPurpose>('succession', 'csrf', 'floor', 'adoption', 'sid', 'gid', 'visit'),
        (as, other, foreign, purpose) => {
          const id = newId()
          const value = sealId(keyring, as, id)
          if (as !== other) expect(genuine(value, other)).toBe(false)
          const stranger = sealId(foreign, as, id)
          expect(openId(keyring, as, stranger)).toEqual({ why: 'unknown-key' })
          const bytes = Buffer.from(stranger, 'base64url')
          keyring.active.fingerprint.copy(bytes, 1)
          expect(openId(keyring, as, bytes.toString('base64url'))).toEqual({ why: 'forged' })
          if (purpose !== as) {
            const body = Buffer.from(value, 'base64url').subarray(0, 43)
            const fields = [
              body.subarray(0, 1),
              body.subarray(1, 1 + FINGERPRINT_LENGTH),
              body.subarray(5, 5 + SELECTOR_BYTES),
              body.subarray(23, 23 + VERIFIER_BYTES),
              body.subarray(39),
            ]
            const forged = Buffer.concat([body, mac(keyring.active.keys[purpose], fields, 14)])
            expect(genuine(forged.toString('base64url'), as)).toBe(false)
          }
        },
      ),
      { numRuns: RUNS },
    )
  })

  it('is refused when it is random text, whatever its length', () => {
    const text = fc.oneof(
      fc.string({ maxLength: 200 }),
      fc.base64String({ maxLength: 120 }),
      fc.uint8Array({ minLength: 57, maxLength: 57 }).map((bytes) => Buffer.from(bytes).toString('base64url')),
    )
    fc.assert(
      fc.property(text, rank, (value, as) => {
        expect(genuine(value, as)).toBe(false)
      }),
      { numRuns: RUNS },
    )
  })
})

describe('reading cookies', () => {
  it('finds at most four values of a name in any header, and never fails', () => {
    const names = cookieNames('', 'host')
    const pair = fc.tuple(
      fc.constantFrom('__Host-sid', '__Host-gid', '__Host-visit', '__host-sid', ' __Host-sid', 'sid', 'x', ''),
      fc.string({ maxLength: 20 }),
    )
    fc.assert(
      fc.property(fc.array(pair, { maxLength: 12 }), fc.constantFrom('; ', ';', ' ;', ';;'), (pairs, separator) => {
        const header = pairs.map(([name, value]) => `${name}=${value}`).join(separator)
        const found = readCookies(header, names)
        for (const as of RANKS) {
          expect(found[as].length).toBeLessThanOrEqual(4)
          for (const value of found[as]) expect(header).toContain(value)
        }
      }),
      { numRuns: RUNS },
    )
  })

  it('reads quoted values, and takes none for one of ours that has another name', () => {
    const names = cookieNames('shop', 'host')
    expect(names).toEqual({ sid: '__Host-shop-sid', gid: '__Host-shop-gid', visit: '__Host-shop-visit' })
    const found = readCookies('a=1; __Host-shop-sid="abc"; __Host-sid=no; __Host-shop-gid=x=y', names)
    expect(found).toEqual({ sid: ['abc'], gid: ['x=y'], visit: [] })
  })

  it('forgets genuine values beyond its bound, and verifies them again', () => {
    const reader = new CookieReader(keyring, 4)
    const values = Array.from({ length: 10 }, (_, at) => sealId(keyring, 'sid', newId(at)))
    for (const value of [...values, ...values]) expect('id' in reader.open('sid', value)).toBe(true)
    expect(reader.open('gid', values[0] as string)).toEqual({ why: 'forged' })
  })
})

describe('a Set-Cookie of ours', () => {
  it('is host-only, for the whole site, not for scripts', () => {
    const style = { secure: true, sameSite: 'lax' } as const
    expect(setCookie('__Host-sid', 'v', style)).toBe('__Host-sid=v; Path=/; HttpOnly; SameSite=Lax; Secure')
    expect(setCookie('sid', undefined, { secure: false, sameSite: 'strict' })).toBe(
      'sid=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0',
    )
  })
})

function mutate(bytes: Buffer, left: number, right: number, by: number, how: string): Buffer {
  if (how === 'cut') return bytes.subarray(0, by)
  if (how === 'extend') return Buffer.concat([bytes, bytes.subarray(0, by + 1)])
  if (how === 'rotate') return Buffer.concat([bytes.subarray(by), bytes.subarray(0, by)])
  if (how === 'double')
    return Buffer.concat([bytes.subarray(0, left), bytes.subarray(right), bytes.subarray(0, 57)]).subarray(0, 57)
  const swapped = Buffer.from(bytes)
  swapped[left] = bytes[right] ?? 0
  swapped[right] = bytes[left] ?? 0
  return swapped
}

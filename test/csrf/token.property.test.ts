import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { mac, type Key, type Purpose } from '../../src/core/keyring.ts'
import { judgeToken, makeToken, type Lineage } from '../../src/csrf/token.ts'
import { guest, keyring, random, user } from './fixtures.ts'

const RUNS = { numRuns: 10_000 }

const lineage: fc.Arbitrary<Lineage> = fc.record({
  selector: fc.oneof(fc.constantFrom('', 'a', 'b', 'user 1 a'), fc.string({ unit: 'binary' })),
  epoch: fc.oneof(fc.constantFrom(0, 1, 11, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER), fc.nat()),
  signedIn: fc.boolean(),
})
const path = fc.option(fc.oneof(fc.constantFrom('', '/', '/pay'), fc.webPath(), fc.string({ unit: 'binary' })), {
  nil: undefined,
})

const make = (of: Lineage, at?: string): string => makeToken(keyring.active, random, of, { path: at })
const bytesOf = (token: string): Buffer => Buffer.from(token, 'base64url')
const judge = (bytes: Buffer, of: Lineage | undefined, at?: string): string =>
  judgeToken(keyring, bytes.toString('base64url'), of, at)
const same = (one: Lineage, two: Lineage): boolean =>
  one.selector === two.selector && one.epoch === two.epoch && one.signedIn === two.signedIn

/** Where each field of a token begins, with and without a path tag, and where it ends. */
const FIELDS = { unbound: [0, 1, 5, 14, 26, 42], bound: [0, 1, 5, 14, 26, 38, 54] } as const
const fieldsOf = (token: Buffer): readonly Buffer[] => {
  const at = token.length === 42 ? FIELDS.unbound : FIELDS.bound
  return at.slice(1).map((end, index) => token.subarray(at[index], end))
}

describe('a token is valid', () => {
  test('for its own lineage and path', () => {
    fc.assert(
      fc.property(lineage, path, (of, at) => {
        expect(judgeToken(keyring, make(of, at), of, at)).toBe('valid')
      }),
      RUNS,
    )
  })

  test('for no other lineage', () => {
    fc.assert(
      fc.property(lineage, fc.option(lineage, { nil: undefined }), path, (of, other, at) => {
        fc.pre(other === undefined || !same(of, other))
        expect(judgeToken(keyring, make(of, at), other, at)).toBe(of.signedIn ? 'other-session' : 'stale')
      }),
      RUNS,
    )
  })

  test('for no other epoch and no other rank of the same visit', () => {
    fc.assert(
      fc.property(lineage, fc.nat(), (of, epoch) => {
        fc.pre(epoch !== of.epoch)
        const token = make(of)
        expect(judgeToken(keyring, token, { ...of, epoch }, undefined)).not.toBe('valid')
        expect(judgeToken(keyring, token, { ...of, signedIn: !of.signedIn }, undefined)).not.toBe('valid')
      }),
      RUNS,
    )
  })

  test('for no other path where it is bound to one, for every path where it is not', () => {
    fc.assert(
      fc.property(path, path, (at, other) => {
        const verdict = judgeToken(keyring, make(user, at), user, other)
        expect(verdict).toBe(at === undefined || at === other ? 'valid' : 'wrong-path')
      }),
      RUNS,
    )
  })
})

describe('an altered token is forged', () => {
  test('with any one bit flipped: every bit of a token of each kind', () => {
    for (const [of, at] of [
      [user, undefined],
      [guest, undefined],
      [user, '/pay'],
      [guest, '/pay'],
    ] as const) {
      const token = bytesOf(make(of, at))
      for (let bit = 0; bit < token.length * 8; bit++) {
        const altered = Buffer.from(token)
        altered[bit >> 3] = (token[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        expect(judge(altered, of, at)).toBe('forged')
      }
    }
  })

  test('with any bits flipped', () => {
    fc.assert(
      fc.property(lineage, path, fc.uint8Array({ minLength: 54, maxLength: 54 }), (of, at, mask) => {
        const token = bytesOf(make(of, at))
        const altered = token.map((byte, index) => byte ^ (mask[index] ?? 0))
        fc.pre(!token.equals(altered))
        expect(judge(Buffer.from(altered), of, at)).toBe('forged')
      }),
      RUNS,
    )
  })

  test('with any character replaced', () => {
    fc.assert(
      fc.property(path, fc.nat(), fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }), (at, index, sign) => {
        const token = make(user, at)
        const place = index % token.length
        fc.pre(token[place] !== sign)
        expect(judgeToken(keyring, `${token.slice(0, place)}${sign}${token.slice(place + 1)}`, user, at)).toBe('forged')
      }),
      RUNS,
    )
  })

  test('truncated or extended, at either end or within', () => {
    fc.assert(
      fc.property(path, fc.nat(54), fc.nat(54), fc.uint8Array({ maxLength: 24 }), (at, from, length, filling) => {
        const token = bytesOf(make(user, at))
        const altered = Buffer.concat([token.subarray(0, from), filling, token.subarray(from + length)])
        fc.pre(!altered.equals(token))
        expect(judge(altered, user, at)).toBe('forged')
      }),
      RUNS,
    )
  })

  test('with its fields in another order', () => {
    fc.assert(
      fc.property(path, fc.shuffledSubarray([0, 1, 2, 3, 4, 5], { minLength: 6 }), (at, order) => {
        const token = bytesOf(make(user, at))
        const fields = fieldsOf(token)
        const altered = Buffer.concat(order.flatMap((index) => fields[index] ?? []))
        fc.pre(!altered.equals(token))
        expect(judge(altered, user, at)).toBe('forged')
      }),
      RUNS,
    )
  })

  test('put together from the fields of two genuine tokens', () => {
    const kinds = fc.tuple(fc.constantFrom(user, guest), fc.constantFrom(undefined, '/pay', '/cart'))
    fc.assert(
      fc.property(
        kinds,
        kinds,
        fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }),
        ([of, at], [other, elsewhere], choice) => {
          const [one, two] = [bytesOf(make(of, at)), bytesOf(make(other, elsewhere))]
          const [fields, others] = [fieldsOf(one), fieldsOf(two)]
          const mixed = Buffer.concat(choice.flatMap((first, index) => (first ? fields : others)[index] ?? []))
          fc.pre(!mixed.equals(one) && !mixed.equals(two))
          for (const [lineageOf, elsewhereOf] of [
            [of, at],
            [other, elsewhere],
          ] as const)
            expect(judge(mixed, lineageOf, elsewhereOf)).toBe('forged')
        },
      ),
      RUNS,
    )
  })

  test("under another key's fingerprint, known here or not", () => {
    const known = fc.constantFrom(...keyring.all.map((key) => key.fingerprint))
    const any = fc.uint8Array({ minLength: 4, maxLength: 4 })
    fc.assert(
      fc.property(lineage, path, fc.constantFrom(...keyring.all), fc.oneof(known, any), (of, at, key, fingerprint) => {
        fc.pre(!key.fingerprint.equals(fingerprint))
        const token = bytesOf(makeToken(key, random, of, { path: at }))
        token.set(fingerprint, 1)
        expect(judge(token, of, at)).toBe('forged')
      }),
      RUNS,
    )
  })

  test('sealed with the key of another purpose, a cookie for example', () => {
    const purposes = fc.constantFrom<Purpose>('sid', 'gid', 'visit', 'selector', 'succession')
    fc.assert(
      fc.property(
        lineage,
        path,
        purposes,
        fc.constantFrom(...keyring.all),
        (of, at, purpose, { fingerprint, keys }) => {
          const wrong: Key = { fingerprint, keys: { ...keys, csrf: keys[purpose] } }
          expect(judgeToken(keyring, makeToken(wrong, random, of, { path: at }), of, at)).toBe('forged')
          const token = bytesOf(make(of, at))
          const body = token.subarray(0, -16)
          expect(judge(Buffer.concat([body, mac(keys[purpose], [body], 16)]), of, at)).toBe('forged')
        },
      ),
      RUNS,
    )
  })
})

describe('what nobody made is forged', () => {
  test('random text', () => {
    const texts = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 100 }),
      fc.base64String(),
      fc.stringMatching(/^[\w-]{56}$/),
      fc.stringMatching(/^[\w-]{72}$/),
    )
    fc.assert(
      fc.property(texts, fc.option(lineage, { nil: undefined }), path, (token, of, at) => {
        expect(judgeToken(keyring, token, of, at)).toBe('forged')
      }),
      RUNS,
    )
  })

  test('random bytes behind flags and fingerprint that are right', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(0x10, 0x11, 0x12, 0x13),
        fc.uint8Array({ minLength: 49, maxLength: 49 }),
        (flags, rest) => {
          const token = Buffer.concat([Buffer.of(flags), keyring.active.fingerprint, rest]).subarray(
            0,
            flags & 1 ? 54 : 42,
          )
          expect(judge(token, user, '/pay')).toBe('forged')
        },
      ),
      RUNS,
    )
  })

  test('a tag in the place of the MAC: no part of a genuine token seals another', () => {
    fc.assert(
      fc.property(lineage, path, fc.nat(38), (of, at, from) => {
        const token = bytesOf(make(of, at))
        const altered = Buffer.concat([token.subarray(0, -16), token.subarray(from, from + 16)])
        fc.pre(altered.length === token.length && !altered.equals(token))
        expect(judge(altered, of, at)).toBe('forged')
      }),
      RUNS,
    )
  })
})

const stuck = (size: number): Buffer => Buffer.alloc(size, 7)

test('a random source that repeats itself makes the same token again, and none that passes elsewhere', () => {
  fc.assert(
    fc.property(lineage, lineage, (of, other) => {
      fc.pre(!same(of, other))
      const token = makeToken(keyring.active, stuck, of)
      expect(makeToken(keyring.active, stuck, of)).toBe(token)
      expect(judgeToken(keyring, token, of, undefined)).toBe('valid')
      expect(judgeToken(keyring, token, other, undefined)).not.toBe('valid')
      const graft = bytesOf(makeToken(keyring.active, stuck, other))
      graft.set(bytesOf(token).subarray(14, 26), 14)
      expect(judge(graft, of)).toBe('forged')
    }),
    RUNS,
  )
})

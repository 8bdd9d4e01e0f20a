import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { mac } from '../../src/core/hmac.ts'
import type { Key, MacPurpose } from '../../src/core/keyring.ts'
import { CookieReader, RANKS, sealId } from '../../src/core/cookie.ts'
import { hashVerifier, freshVerifier } from '../../src/core/session-id.ts'
import type { Selector } from '../../src/core/store.ts'
import { CYCLE_LENGTH, cycleOf, judgeToken, makeToken, type Bound, type Lineage } from '../../src/csrf/token.ts'
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

const cycle = fc.option(fc.uint8Array({ minLength: CYCLE_LENGTH, maxLength: CYCLE_LENGTH }), { nil: undefined })
/** What a token may be bound to or carry. */
const bound: fc.Arbitrary<Bound> = fc.record({ path, cycle })

const make = (of: Lineage, what: Bound = {}): string => makeToken(keyring.active, random, of, what)
const bytesOf = (token: string): Buffer => Buffer.from(token, 'base64url')
const judge = (bytes: Buffer, of: Lineage | undefined, at?: string): string =>
  judgeToken(keyring, bytes.toString('base64url'), of, at)
const same = (one: Lineage, two: Lineage): boolean =>
  one.selector === two.selector && one.epoch === two.epoch && one.signedIn === two.signedIn

const [one, two] = [Buffer.alloc(CYCLE_LENGTH, 1), Buffer.alloc(CYCLE_LENGTH, 2)]
/** Tokens of every shape, for every kind of session. */
const KINDS: readonly (readonly [Lineage, Bound])[] = [user, guest].flatMap((of) =>
  [undefined, '/pay'].flatMap((at) => [undefined, one].map((id) => [of, { path: at, cycle: id }] as const)),
)

/** The fields of a token: flags, fingerprint, nonce, lineage tag, path tag and cycle where there are such, MAC. */
const fieldsOf = (token: Buffer, { path: at, cycle: id }: Bound): readonly Buffer[] => {
  let from = 0
  return [1, 4, 9, 12, ...(at === undefined ? [] : [12]), ...(id === undefined ? [] : [CYCLE_LENGTH]), 16].map(
    (length) => token.subarray(from, (from += length)),
  )
}

test('the fields that these tests move are the whole token', () => {
  for (const [of, what] of KINDS) {
    const token = bytesOf(make(of, what))
    expect(Buffer.concat(fieldsOf(token, what))).toEqual(token)
  }
})

describe('a token is valid', () => {
  test('for its own lineage and path, and carries its own cycle', () => {
    fc.assert(
      fc.property(lineage, bound, (of, what) => {
        const token = make(of, what)
        expect(judgeToken(keyring, token, of, what.path)).toBe('valid')
        const id = cycleOf(token)
        expect(id === undefined ? undefined : new Uint8Array(id)).toEqual(what.cycle)
      }),
      RUNS,
    )
  })

  test('for no other lineage', () => {
    fc.assert(
      fc.property(lineage, fc.option(lineage, { nil: undefined }), bound, (of, other, what) => {
        fc.pre(other === undefined || !same(of, other))
        expect(judgeToken(keyring, make(of, what), other, what.path)).toBe(of.signedIn ? 'other-session' : 'stale')
      }),
      RUNS,
    )
  })

  test('for no other epoch and no other rank of the same visit', () => {
    fc.assert(
      fc.property(lineage, bound, fc.nat(), (of, what, epoch) => {
        fc.pre(epoch !== of.epoch)
        const token = make(of, what)
        expect(judgeToken(keyring, token, { ...of, epoch }, what.path)).not.toBe('valid')
        expect(judgeToken(keyring, token, { ...of, signedIn: !of.signedIn }, what.path)).not.toBe('valid')
      }),
      RUNS,
    )
  })

  test('for no other path where it is bound to one, for every path where it is not', () => {
    fc.assert(
      fc.property(bound, path, (what, other) => {
        const verdict = judgeToken(keyring, make(user, what), user, other)
        expect(verdict).toBe(what.path === undefined || what.path === other ? 'valid' : 'wrong-path')
      }),
      RUNS,
    )
  })

  test('in one of many sessions, for one of many paths: in its own place and in no other', () => {
    const sessions = ['', 'a', 'b', '1 a'].flatMap((selector) =>
      [0, 1, 11].flatMap((epoch) => [true, false].map((signedIn): Lineage => ({ selector, epoch, signedIn }))),
    )
    const paths = [undefined, '', '/', '/pay', '/pay/', '/Pay', '/pay?x']
    for (const of of sessions) {
      for (const at of paths) {
        const token = make(of, { path: at, cycle: one })
        const places = sessions.flatMap((other) => paths.map((elsewhere) => ({ other, elsewhere })))
        const good = places.filter(({ other, elsewhere }) => judgeToken(keyring, token, other, elsewhere) === 'valid')
        const own = places.filter(({ other, elsewhere }) => other === of && (at === undefined || at === elsewhere))
        expect(good).toEqual(own)
      }
    }
  })
})

describe('an altered token is forged', () => {
  test('with any one bit flipped: every bit of a token of each kind', () => {
    for (const [of, what] of KINDS) {
      const token = bytesOf(make(of, what))
      for (let bit = 0; bit < token.length * 8; bit++) {
        const altered = Buffer.from(token)
        altered[bit >> 3] = (token[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        expect(judge(altered, of, what.path)).toBe('forged')
      }
    }
  })

  test('with any bits flipped', () => {
    fc.assert(
      fc.property(lineage, bound, fc.uint8Array({ minLength: 72, maxLength: 72 }), (of, what, mask) => {
        const token = bytesOf(make(of, what))
        const altered = token.map((byte, index) => byte ^ (mask[index] ?? 0))
        fc.pre(!token.equals(altered))
        expect(judge(Buffer.from(altered), of, what.path)).toBe('forged')
      }),
      RUNS,
    )
  })

  test('with any character replaced', () => {
    fc.assert(
      fc.property(bound, fc.nat(), fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }), (what, index, sign) => {
        const token = make(user, what)
        const place = index % token.length
        fc.pre(token[place] !== sign)
        const altered = `${token.slice(0, place)}${sign}${token.slice(place + 1)}`
        expect(judgeToken(keyring, altered, user, what.path)).toBe('forged')
      }),
      RUNS,
    )
  })

  test('cut off at any place, from either end', () => {
    for (const [of, what] of KINDS) {
      const token = make(of, what)
      for (let length = 0; length < token.length; length++) {
        expect(judgeToken(keyring, token.slice(0, length), of, what.path)).toBe('forged')
        expect(judgeToken(keyring, token.slice(token.length - length), of, what.path)).toBe('forged')
      }
      const bytes = bytesOf(token)
      for (let length = 0; length < bytes.length; length++)
        expect(judge(bytes.subarray(0, length), of, what.path)).toBe('forged')
    }
  })

  test('truncated or extended, at either end or within', () => {
    fc.assert(
      fc.property(bound, fc.nat(72), fc.nat(72), fc.uint8Array({ maxLength: 40 }), (what, from, length, filling) => {
        const token = bytesOf(make(user, what))
        const altered = Buffer.concat([token.subarray(0, from), filling, token.subarray(from + length)])
        fc.pre(!altered.equals(token))
        expect(judge(altered, user, what.path)).toBe('forged')
      }),
      RUNS,
    )
  })

  test('with its fields in another order', () => {
    fc.assert(
      fc.property(bound, fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6], { minLength: 7 }), (what, order) => {
        const token = bytesOf(make(user, what))
        const fields = fieldsOf(token, what)
        const altered = Buffer.concat(order.flatMap((index) => fields[index] ?? []))
        fc.pre(!altered.equals(token))
        expect(judge(altered, user, what.path)).toBe('forged')
      }),
      RUNS,
    )
  })

  test('put together from the fields of two genuine tokens: sessions, paths and cycles swapped', () => {
    const kinds = fc.tuple(
      fc.constantFrom(user, guest),
      fc.record({ path: fc.constantFrom(undefined, '/pay', '/cart'), cycle: fc.constantFrom(undefined, one, two) }),
    )
    fc.assert(
      fc.property(
        kinds,
        kinds,
        fc.array(fc.boolean(), { minLength: 7, maxLength: 7 }),
        ([of, what], [other, otherwise], choice) => {
          const [left, right] = [bytesOf(make(of, what)), bytesOf(make(other, otherwise))]
          const [fields, others] = [fieldsOf(left, what), fieldsOf(right, otherwise)]
          const mixed = Buffer.concat(choice.flatMap((first, index) => (first ? fields : others)[index] ?? []))
          fc.pre(!mixed.equals(left) && !mixed.equals(right))
          for (const [lineageOf, at] of [
            [of, what.path],
            [other, otherwise.path],
          ] as const)
            expect(judge(mixed, lineageOf, at)).toBe('forged')
        },
      ),
      RUNS,
    )
  })

  test("with another's cycle in the place of its own, or one where it had none", () => {
    const ids = fc.uint8Array({ minLength: CYCLE_LENGTH, maxLength: CYCLE_LENGTH })
    fc.assert(
      fc.property(lineage, path, ids, ids, (of, at, id, other) => {
        fc.pre(!Buffer.from(id).equals(Buffer.from(other)))
        const token = bytesOf(make(of, { path: at, cycle: id }))
        const altered = Buffer.from(token)
        altered.set(other, token.length - 16 - CYCLE_LENGTH)
        expect(judge(altered, of, at)).toBe('forged')
        const without = bytesOf(make(of, { path: at }))
        const grafted = Buffer.concat([without.subarray(0, -16), other, without.subarray(-16)])
        grafted[0] = (grafted[0] ?? 0) | 4
        expect(judge(grafted, of, at)).toBe('forged')
      }),
      RUNS,
    )
  })

  test("under another key's fingerprint, known here or not", () => {
    const known = fc.constantFrom(...keyring.all.map((key) => key.fingerprint))
    const any = fc.uint8Array({ minLength: 4, maxLength: 4 })
    fc.assert(
      fc.property(lineage, bound, fc.constantFrom(...keyring.all), fc.oneof(known, any), (of, what, key, print) => {
        fc.pre(!key.fingerprint.equals(print))
        const token = bytesOf(makeToken(key, random, of, what))
        token.set(print, 1)
        expect(judge(token, of, what.path)).toBe('forged')
      }),
      RUNS,
    )
  })

  test('sealed with the key of another purpose, a cookie for example', () => {
    const purposes = fc.constantFrom<MacPurpose>('sid', 'gid', 'visit', 'floor', 'succession', 'adoption')
    fc.assert(
      fc.property(
        lineage,
        bound,
        purposes,
        fc.constantFrom(...keyring.all),
        (of, what, purpose, { fingerprint, keys }) => {
          const wrong: Key = { fingerprint, keys: { ...keys, csrf: keys[purpose] } }
          expect(judgeToken(keyring, makeToken(wrong, random, of, what), of, what.path)).toBe('forged')
          const token = bytesOf(make(of, what))
          const body = token.subarray(0, -16)
          expect(judge(Buffer.concat([body, mac(keys[purpose], [body], 16)]), of, what.path)).toBe('forged')
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
      ...[56, 72, 80, 96].map((length) => fc.stringMatching(new RegExp(`^[\\w-]{${length}}$`))),
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
      fc.property(fc.nat(7), fc.uint8Array({ minLength: 67, maxLength: 67 }), (flags, rest) => {
        const length = 42 + (flags & 1 ? 12 : 0) + (flags & 4 ? CYCLE_LENGTH : 0)
        const token = Buffer.concat([Buffer.of(0x10 | flags), keyring.active.fingerprint, rest]).subarray(0, length)
        expect(judge(token, user, '/pay')).toBe('forged')
      }),
      RUNS,
    )
  })

  test('a tag in the place of the MAC: no part of a genuine token seals another', () => {
    fc.assert(
      fc.property(lineage, bound, fc.nat(56), (of, what, from) => {
        const token = bytesOf(make(of, what))
        const altered = Buffer.concat([token.subarray(0, -16), token.subarray(from, from + 16)])
        fc.pre(altered.length === token.length && !altered.equals(token))
        expect(judge(altered, of, what.path)).toBe('forged')
      }),
      RUNS,
    )
  })

  test('a cookie as a token, and a token as a cookie', () => {
    const reader = new CookieReader(keyring)
    for (const rank of RANKS) {
      const verifier = freshVerifier(random)
      const selector = 'u7Qd0kR2mXw1' as Selector
      const id = { selector, verifier, hash: hashVerifier(verifier), mintedAt: Date.now() }
      expect(judgeToken(keyring, sealId(keyring, rank, id), user, undefined)).toBe('forged')
      for (const [of, what] of KINDS) expect(reader.open(rank, make(of, what))).not.toHaveProperty('id')
    }
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

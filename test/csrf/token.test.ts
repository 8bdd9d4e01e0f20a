import * as crypto from 'node:crypto'
import { readFileSync } from 'node:fs'

import { describe, expect, test, vi } from 'vitest'

import { mac } from '../../src/core/hmac.ts'
import { createKeyring } from '../../src/core/keyring.ts'
import { CYCLE_LENGTH, judgeToken, makeToken, type Lineage } from '../../src/csrf/token.ts'
import { guest, keyring, OLD_SECRET, random, SECRET, user } from './fixtures.ts'

vi.mock('node:crypto', async (original) => {
  const actual = await original<typeof crypto>()
  return { ...actual, timingSafeEqual: vi.fn<typeof crypto.timingSafeEqual>(actual.timingSafeEqual) }
})

const make = (lineage: Lineage, path?: string): string => makeToken(keyring.active, random, lineage, { path })
const makeForCycle = (lineage: Lineage, path?: string): string =>
  makeToken(keyring.active, random, lineage, { path, cycle: Buffer.alloc(CYCLE_LENGTH, 1) })

describe('a token', () => {
  test('is valid for the lineage that it was made for, signed in or not', () => {
    expect(judgeToken(keyring, make(user), user, '/cart')).toBe('valid')
    expect(judgeToken(keyring, make(guest), guest, '/cart')).toBe('valid')
    expect(judgeToken(keyring, make(guest), { ...guest }, undefined)).toBe('valid')
  })

  test('is valid on every server that has the secret, whatever that server made itself', () => {
    const other = createKeyring(SECRET, 'shop')
    expect(judgeToken(other, make(user), user, '/cart')).toBe('valid')
  })

  test('is different at every call, in every part that is not flags or fingerprint', () => {
    const [one, two] = [Buffer.from(make(user, '/pay'), 'base64url'), Buffer.from(make(user, '/pay'), 'base64url')]
    for (const [from, to] of [
      [5, 14],
      [14, 26],
      [26, 38],
      [38, 54],
    ] as const)
      expect(one.subarray(from, to)).not.toEqual(two.subarray(from, to))
  })

  test('has one spelling: 56 characters of base64url, 16 more with a path, 24 more with a cycle', () => {
    expect(make(user)).toMatch(/^[\w-]{56}$/)
    expect(make(user, '/pay')).toMatch(/^[\w-]{72}$/)
    expect(make(user, '')).toMatch(/^[\w-]{72}$/)
    expect(makeForCycle(user)).toMatch(/^[\w-]{80}$/)
    expect(makeForCycle(user, '/pay')).toMatch(/^[\w-]{96}$/)
    const token = make(user)
    for (const other of [
      `${token}=`,
      `${token}==`,
      `${token}\n`,
      ` ${token}`,
      `${token} `,
      `"${token}"`,
      `${token}A`,
      token.slice(1),
      token.slice(0, -1),
    ])
      expect(judgeToken(keyring, other, user, undefined)).toBe('forged')
  })

  test('in the other alphabet of base64 is forged', () => {
    let token = make(user)
    while (!/[-_]/.test(token)) token = make(user)
    expect(judgeToken(keyring, token.replaceAll('-', '+').replaceAll('_', '/'), user, undefined)).toBe('forged')
  })

  test('that a guest made is stale in every other lineage', () => {
    const token = make(guest)
    for (const other of [
      user,
      { ...guest, selector: 'another' },
      { ...guest, epoch: 1 },
      { ...guest, signedIn: true },
      undefined,
    ])
      expect(judgeToken(keyring, token, other, '/cart')).toBe('stale')
  })

  test('that a signed-in session made is of another session in every other lineage', () => {
    const token = make(user)
    for (const other of [
      guest,
      { ...user, selector: 'another' },
      { ...user, epoch: 4 },
      { ...user, signedIn: false },
      undefined,
    ])
      expect(judgeToken(keyring, token, other, '/cart')).toBe('other-session')
  })

  test('does not mistake where the epoch ends and the selector begins', () => {
    const token = make({ selector: '3 4', epoch: 2, signedIn: false })
    expect(judgeToken(keyring, token, { selector: '4', epoch: 23, signedIn: false }, undefined)).toBe('stale')
    expect(
      judgeToken(
        keyring,
        make({ selector: '1x', epoch: 1, signedIn: true }),
        { selector: 'x', epoch: 11, signedIn: true },
        undefined,
      ),
    ).toBe('other-session')
  })

  test('bound to a path serves exactly that path', () => {
    const token = make(user, '/pay')
    expect(judgeToken(keyring, token, user, '/pay')).toBe('valid')
    for (const path of ['/', '/pay/', '/Pay', '/pay?x=1', '/payment', '', undefined])
      expect(judgeToken(keyring, token, user, path)).toBe('wrong-path')
  })

  test('bound to a path is of another session before it is of another path', () => {
    expect(judgeToken(keyring, make(user, '/pay'), guest, '/cart')).toBe('other-session')
    expect(judgeToken(keyring, make(guest, '/pay'), user, '/pay')).toBe('stale')
  })

  test('bound to the empty path serves no other', () => {
    expect(judgeToken(keyring, make(user, ''), user, '')).toBe('valid')
    expect(judgeToken(keyring, make(user, ''), user, '/')).toBe('wrong-path')
    expect(judgeToken(keyring, make(user, ''), user, undefined)).toBe('wrong-path')
  })

  test('tells paths apart that UTF-8 would write alike', () => {
    expect(judgeToken(keyring, make(user, '/\ud800'), user, '/\ud801')).toBe('wrong-path')
  })
})

describe('a changing secret', () => {
  const old = createKeyring(OLD_SECRET, 'shop')

  test('leaves the tokens of the one before valid as long as it verifies', () => {
    expect(judgeToken(keyring, makeToken(old.active, random, user), user, undefined)).toBe('valid')
  })

  test('makes the tokens of a secret that this server does not know forged, never milder', () => {
    for (const lineage of [user, guest, undefined])
      expect(judgeToken(old, make(guest, '/pay'), lineage, '/pay')).toBe('forged')
  })

  test('an application of another name has other tokens', () => {
    expect(judgeToken(createKeyring(SECRET, 'blog'), make(user), user, undefined)).toBe('forged')
  })
})

describe('what was never a token', () => {
  test.each([
    '',
    ',',
    'undefined',
    'null',
    'A'.repeat(56),
    '_'.repeat(72),
    'A'.repeat(1_000_000),
    '\0'.repeat(56),
    'é'.repeat(56),
  ])('%j is forged', (token) => {
    expect(judgeToken(keyring, token, user, '/cart')).toBe('forged')
  })

  test('a value of another type, from a body that types did not keep out, is forged and no crash', () => {
    for (const value of [undefined, null, 7, {}, [], [make(user)], { length: 56 }, true])
      expect(Reflect.apply(judgeToken, undefined, [keyring, value, user, '/cart'])).toBe('forged')
  })
})

const comparisons = (token: string, lineage: Lineage | undefined, path?: string): number => {
  vi.mocked(crypto.timingSafeEqual).mockClear()
  judgeToken(keyring, token, lineage, path)
  return vi.mocked(crypto.timingSafeEqual).mock.calls.length
}

const sealed = (flags: number, length: number): string => {
  const body = Buffer.concat([Buffer.of(flags), keyring.active.fingerprint, random(length - 21)])
  return Buffer.concat([body, mac(keyring.active.keys.csrf, [Buffer.from('token'), body], 16)]).toString('base64url')
}

const LENGTHS = [42, 54, 60, 72]

describe('a sealed token', () => {
  test('of a lineage that nobody has is genuine: the seal of these tests is the real one', () => {
    expect(judgeToken(keyring, sealed(0x10, 42), guest, undefined)).toBe('stale')
    expect(judgeToken(keyring, sealed(0x13, 54), guest, undefined)).toBe('other-session')
  })

  test.each([0x00, 0x20, 0x18, 0x30, 0x90, 0xff])(
    'of format %i, which this version does not know, is forged',
    (flags) => {
      for (const length of LENGTHS) expect(judgeToken(keyring, sealed(flags, length), guest, undefined)).toBe('forged')
    },
  )

  test('with a path tag or a cycle that its flags do not announce, or without one that they do, is forged', () => {
    for (const [flags, own] of [42, 54, 60, 72].map(
      (length, at) => [[0x10, 0x11, 0x14, 0x15][at] ?? 0, length] as const,
    ))
      for (const length of LENGTHS)
        expect(judgeToken(keyring, sealed(flags, length), guest, undefined)).toBe(length === own ? 'stale' : 'forged')
  })
})

describe('secret bytes are compared in constant time', () => {
  test('the MAC, the lineage tag and the path tag each go through timingSafeEqual', () => {
    expect(comparisons(make(user), user)).toBe(2)
    expect(comparisons(make(user), guest)).toBe(2)
    expect(comparisons(make(user, '/pay'), user, '/pay')).toBe(3)
    expect(comparisons(make(user, '/pay'), user, '/cart')).toBe(3)
    expect(comparisons(make(user), undefined)).toBe(1)
    expect(comparisons(makeForCycle(user), user)).toBe(2)
    expect(comparisons(makeForCycle(user, '/pay'), user, '/cart')).toBe(3)
    const token = make(user)
    expect(comparisons(`${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`, user)).toBe(1)
  })

  test('over 16 bytes of MAC and 12 of each tag', () => {
    comparisons(make(user, '/pay'), user, '/pay')
    const sizes = vi
      .mocked(crypto.timingSafeEqual)
      .mock.calls.map(([left, right]) => [left.byteLength, right.byteLength])
    expect(sizes).toEqual([
      [16, 16],
      [12, 12],
      [12, 12],
    ])
  })

  test('and in no other way: nothing in the source of tokens compares bytes by itself', () => {
    const source = readFileSync(new URL('../../src/csrf/token.ts', import.meta.url), 'utf8')
    expect(source.match(/sameBytes\(/g)).toHaveLength(3)
    expect(source).not.toMatch(/\.equals\(|\bcompare\(|\bindexOf\(|\bincludes\(|toString\([^)]*\) [!=]==/)
  })
})

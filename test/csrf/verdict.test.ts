import { describe, expect, test } from 'vitest'

import { csrfVerdict, type CsrfVerdict, type TokenState, type VerdictInput } from '../../src/csrf/verdict.ts'
import type { Evidence } from '../../src/csrf/origin.ts'
import type { CsrfMode } from '../../src/types.ts'

const MODES: readonly CsrfMode[] = ['auto', 'strict', 'report']
const EVIDENCE: readonly Evidence[] = ['safe', 'proven', 'none', 'refused']
const TOKENS: readonly TokenState[] = ['missing', 'unparsed', 'valid', 'stale', 'other-session', 'wrong-path', 'forged']

/** A signed-in visitor's request without evidence or token; each rule says what differs. */
const judge = (differs: Partial<VerdictInput>): CsrfVerdict =>
  csrfVerdict({
    mode: 'auto',
    evidence: 'none',
    token: 'missing',
    ours: true,
    signedIn: true,
    callback: false,
    ended: false,
    ...differs,
  })

const pass = { pass: true }
const refused = (reason: string): object => ({ pass: false, reason })

/** What a token that does not do is refused as, for a signed-in visitor. */
const BAD = [
  ['missing', 'token-missing'],
  ['unparsed', 'body-not-parsed'],
  ['stale', 'token-stale'],
  ['other-session', 'token-other-session'],
  ['wrong-path', 'wrong-path'],
  ['forged', 'token-forged'],
] as const

const proven = (token: TokenState, differs: Partial<VerdictInput> = {}): CsrfVerdict =>
  judge({ evidence: 'proven', token, ...differs })

describe('auto, origin proven', () => {
  test.each(['missing', 'unparsed', 'valid'] as const)('passes with a token that is %s', (token) => {
    expect(proven(token)).toEqual(pass)
    expect(proven(token, { ours: false, signedIn: false })).toEqual(pass)
  })

  test('passes with a stale token, counted', () => {
    expect(proven('stale')).toEqual({ pass: true, count: 'token-stale' })
    expect(proven('stale', { signedIn: false, ended: true })).toEqual({ pass: true, count: 'token-stale' })
  })

  test('refuses a token that is present and forged, bound to another path, or of another signed-in session', () => {
    expect(proven('forged')).toEqual(refused('token-forged'))
    expect(proven('wrong-path')).toEqual(refused('wrong-path'))
    expect(proven('other-session')).toEqual(refused('token-other-session'))
  })

  test('refuses the token of a session after its end as that', () => {
    expect(proven('other-session', { signedIn: false })).toEqual(refused('session-ended'))
    expect(proven('other-session', { signedIn: false, ended: true })).toEqual(refused('session-ended'))
    expect(proven('other-session', { signedIn: false, ours: false })).toEqual(refused('session-ended'))
  })
})

describe('auto, no evidence', () => {
  test('with a cookie of ours passes with a valid token', () => {
    expect(judge({ token: 'valid' })).toEqual(pass)
  })

  test.each(BAD)('with a cookie of ours refuses a token that is %s as %s', (token, reason) => {
    expect(judge({ token })).toEqual(refused(reason))
  })

  test('without a cookie of ours passes as a visitor, and is not proven for a sign-in', () => {
    for (const token of ['missing', 'unparsed'] as const)
      expect(judge({ token, ours: false, signedIn: false })).toEqual({ pass: true, unproven: true })
  })

  test('without a cookie of ours a token that does not do proves nothing either, and is counted', () => {
    for (const [token, count] of [
      ['stale', 'token-stale'],
      ['other-session', 'session-ended'],
      ['wrong-path', 'wrong-path'],
      ['forged', 'token-forged'],
    ] as const)
      expect(judge({ token, ours: false, signedIn: false })).toEqual({ pass: true, unproven: true, count })
  })

  test('the stale token of a session that is over is refused as that', () => {
    expect(judge({ token: 'stale', signedIn: false, ended: true })).toEqual(refused('session-ended'))
    expect(judge({ token: 'other-session', signedIn: false, ended: true })).toEqual(refused('session-ended'))
    expect(judge({ token: 'missing', signedIn: false, ended: true })).toEqual(refused('token-missing'))
  })
})

describe('auto and strict, refused by the headers', () => {
  test.each(TOKENS)('403, whatever the token: %s', (token) => {
    for (const mode of ['auto', 'strict'] as const)
      for (const ours of [true, false])
        expect(judge({ mode, evidence: 'refused', token, ours })).toEqual(refused('origin-refused'))
  })

  test('a declared callback does not pass either: it is answered with the resubmission page', () => {
    for (const mode of ['auto', 'strict'] as const)
      expect(judge({ mode, evidence: 'refused', token: 'valid', callback: true })).toEqual(refused('origin-refused'))
  })
})

describe('strict', () => {
  test.each(['proven', 'none'] as const)('%s: passes with a valid token', (evidence) => {
    expect(judge({ mode: 'strict', evidence, token: 'valid' })).toEqual(pass)
  })

  test.each(BAD)('refuses a token that is %s as %s, origin proven or not, cookie or not', (token, reason) => {
    for (const evidence of ['proven', 'none'] as const)
      for (const ours of [true, false])
        expect(judge({ mode: 'strict', evidence, token, ours })).toEqual(refused(reason))
  })

  test("a callback's resubmission from our own page needs no token, but must not bring a bad one", () => {
    const resubmitted = { mode: 'strict', evidence: 'proven', callback: true } as const
    expect(judge({ ...resubmitted, token: 'missing' })).toEqual(pass)
    expect(judge({ ...resubmitted, token: 'unparsed' })).toEqual(pass)
    expect(judge({ ...resubmitted, token: 'forged' })).toEqual(refused('token-forged'))
    expect(judge({ ...resubmitted, evidence: 'none', token: 'missing' })).toEqual(refused('token-missing'))
  })
})

describe('report', () => {
  test('passes what auto and strict pass, uncounted', () => {
    for (const evidence of ['proven', 'none'] as const)
      expect(judge({ mode: 'report', evidence, token: 'valid' })).toEqual(pass)
  })

  test('passes and counts what auto would have refused', () => {
    expect(judge({ mode: 'report', evidence: 'refused' })).toEqual({
      pass: true,
      count: 'origin-refused',
      under: 'auto',
    })
    for (const [token, count] of BAD)
      expect(judge({ mode: 'report', token })).toEqual({ pass: true, count, under: 'auto' })
    expect(judge({ mode: 'report', evidence: 'proven', token: 'forged' })).toEqual({
      pass: true,
      count: 'token-forged',
      under: 'auto',
    })
  })

  test('passes and counts what only strict would have refused, told apart', () => {
    expect(judge({ mode: 'report', evidence: 'proven' })).toEqual({
      pass: true,
      count: 'token-missing',
      under: 'strict',
    })
    expect(judge({ mode: 'report', evidence: 'proven', token: 'stale' })).toEqual({
      pass: true,
      count: 'token-stale',
      under: 'strict',
    })
    expect(judge({ mode: 'report', ours: false, signedIn: false })).toEqual({
      pass: true,
      count: 'token-missing',
      under: 'strict',
      unproven: true,
    })
  })

  test('marks what auto would have passed as a stranger, so that its sign-in is reported too', () => {
    expect(judge({ mode: 'report', token: 'forged', ours: false, signedIn: false })).toEqual({
      pass: true,
      count: 'token-forged',
      under: 'strict',
      unproven: true,
    })
  })
})

describe('every mode', () => {
  const every = MODES.flatMap((mode) =>
    EVIDENCE.flatMap((evidence) =>
      TOKENS.flatMap((token) =>
        [...Array(32).keys()].map((bits): VerdictInput => {
          const flag = (at: number): boolean => (bits & (1 << at)) !== 0
          return {
            mode,
            evidence,
            token,
            ours: flag(0),
            signedIn: flag(1),
            callback: flag(2),
            ended: flag(3),
            upgrade: flag(4),
          }
        }),
      ),
    ),
  )

  test('lets safe requests pass, uncounted', () => {
    for (const input of every.filter(({ evidence }) => evidence === 'safe')) expect(csrfVerdict(input)).toEqual(pass)
  })

  test('lets an upgrade pass with a proven origin and with nothing else, a valid token included', () => {
    for (const input of every.filter(({ upgrade, evidence }) => upgrade === true && evidence !== 'safe'))
      expect(csrfVerdict(input)).toEqual(input.evidence === 'proven' ? pass : refused('origin-refused'))
  })

  test('strict passes nothing that auto refuses, and report refuses nothing but upgrades', () => {
    for (const input of every) {
      const [auto, strict, report] = (['auto', 'strict', 'report'] as const).map(
        (mode) => csrfVerdict({ ...input, mode }).pass,
      )
      expect(auto || !strict).toBe(true)
      expect(report || input.upgrade).toBe(true)
    }
  })

  test('passes a request with authority of ours only on a proven origin or a valid token', () => {
    for (const input of every) {
      if (input.mode === 'report' || input.evidence === 'safe' || !input.ours || !csrfVerdict(input).pass) continue
      expect(input.evidence === 'proven' || (input.evidence === 'none' && input.token === 'valid')).toBe(true)
    }
  })

  test('calls a pass unproven never in strict, only without evidence, cookie and valid token, and then always', () => {
    for (const input of every) {
      const verdict = csrfVerdict(input)
      const expected =
        input.mode !== 'strict' &&
        input.evidence === 'none' &&
        !input.ours &&
        input.token !== 'valid' &&
        input.upgrade !== true
      expect(verdict.pass && verdict.unproven === true).toBe(expected)
    }
  })
})

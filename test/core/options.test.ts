import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { DEFAULTS, resolveOptions } from '../../src/core/options.ts'
import { createSessions } from '../../src/index.ts'
import { OptionsError } from '../../src/errors.ts'
import type { BaseOptions } from '../../src/types.ts'

const RUNS = 10_000
const quiet = { warn: () => undefined, error: () => undefined }

function refusal(options: object): OptionsError {
  try {
    resolveOptions(options)
  } catch (error) {
    if (error instanceof OptionsError) return error
    throw error
  }
  throw new Error('the options were accepted')
}

describe('options', () => {
  it('are complete, frozen, and the same for undefined as for nothing', () => {
    const none = resolveOptions({ log: quiet })
    expect(Object.isFrozen(none)).toBe(true)
    const undefinedOnes = Object.fromEntries(Object.keys(DEFAULTS).map((key) => [key, undefined]))
    expect(JSON.stringify(resolveOptions({ ...undefinedOnes, log: quiet }))).toBe(JSON.stringify(none))
    expect(none).toMatchObject({
      timers: { idle: 1_800_000, absolute: 43_200_000, renewal: 3_600_000, grace: 60_000 },
      csrf: 'auto',
      sameSite: 'lax',
    })
  })

  it("are never written to, and do not follow later changes of the caller's object", () => {
    const options = Object.freeze({
      trustedOrigins: ['https://a.example'],
      limits: Object.freeze({ depth: 3 }),
      log: quiet,
    })
    const settings = resolveOptions(options)
    options.trustedOrigins.push('https://b.example')
    expect(settings.trustedOrigins).toEqual(['https://a.example'])
  })

  it('take a number for maxPerUser, or what a sign-in beyond it does', () => {
    const of = (maxPerUser: BaseOptions['maxPerUser']): unknown => resolveOptions({ maxPerUser, log: quiet }).maxPerUser
    expect(of(undefined)).toBeUndefined()
    expect(of(3)).toEqual({ most: 3, beyond: 'end-oldest' })
    expect(of({ most: 3 })).toEqual({ most: 3, beyond: 'end-oldest' })
    expect(of({ most: 3, then: 'refuse' })).toEqual({ most: 3, beyond: 'refuse' })
  })

  it.each([
    [{ idleTimout: '30m' }, 'idleTimout', 'Did you mean idleTimeout?'],
    [{ limits: { recordsize: 5 } }, 'limits.recordsize', 'Did you mean limits.recordSize?'],
    [{ cookie: { samesite: 'lax' } }, 'cookie.samesite', 'Did you mean cookie.sameSite?'],
    [{ quite: 1 }, 'quite', 'There is no option quite.'],
    [{ idleTimeout: 1800 }, 'idleTimeout', "such as '30m'"],
    [{ idleTimeout: '0m' }, 'idleTimeout', 'more than zero'],
    [{ absoluteTimeout: '500d' }, 'absoluteTimeout', 'at most 400d'],
    [{ idleTimeout: '13h' }, 'idleTimeout', 'longer than absoluteTimeout'],
    [{ origin: 'shop.example' }, 'origin', 'https://shop.example'],
    [{ origin: 'https://shop.example/path' }, 'origin', 'without a path'],
    [{ origin: 'http://shop.example' }, 'origin', 'in the clear'],
    [{ trustedOrigins: ['*'] }, 'trustedOrigins', 'not an origin'],
    [{ trustProxy: 1 }, 'trustProxy', 'true or false'],
    [{ csrf: 'off' }, 'csrf', "'auto', 'strict', 'report'"],
    [{ name: 'my shop' }, 'name', 'letters'],
    [{ limits: { depth: 0 } }, 'limits.depth', 'whole number'],
    [{ maxPerUser: 0 }, 'maxPerUser', 'whole number from 1'],
    [{ maxPerUser: { most: 1.5 } }, 'maxPerUser', 'whole number from 1'],
    [{ maxPerUser: { mots: 3 } }, 'maxPerUser.mots', 'Did you mean maxPerUser.most?'],
    [{ maxPerUser: { most: 3, then: 'reject' } }, 'maxPerUser.then', "'end-oldest', 'refuse'"],
    [{ callbacks: [{ method: 'post', path: '/x', origins: [] }] }, 'callbacks[0].method', 'capitals'],
    [{ log: {} }, 'log', 'warn'],
    [{ now: 5 }, 'now', 'function'],
  ])('explain themselves: %j', (options, option, words) => {
    const error = refusal(options)
    expect(error).toMatchObject({ option, code: 'ERR_OPTIONS' })
    expect(error.message).toContain(words)
  })

  it('of any shape are accepted or refused with a typed error that names the option', () => {
    const keys = fc.oneof(fc.constantFrom(...Object.keys(DEFAULTS)), fc.string({ maxLength: 12 }))
    const value = fc.oneof(
      fc.anything({ maxDepth: 2, withNullPrototype: true }),
      fc.constantFrom('30m', '1s', 'https://a.example', 'strict', [], {}, true, false, 5),
    )
    fc.assert(
      fc.property(fc.dictionary(keys, value, { maxKeys: 4 }), (options) => {
        try {
          resolveOptions(options)
        } catch (error) {
          expect(error).toBeInstanceOf(OptionsError)
        }
      }),
      { numRuns: RUNS },
    )
  })
})

describe('createSessions', () => {
  it.each([
    [{ secret: 'short' }, 'secret'],
    [{ secret: [] as string[], store: 'redis://127.0.0.1:1' }, 'secret'],
    [{ store: 'redis://127.0.0.1:1' }, 'secret'],
    [{ store: 'mongodb://x', secret: 'x'.repeat(32) }, 'store'],
    [{ store: 'lmdb:', secret: 'x'.repeat(32) }, 'store'],
    [{ store: { load: 1 }, secret: 'x'.repeat(32) }, 'store'],
    [{ secret: { sign: 'x'.repeat(32), verify: ['short'] } }, 'secret'],
    [{ secret: 5 }, 'secret'],
  ])('refuses %j', (options, option) => {
    expect(() => createSessions({ ...(options as BaseOptions), log: quiet })).toThrow(
      expect.objectContaining({ code: 'ERR_OPTIONS', option }),
    )
  })

  it('never shows the password of a store or a secret in an error', () => {
    const secret = 'short-secret'
    for (const options of [{ secret }, { secret: 'x'.repeat(32), store: 'mysql://user:hunter2@db' }]) {
      expect(() => createSessions({ ...options, log: quiet })).toThrow(
        expect.not.objectContaining({ message: expect.stringMatching(/hunter2|short-secret/) as string }),
      )
    }
  })

  it('demands secret and store in production', () => {
    const before = process.env['NODE_ENV']
    process.env['NODE_ENV'] = 'production'
    try {
      expect(() => createSessions({ log: quiet, store: 'memory:' })).toThrow(
        expect.objectContaining({ option: 'secret' }),
      )
      expect(() => createSessions({ log: quiet, secret: 'x'.repeat(32) })).toThrow(
        expect.objectContaining({ option: 'store' }),
      )
    } finally {
      process.env['NODE_ENV'] = before
    }
  })
})

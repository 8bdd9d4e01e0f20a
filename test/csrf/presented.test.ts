import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { UNPARSED } from '../../src/core/visit.ts'
import { presentedToken } from '../../src/csrf/presented.ts'
import { judgeToken, makeToken } from '../../src/csrf/token.ts'
import { keyring, post, random, user } from './fixtures.ts'

const FORM = 'application/x-www-form-urlencoded'
const nothing = { token: undefined, unparsed: false, repeated: false }

describe('the token of a request', () => {
  test('stands in the header x-csrf-token', () => {
    expect(presentedToken(post({ 'x-csrf-token': 'abc' }), undefined)).toEqual({ ...nothing, token: 'abc' })
  })

  test('else in the field _csrf of the body', () => {
    expect(presentedToken(post(), { _csrf: 'abc' })).toEqual({ ...nothing, token: 'abc' })
    const bare: unknown = Object.setPrototypeOf({ _csrf: 'abc' }, null)
    expect(presentedToken(post(), bare)).toEqual({ ...nothing, token: 'abc' })
  })

  test('or in what the web has for forms, or in a field that the parser made an object of', () => {
    const form = new FormData()
    form.set('_csrf', 'abc')
    for (const body of [
      form,
      new URLSearchParams('_csrf=abc'),
      { _csrf: { type: 'field', value: 'abc', fieldname: '_csrf' } },
    ])
      expect(presentedToken(post({ 'content-type': FORM }), body)).toEqual({ ...nothing, token: 'abc' })
    expect(presentedToken(post({ 'content-type': FORM }), new URLSearchParams('a=1'))).toEqual(nothing)
    expect(presentedToken(post({ 'content-type': FORM }), new URLSearchParams())).toEqual({
      ...nothing,
      unparsed: true,
    })
  })

  test('in the header goes before the field', () => {
    expect(presentedToken(post({ 'x-csrf-token': 'abc' }), { _csrf: 'def' }).token).toBe('abc')
  })

  test('is missing where header or field are empty', () => {
    expect(presentedToken(post({ 'x-csrf-token': '' }), { _csrf: '' })).toEqual(nothing)
    expect(presentedToken(post({ 'x-csrf-token': '' }), { _csrf: 'abc' }).token).toBe('abc')
  })

  test('is never taken from the URL', () => {
    expect(presentedToken(post({}, { path: '/cart?_csrf=abc' }), {})).toEqual(nothing)
    expect(presentedToken(post({ referer: 'https://shop.example/?_csrf=abc', cookie: '_csrf=abc' }), {})).toEqual(
      nothing,
    )
  })

  test('is never inherited', () => {
    expect(presentedToken(post(), Object.create({ _csrf: 'abc' }))).toEqual(nothing)
    expect(presentedToken(post(), JSON.parse('{"__proto__":{"_csrf":"abc"}}'))).toEqual(nothing)
  })

  test.each([null, 7, 'abc', true, ['_csrf'], [{ _csrf: 'abc' }], Buffer.from('_csrf=abc'), () => 1])(
    'is not found in the body %j',
    (body) => {
      expect(presentedToken(post(), body).token).toBeUndefined()
    },
  )
})

describe('a token that is not exactly one text', () => {
  const genuine = makeToken(keyring.active, random, user)

  test.each([
    ['a repeated header', { 'x-csrf-token': [genuine, genuine] }, {}],
    ['a repeated header in one line', { 'x-csrf-token': `${genuine}, ${genuine}` }, {}],
    ['a repeated field', {}, { _csrf: [genuine, genuine] }],
    ['a repeated field of a form', {}, new URLSearchParams(`_csrf=${genuine}&_csrf=${genuine}`)],
  ])('%s is there, repeated and never valid', (_, headers, body) => {
    const presented = presentedToken(post(headers), body)
    expect(presented).toMatchObject({ unparsed: false, repeated: true })
    expect(judgeToken(keyring, presented.token ?? '', user, undefined)).toBe('forged')
  })

  test.each([[{ value: genuine }], [7], [null], [true], [{ toString: (): string => genuine }]])(
    'the field %j is there and never valid',
    (field) => {
      const { token } = presentedToken(post(), { _csrf: field })
      expect(token).toBeDefined()
      expect(judgeToken(keyring, token ?? '', user, undefined)).toBe('forged')
    },
  )
})

describe('a body that nobody has parsed', () => {
  const TYPES = [
    FORM,
    `${FORM}; charset=utf-8`,
    'multipart/form-data; boundary=x',
    'Multipart/Form-Data;boundary=x',
    'application/json',
    'application/problem+json;charset=utf-8',
    'text/json',
  ]

  test.each(TYPES)('is told where the headers promise %s', (type) => {
    for (const body of [UNPARSED, undefined, Buffer.from('_csrf=abc')])
      expect(presentedToken(post({ 'content-type': type, 'content-length': '9' }), body)).toEqual({
        ...nothing,
        unparsed: true,
      })
    expect(presentedToken(post({ 'content-type': type, 'transfer-encoding': 'chunked' }), UNPARSED).unparsed).toBe(true)
  })

  test('is told where a parser of another type left an empty object behind for a form', () => {
    expect(presentedToken(post({ 'content-type': 'multipart/form-data; boundary=x' }), {}).unparsed).toBe(true)
    expect(presentedToken(post({ 'content-type': FORM }), {}).unparsed).toBe(true)
    expect(presentedToken(post({ 'content-type': FORM }), '_csrf=abc').unparsed).toBe(true)
  })

  test('is not one that was parsed and has no token', () => {
    expect(presentedToken(post({ 'content-type': FORM }), { a: '1' }).unparsed).toBe(false)
    for (const body of [{}, [], null, 'text', 7])
      expect(presentedToken(post({ 'content-type': 'application/json' }), body).unparsed).toBe(false)
  })

  test.each(['text/plain', 'application/octet-stream', 'application/jsonp', 'x/multipart/form-data', '', undefined])(
    'is not told of the type "%s"',
    (type) => {
      expect(presentedToken(post({ 'content-type': type }), UNPARSED).unparsed).toBe(false)
    },
  )

  test('is not told where there is no body, or where the header brought the token', () => {
    expect(presentedToken(post({ 'content-type': FORM, 'content-length': '0' }), UNPARSED)).toEqual(nothing)
    expect(presentedToken(post({ 'content-type': FORM, 'x-csrf-token': 'abc' }), UNPARSED)).toEqual({
      ...nothing,
      token: 'abc',
    })
  })
})

test('whatever comes as headers and body, nothing throws, and a token is text', () => {
  const value = fc.oneof(fc.string(), fc.array(fc.string()), fc.constantFrom(FORM, 'application/json', undefined))
  const headers = fc.record({ 'x-csrf-token': value, 'content-type': value, 'content-length': value })
  const body = fc.oneof(
    fc.anything({ withNullPrototype: true, withTypedArray: true }),
    fc.record({ _csrf: fc.anything() }),
    fc.constant(UNPARSED),
  )
  fc.assert(
    fc.property(headers, body, (given, parsed) => {
      const { token, unparsed } = presentedToken(post(given), parsed)
      expect(token === undefined || (typeof token === 'string' && token !== '' && !unparsed)).toBe(true)
    }),
    { numRuns: 10_000 },
  )
})

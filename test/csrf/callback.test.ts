import { createHash } from 'node:crypto'

import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import {
  type CallbackSettings,
  declaredCallback,
  matchCallback,
  resubmissionPage,
  RESUBMISSION_CSP,
  RESUBMISSION_HEADERS,
  RESUBMITTED,
} from '../../src/csrf/callback.ts'
import { judgeOrigin } from '../../src/csrf/origin.ts'
import type { RequestFacts } from '../../src/core/request.ts'
import type { Callback } from '../../src/types.ts'
import { post } from './fixtures.ts'

const login: Callback = { method: 'POST', path: '/auth/callback', origins: ['https://login.example'] }
const bank: Callback = { method: 'POST', path: '/auth/callback', origins: ['HTTPS://Bank.Example:443'] }
const callbacks = [login, bank]
const settings = (declared: readonly Callback[] = callbacks): CallbackSettings => ({
  callbacks: declared,
  origin: 'https://shop.example',
  trustedOrigins: [],
  trustProxy: false,
})
const match = (facts: RequestFacts, declared?: readonly Callback[]): Callback | undefined =>
  matchCallback(facts, settings(declared))
const headers = { 'sec-fetch-site': 'cross-site', origin: 'https://login.example' }
const at = { path: '/auth/callback' }

describe('a callback', () => {
  test.each(['cross-site', 'same-site', 'Cross-Site', 'cross-site, cross-site', '', undefined])(
    'is matched by its method, its path and a listed origin where the browser says "%s"',
    (said) => {
      const from = (origin: string): RequestFacts => post({ 'sec-fetch-site': said, origin }, at)
      expect(match(from('https://login.example'))).toBe(login)
      expect(match(from('https://bank.example'))).toBe(bank)
      expect(match(from('https://evil.example'))).toBeUndefined()
    },
  )

  test.each(['same-origin', 'none'])('is not matched where the browser says "%s"', (said) => {
    expect(match(post({ ...headers, 'sec-fetch-site': said }, at))).toBeUndefined()
  })

  test.each([
    '/auth/callback/',
    '/Auth/callback',
    '/auth/callback?x',
    '/auth//callback',
    '//auth/callback',
    '/x/../auth/callback',
    '/auth/callback%2f',
    '/',
  ])('is not matched by the path %s', (path) => {
    expect(match(post(headers, { path }))).toBeUndefined()
    expect(declaredCallback(post({}, { path }), callbacks)).toBeUndefined()
  })

  test.each(['GET', 'PUT', 'post', ''])('is not matched by the method "%s"', (method) => {
    expect(match(post(headers, { ...at, method }))).toBeUndefined()
  })

  test.each([
    'https://evil.example',
    'http://login.example',
    'https://login.example:8443',
    'https://login.example.evil.example',
    'null',
    '',
    undefined,
    'https://login.example, https://evil.example',
  ])('is not matched by the origin "%s"', (origin) => {
    for (const said of ['cross-site', 'same-site', undefined])
      expect(match(post({ 'sec-fetch-site': said, origin }, at))).toBeUndefined()
  })

  test("listed with 'null' is matched by pages that hide their origin, and by no other that is not listed", () => {
    const hidden: Callback[] = [{ ...login, origins: ['null', 'https://login.example'] }]
    expect(match(post({ ...headers, origin: 'null' }, at), hidden)).toBe(hidden[0])
    expect(match(post({ origin: 'null' }, at), hidden)).toBe(hidden[0])
    expect(match(post(headers, at), hidden)).toBe(hidden[0])
    expect(match(post({ ...headers, origin: 'https://evil.example' }, at), hidden)).toBeUndefined()
    expect(match(post({ ...headers, origin: undefined }, at), hidden)).toBeUndefined()
  })

  test("listed with '*' is matched by any other site's page, and by none of our own", () => {
    const anybody: Callback[] = [{ ...login, origins: ['*'] }]
    for (const origin of ['https://acs.some-bank.example', 'null', undefined])
      expect(match(post({ 'sec-fetch-site': 'cross-site', origin }, at), anybody)).toBe(anybody[0])
    for (const [said, origin] of [
      ['same-origin', 'null'],
      ['none', undefined],
      [undefined, undefined],
      [undefined, 'https://shop.example'],
      ['cross-site', 'https://shop.example'],
    ])
      expect(match(post({ 'sec-fetch-site': said, origin }, at), anybody)).toBeUndefined()
  })

  test('is not matched by an upgrade, nor where none is declared', () => {
    expect(match(post(headers, { ...at, upgrade: true }))).toBeUndefined()
    expect(match(post(headers, at), [])).toBeUndefined()
  })

  test('a page of our own is never one, even where our own origin is listed: the resubmission cannot loop', () => {
    const careless: Callback[] = [{ ...login, origins: ['https://shop.example', '*'] }]
    for (const said of ['same-origin', 'cross-site', undefined]) {
      const own = post({ 'sec-fetch-site': said, origin: 'https://shop.example' }, at)
      expect(match(own, careless)).toBeUndefined()
      expect(matchCallback(own, { ...settings(careless), origin: undefined })).toBeUndefined()
    }
    const proxied = post({ origin: 'https://shop.example', host: '10.0.0.7:8080' }, at)
    expect(match(proxied, careless)).toBeUndefined()
    const forwarded = post({ ...proxied.headers, 'x-forwarded-host': 'shop.example', 'x-forwarded-proto': 'https' }, at)
    expect(matchCallback(forwarded, { ...settings(careless), origin: undefined, trustProxy: true })).toBeUndefined()
  })

  test('gives no evidence by being declared: the cross-site request itself stays refused', () => {
    const site = { own: 'https://shop.example', trusted: [], trustProxy: false }
    expect(judgeOrigin(post(headers, at), site).evidence).toBe('refused')
  })

  test('its declaration is found for the resubmission from our own page, by method and path', () => {
    expect(declaredCallback(post({ 'sec-fetch-site': 'same-origin' }, at), callbacks)).toBe(login)
    expect(declaredCallback(post({}, { ...at, method: 'PUT' }), callbacks)).toBeUndefined()
  })
})

/** Text as a browser's parser reads it. */
const unescape = (escaped: string): string =>
  escaped
    .replaceAll(/\r\n?/g, '\n')
    .replaceAll('&#13;', '\r')
    .replaceAll('&#39;', "'")
    .replaceAll('&#96;', '`')
    .replaceAll('&quot;', '"')
    .replaceAll('&gt;', '>')
    .replaceAll('&lt;', '<')
    .replaceAll('&amp;', '&')

/** The hidden inputs of a page. */
const fieldsOf = (page: string): [string, string][] =>
  [...page.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)].map(([, name, value]) => [
    unescape(name ?? ''),
    unescape(value ?? ''),
  ])

const sha256 = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`

const skeleton = (page: string): string =>
  page.replaceAll(/<input type="hidden" name="[^"<>]*" value="[^"<>]*">\n?/g, '')

describe('the resubmission page', () => {
  const page = resubmissionPage('/auth/callback?a=1&b=2', [
    ['code', 'x"><script>alert(1)</script>'],
    ['submit', '1'],
    ['code', "again & 'again'"],
  ])

  test('submits the same fields, in order, by POST to the same address', () => {
    expect(page).toContain('<form method="post" action="/auth/callback?a=1&amp;b=2"')
    expect(fieldsOf(page)).toEqual([
      ['code', 'x"><script>alert(1)</script>'],
      ['submit', '1'],
      ['code', "again & 'again'"],
      ['_csrf', RESUBMITTED],
    ])
  })

  test('says that it is one, and takes over nobody else’s token', () => {
    expect(fieldsOf(resubmissionPage('/', [['_csrf', 'theirs']]))).toEqual([['_csrf', RESUBMITTED]])
  })

  test('runs exactly the one script whose hash its policy names, and uses the one style', () => {
    const script = [...page.matchAll(/<script>(.*?)<\/script>/gs)]
    const style = /<style>(.*?)<\/style>/s.exec(page)
    expect(script).toHaveLength(1)
    expect(RESUBMISSION_CSP).toContain(`script-src ${sha256(script[0]?.[1] ?? '')};`)
    expect(RESUBMISSION_CSP).toContain(`style-src ${sha256(style?.[1] ?? '')};`)
    expect(RESUBMISSION_CSP).toContain("default-src 'none'")
    expect(RESUBMISSION_CSP).not.toContain('unsafe')
  })

  test('has a language, a title, a heading and a visible button, for those without JavaScript', () => {
    for (const part of ['<html lang="en">', '<title>', '<main>', '<h1>', '<button>Continue</button>'])
      expect(page).toContain(part)
  })

  test('is kept by no cache and keeps its origin in the next request', () => {
    expect(RESUBMISSION_HEADERS).toMatchObject({
      'content-security-policy': RESUBMISSION_CSP,
      'cache-control': 'no-store',
      'referrer-policy': 'same-origin',
      'content-type': 'text/html; charset=utf-8',
    })
  })

  test.each([
    '//evil.example/x',
    '/\\evil.example',
    '/\t/evil.example',
    '/\n/evil.example',
    'https://evil.example/',
    'javascript:alert(1)',
    'evil',
    '',
    ' /x',
    '\\\\evil.example',
  ])('sends nothing to %j: without an action, the form goes to the address of the page', (url) => {
    expect(resubmissionPage(url, [])).toContain('<form method="post" accept-charset="utf-8">')
  })

  test('whatever the fields are, they come back, and the rest of the page stays as it is', () => {
    const empty = skeleton(resubmissionPage('/', []))
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('"', "'>", '</form>', '\r\n', '&amp;', '&#13;', '<!--', '`'),
    )
    fc.assert(
      fc.property(fc.array(fc.tuple(text, text), { maxLength: 5 }), (fields) => {
        const made = resubmissionPage('/', fields)
        expect(fieldsOf(made)).toEqual([...fields, ['_csrf', RESUBMITTED]])
        expect(skeleton(made).replaceAll('\n', '')).toBe(empty.replaceAll('\n', ''))
      }),
      { numRuns: 10_000 },
    )
  })

  test('whatever the address is, it stays on this host', () => {
    const start = fc.constantFrom('', '/', '//', '/\\', '/\t/', '/.', 'https://', 'javascript:')
    fc.assert(
      fc.property(start, fc.oneof(fc.webPath(), fc.domain(), fc.string({ unit: 'binary' })), (before, after) => {
        const made = resubmissionPage(before + after, [])
        const action = / action="([^"]*)"/.exec(made)?.[1]?.replaceAll('&amp;', '&')
        expect(new URL(action ?? '', 'https://shop.example/auth').origin).toBe('https://shop.example')
      }),
      { numRuns: 10_000 },
    )
  })
})

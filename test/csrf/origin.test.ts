import { describe, expect, test } from 'vitest'

import { judgeOrigin, normaliseOrigin, requestOrigin, type Evidence, type Site } from '../../src/csrf/origin.ts'
import { post } from './fixtures.ts'

const site: Site = { own: 'https://shop.example', trusted: ['https://partner.example'], trustProxy: false }
const unconfigured: Site = { own: undefined, trusted: [], trustProxy: false }
const evidence = (
  headers: Parameters<typeof post>[0],
  differs?: Parameters<typeof post>[1],
  of: Site = site,
): Evidence => judgeOrigin(post(headers, differs), of).evidence

const OWN = 'https://shop.example'
const TRUSTED = 'https://partner.example'
const EVIL = 'https://evil.example'

describe('methods', () => {
  test.each(['GET', 'HEAD', 'OPTIONS', 'TRACE'])('%s is safe, wherever it comes from', (method) => {
    expect(evidence({ 'sec-fetch-site': 'cross-site', origin: EVIL }, { method })).toBe('safe')
  })

  test.each(['POST', 'PUT', 'PATCH', 'DELETE', 'CONNECT', 'QUERY', 'PURGE', 'get', 'Head', ''])(
    'method "%s" changes something, known or not',
    (method) => {
      expect(evidence({ 'sec-fetch-site': 'cross-site' }, { method })).toBe('refused')
      expect(evidence({}, { method })).toBe('none')
    },
  )
})

describe('Sec-Fetch-Site', () => {
  test('same-origin proves the origin', () => {
    expect(evidence({ 'sec-fetch-site': 'same-origin' })).toBe('proven')
    expect(evidence({ 'sec-fetch-site': ['same-origin'] })).toBe('proven')
  })

  test('none (typed, bookmarked) proves the origin', () => {
    expect(evidence({ 'sec-fetch-site': 'none' })).toBe('proven')
  })

  test.each(['same-site', 'cross-site'])('%s is refused without an Origin', (value) => {
    expect(evidence({ 'sec-fetch-site': value })).toBe('refused')
    expect(evidence({ 'sec-fetch-site': value, referer: `${OWN}/cart` })).toBe('refused')
  })

  test.each(['same-site', 'cross-site'])(
    '%s is refused with an Origin that is not trusted, our own included',
    (value) => {
      for (const origin of [
        EVIL,
        OWN,
        'null',
        '',
        `${TRUSTED}, ${TRUSTED}`,
        'https://partner.example.evil.example',
        'http://partner.example',
      ])
        expect(evidence({ 'sec-fetch-site': value, origin })).toBe('refused')
    },
  )

  test.each(['same-site', 'cross-site'])('%s passes with an Origin on the trusted list', (value) => {
    expect(evidence({ 'sec-fetch-site': value, origin: TRUSTED })).toBe('proven')
    expect(
      evidence({ 'sec-fetch-site': value, origin: TRUSTED }, {}, { ...site, trusted: ['HTTPS://Partner.example:443'] }),
    ).toBe('proven')
  })

  const ODD = [
    'Same-Origin',
    'SAME-ORIGIN',
    'same-origin ',
    '',
    'same-origin, same-origin',
    'cross-origin',
    'same-origin;x',
    '*',
  ]
  test.each(ODD)('"%s" is read as absent, and counted', (value) => {
    const judge = (headers: object): unknown => judgeOrigin(post({ 'sec-fetch-site': value, ...headers }), site)
    expect(judge({})).toEqual({ evidence: 'none', odd: true })
    expect(judge({ origin: OWN })).toEqual({ evidence: 'proven', odd: true })
    expect(judge({ origin: EVIL })).toEqual({ evidence: 'refused', odd: true })
  })

  test('a repeated header is read as absent, and counted, whatever its values', () => {
    const judged = judgeOrigin(post({ 'sec-fetch-site': ['same-origin', 'cross-site'] }), site)
    expect(judged).toEqual({ evidence: 'none', odd: true })
  })

  test('known values and an absent header are not counted', () => {
    for (const value of ['same-origin', 'none', 'same-site', 'cross-site', undefined])
      expect(judgeOrigin(post({ 'sec-fetch-site': value }), site).odd).toBe(false)
  })
})

describe('Origin, where Sec-Fetch-Site is absent', () => {
  test.each([OWN, 'https://shop.example:443', 'HTTPS://SHOP.EXAMPLE'])('%s is our own: proven', (origin) => {
    expect(evidence({ origin })).toBe('proven')
  })

  test('a trusted origin proves as well', () => {
    expect(evidence({ origin: TRUSTED })).toBe('proven')
  })

  const OTHERS = [
    EVIL,
    'http://shop.example', // the scheme counts
    'https://shop.example:8443', // the port counts
    'https://sub.shop.example',
    'https://shop.example.evil.example',
    'https://shop.example@evil.example',
    'https://shop.example.',
    'https://shop.example/',
    'https://shop.example ',
    'wss://shop.example',
    'shop.example',
    'NULL',
    '',
  ]
  test.each(OTHERS)('"%s" is another origin: refused, also with a Referer of ours', (origin) => {
    expect(evidence({ origin })).toBe('refused')
    expect(evidence({ origin, referer: `${OWN}/cart` })).toBe('refused')
  })

  test('a repeated Origin is refused, even if each is our own', () => {
    expect(evidence({ origin: [OWN, OWN] })).toBe('refused')
    expect(evidence({ origin: `${OWN}, ${OWN}` })).toBe('refused')
    expect(evidence({ origin: `${OWN} ${OWN}` })).toBe('refused')
    expect(evidence({ origin: 'null, null' })).toBe('refused')
  })

  test('Origin: null is no evidence, also with a Referer of ours', () => {
    expect(evidence({ origin: 'null' })).toBe('none')
    expect(evidence({ origin: 'null', referer: `${OWN}/cart` })).toBe('none')
  })

  test('a trusted list that says null trusts nobody', () => {
    const open: Site = { ...site, trusted: ['null', '', '*'] }
    expect(evidence({ origin: 'null' }, {}, open)).toBe('none')
    expect(evidence({ origin: 'null', 'sec-fetch-site': 'cross-site' }, {}, open)).toBe('refused')
    expect(evidence({ origin: '*' }, {}, open)).toBe('refused')
  })
})

describe('Referer, where Sec-Fetch-Site and Origin are absent', () => {
  test.each([OWN, `${OWN}/`, `${OWN}/cart?x=https://evil.example`, `${OWN}:443/cart#top`, `${TRUSTED}/pay`])(
    '%s proves the origin',
    (referer) => {
      expect(evidence({ referer })).toBe('proven')
    },
  )

  const OTHERS = [
    `${EVIL}/cart`,
    'http://shop.example/cart',
    'https://shop.example:8443/',
    `${EVIL}/?${OWN}/`,
    `${EVIL}#${OWN}`,
    `${EVIL}\\@shop.example/`,
    'https://shop.example@evil.example/',
    'https://user@shop.example/',
    'android-app://com.example',
    'https:shop.example',
    'data:text/html,x',
    'garbage',
  ]
  test.each(OTHERS)('"%s" is of another: refused', (referer) => {
    expect(evidence({ referer })).toBe('refused')
  })

  test('a repeated Referer is refused', () => {
    expect(evidence({ referer: [`${EVIL}/`, `${OWN}/`] })).toBe('refused')
  })

  test('neither Origin nor Referer is no evidence, and so is about:blank', () => {
    expect(evidence({})).toBe('none')
    expect(evidence({ referer: '' })).toBe('none')
    expect(evidence({ referer: 'about:blank' })).toBe('none')
  })
})

describe('an upgrade (WebSocket)', () => {
  const upgrade = { method: 'GET', upgrade: true }

  test('passes the header verdict only with a proven origin', () => {
    expect(evidence({ origin: OWN }, upgrade)).toBe('proven')
    expect(evidence({ origin: TRUSTED }, upgrade)).toBe('proven')
    expect(evidence({ 'sec-fetch-site': 'same-origin' }, upgrade)).toBe('proven')
  })

  test('is refused from elsewhere, and where nothing proves its origin', () => {
    expect(evidence({ origin: EVIL }, upgrade)).toBe('refused')
    expect(evidence({ 'sec-fetch-site': 'cross-site' }, upgrade)).toBe('refused')
    expect(evidence({ origin: 'null' }, upgrade)).toBe('refused')
    expect(evidence({}, upgrade)).toBe('refused')
  })
})

describe('the own origin', () => {
  test('where it is configured, the Host header counts for nothing', () => {
    expect(evidence({ host: 'evil.example', origin: EVIL })).toBe('refused')
    expect(evidence({ host: 'evil.example', origin: OWN })).toBe('proven')
  })

  test('where it is not, it is scheme and host of the request', () => {
    expect(evidence({ origin: OWN }, {}, unconfigured)).toBe('proven')
    expect(evidence({ origin: EVIL }, {}, unconfigured)).toBe('refused')
    expect(evidence({ host: 'Shop.Example:443', origin: OWN }, {}, unconfigured)).toBe('proven')
    expect(evidence({ host: undefined, ':authority': 'shop.example', origin: OWN }, {}, unconfigured)).toBe('proven')
  })

  test('on a TLS connection the scheme counts', () => {
    expect(evidence({ origin: 'http://shop.example' }, { secure: true }, unconfigured)).toBe('refused')
  })

  test('on a plain connection TLS may have ended in front: the same host is ours under http and https, other ports are not', () => {
    const plain = { secure: false }
    expect(evidence({ origin: 'http://shop.example' }, plain, unconfigured)).toBe('proven')
    expect(evidence({ origin: OWN }, plain, unconfigured)).toBe('proven')
    expect(evidence({ origin: 'https://shop.example:8443' }, plain, unconfigured)).toBe('refused')
    expect(evidence({ origin: 'https://shop.example:80' }, plain, unconfigured)).toBe('refused')
    expect(evidence({ host: 'localhost:3000', origin: 'http://localhost:3000' }, plain, unconfigured)).toBe('proven')
    expect(evidence({ host: 'localhost:3000', origin: 'http://localhost:3001' }, plain, unconfigured)).toBe('refused')
  })

  test('forwarded headers count only behind a trusted proxy', () => {
    const forwarded = {
      host: 'app-1:3000',
      'x-forwarded-host': 'shop.example',
      'x-forwarded-proto': 'https',
      origin: OWN,
    }
    expect(evidence(forwarded, { secure: false }, unconfigured)).toBe('refused')
    expect(evidence(forwarded, { secure: false }, { ...unconfigured, trustProxy: true })).toBe('proven')
  })

  test('the scheme that a trusted proxy names counts', () => {
    const proxied: Site = { ...unconfigured, trustProxy: true }
    const plain = { secure: false }
    expect(evidence({ 'x-forwarded-proto': 'https', origin: 'http://shop.example' }, plain, proxied)).toBe('refused')
    expect(evidence({ 'x-forwarded-proto': 'http', origin: OWN }, plain, proxied)).toBe('refused')
    expect(evidence({ 'x-forwarded-proto': 'HTTPS, http', origin: OWN }, plain, proxied)).toBe('proven')
  })

  test.each([
    undefined,
    '',
    'a b',
    'shop.example, evil.example',
    'user@shop.example',
    'shop.example/x',
    '[::1',
    'shop.example:99999',
  ])('a request with the host "%s" has no own origin: any Origin is refused', (host) => {
    expect(requestOrigin(post({ host }), false)).toBeUndefined()
    expect(evidence({ host, origin: OWN }, {}, unconfigured)).toBe('refused')
    expect(evidence({ host }, {}, unconfigured)).toBe('none')
  })
})

describe('requestOrigin', () => {
  test('is what the connection shows', () => {
    expect(requestOrigin(post(), false)).toBe('https://shop.example')
    expect(requestOrigin(post({}, { secure: false }), false)).toBe('http://shop.example')
    expect(requestOrigin(post({ 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'http' }), false)).toBe(
      'https://shop.example',
    )
  })

  test('behind a trusted proxy it is the first item of what that forwards, else what the connection shows', () => {
    const forwarded = { 'x-forwarded-host': 'www.shop.example:8443, inner', 'x-forwarded-proto': 'https,http' }
    expect(requestOrigin(post(forwarded, { secure: false }), true)).toBe('https://www.shop.example:8443')
    expect(requestOrigin(post({ 'x-forwarded-proto': 'gopher', 'x-forwarded-host': '' }), true)).toBe(
      'https://shop.example',
    )
  })
})

describe('normaliseOrigin', () => {
  test.each([
    ['https://shop.example', 'https://shop.example'],
    ['HTTPS://Shop.Example:443', 'https://shop.example'],
    ['http://shop.example:80', 'http://shop.example'],
    ['http://shop.example:0443', 'http://shop.example:443'],
    ['https://bücher.example', 'https://xn--bcher-kva.example'],
    ['http://[::1]:3000', 'http://[::1]:3000'],
    ['http://[0:0:0:0:0:0:0:1]', 'http://[::1]'],
    ['http://127.0.0.1:8080', 'http://127.0.0.1:8080'],
    ['capacitor://LocalHost', 'capacitor://localhost'],
  ])('writes %s as %s', (text, origin) => {
    expect(normaliseOrigin(text)).toBe(origin)
    expect(normaliseOrigin(origin)).toBe(origin)
  })

  const NONE = [
    '',
    'null',
    'shop.example',
    'https://',
    'https:shop.example',
    'https://shop.example/',
    'https://a/b',
    'https://a?b',
    'https://a#b',
  ]
  test.each([
    ...NONE,
    'https://u@a',
    'https://u:p@a',
    ' https://a',
    'https://a ',
    'https://a\n',
    'https://a,b',
    'https://a:',
    'https://a:70000',
    'file://x',
    'https://\\a',
    'https://*',
    'https://*.a',
    'https://a%2eb',
    '//a',
  ])('"%s" is no origin', (text) => {
    expect(normaliseOrigin(text)).toBeUndefined()
  })
})

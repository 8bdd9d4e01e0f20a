/** `Cookie`, and what of it is sent. */
import { describe, expect, test } from 'vitest'

import { implementations } from './implementations.ts'
import { open, type Handler } from './site.ts'

const KEEPS: Handler = (request, response) => {
  request.session!['kept'] = true
  response.end(JSON.stringify(request.session!.cookie))
}

describe.each(implementations)('$name', ({ session, differs }) => {
  const { Cookie } = session

  test('without options', () => {
    const cookie = new Cookie()
    expect(JSON.parse(JSON.stringify(cookie))).toEqual({
      originalMaxAge: null,
      expires: null,
      httpOnly: true,
      path: '/',
    })
    expect(Object.keys(cookie)).toEqual(['path', '_expires', 'originalMaxAge', 'httpOnly'])
    expect(new Cookie(null).maxAge).toBe(null)
  })

  test.each(['text', 5, true, () => undefined])('%s is no options', (options) => {
    if (options === true || options === 5 || typeof options === 'string' || typeof options === 'function')
      expect(() => new Cookie(options)).toThrow(/argument options/)
  })

  test('takes over what it is given, but not data', () => {
    const cookie = new Cookie({ secure: true, domain: 'a.example', strange: 1, data: 2 })
    expect([cookie['secure'], cookie['domain'], cookie['strange']]).toEqual([true, 'a.example', 1])
    expect(cookie['data']).toMatchObject({ secure: true, domain: 'a.example', path: '/' })
  })

  test('maxAge counts down to expires', () => {
    const cookie = new Cookie({ maxAge: 60_000 })
    expect(cookie.expires).toBeInstanceOf(Date)
    expect(Number(cookie.maxAge)).toBeGreaterThan(59_000)
    expect([60_000, differs({ original: 59_999, dropIn: 60_000 })]).toContain(cookie.originalMaxAge)
    cookie.maxAge = null
    expect([cookie.expires, cookie.maxAge, cookie.originalMaxAge]).toEqual([null, null, null])
    cookie.maxAge = false
    expect([cookie.expires, cookie.maxAge]).toEqual([false, false])
  })

  test.each(['soon', '12', true, {}])('maxAge %j is an error', (maxAge) => {
    expect(() => new Cookie({ maxAge })).toThrow(/maxAge/)
  })

  test('expires is kept as the same object, and starts the age anew', () => {
    const date = new Date(Date.now() + 5_000)
    const cookie = new Cookie({ expires: date })
    expect(cookie.expires).toBe(date)
    expect(Number(cookie.originalMaxAge)).toBeGreaterThan(4_000)
  })

  test('of maxAge and expires the later one counts', () => {
    expect(new Cookie({ maxAge: 1_000, expires: null }).expires).toBe(null)
    expect(new Cookie({ expires: null, maxAge: 1_000 }).expires).toBeInstanceOf(Date)
  })

  test('originalMaxAge is taken where it is given', () => {
    expect(new Cookie({ originalMaxAge: 7 }).originalMaxAge).toBe(7)
  })

  test.each<[object, string]>([
    [{}, 'n=v; Path=/; HttpOnly'],
    [{ httpOnly: false, path: '/a' }, 'n=v; Path=/a'],
    [{ path: '' }, 'n=v; HttpOnly'],
    [{ domain: '.a.example' }, 'n=v; Domain=.a.example; Path=/; HttpOnly'],
    [{ secure: true }, 'n=v; Path=/; HttpOnly; Secure'],
    [{ sameSite: true }, 'n=v; Path=/; HttpOnly; SameSite=Strict'],
    [{ sameSite: 'NONE' }, 'n=v; Path=/; HttpOnly; SameSite=None'],
    [{ sameSite: 'lax' }, 'n=v; Path=/; HttpOnly; SameSite=Lax'],
    [{ sameSite: false }, 'n=v; Path=/; HttpOnly'],
    [{ partitioned: true, priority: 'high' }, 'n=v; Path=/; HttpOnly; Partitioned; Priority=High'],
    [{ expires: new Date(0) }, 'n=v; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly'],
  ])('%j is written as %s', (options, text) => {
    expect(new Cookie(options).serialize('n', 'v')).toBe(text)
  })

  test.each(['expires', 'sameSite', 'priority', 'domain', 'path'])('a bad %s is an error', (option) => {
    expect(() => new Cookie({ [option]: '\u0000;' }).serialize('n', 'v')).toThrow(`option ${option} is invalid`)
  })

  test('values are percent-encoded; a bad name is an error', () => {
    expect(new Cookie().serialize('n', 'a b;c')).toMatch(/^n=a%20b%3Bc;/)
    expect(() => new Cookie().serialize('n n', 'v')).toThrow('argument name is invalid')
  })

  test('Expires minus Date is maxAge, to the second', async () => {
    await using site = await open(session, { cookie: { maxAge: 60_000 } }, KEEPS)
    const { cookies, headers } = await site.get()
    const expires = Date.parse(/Expires=([^;]+)/.exec(cookies[0]!)![1]!)
    expect(Math.abs(expires - Date.parse(String(headers.date)) - 60_000)).toBeLessThanOrEqual(1_000)
  })

  test('a cookie that cannot be written: the response leaves, and then there is an error', async () => {
    await using site = await open(session, { cookie: { expires: new Date(Number.NaN) } }, KEEPS)
    expect((await site.get()).status).toBe(200)
    expect(site.errors).toEqual(['option expires is invalid'])
  })

  describe('secure', () => {
    const forwarded = { 'x-forwarded-proto': 'HTTPS, http' }

    test.each<[string, object, Record<string, string>, boolean]>([
      ['plain HTTP', {}, {}, false],
      ['a proxy that is not believed', {}, forwarded, false],
      ['a proxy that is believed', { proxy: true }, forwarded, true],
      ['a proxy that is believed and says http', { proxy: true }, { 'x-forwarded-proto': 'http, https' }, false],
      ['a proxy that is believed and says nothing', { proxy: true }, {}, false],
      ['proxy: false', { proxy: false }, forwarded, false],
    ])('over %s', async (_how, options, headers, sent) => {
      await using site = await open(session, { cookie: { secure: true }, ...options }, KEEPS)
      expect((await site.get({ headers })).cookies.length).toBe(sent ? 1 : 0)
    })

    test.each([undefined, true, false])('over TLS it is sent, whatever proxy says (%s)', async (proxy) => {
      await using site = await open(session, { cookie: { secure: 'auto' }, proxy }, KEEPS, ({ socket }) => {
        Object.assign(socket, { encrypted: true })
      })
      expect((await site.get()).cookies[0]).toMatch(/HttpOnly; Secure$/)
    })

    test.each([true, false])('request.secure is believed where proxy is left out: %s', async (secure) => {
      await using site = await open(session, { cookie: { secure: true } }, KEEPS, (request) => {
        request['secure'] = secure
      })
      expect((await site.get()).cookies.length).toBe(secure ? 1 : 0)
    })
  })

  describe("'auto'", () => {
    const auto = { secure: 'auto', sameSite: 'auto' }
    const https = { 'x-forwarded-proto': 'https' }

    test('goes by the connection', async () => {
      await using site = await open(session, { proxy: true, cookie: auto }, KEEPS)
      expect((await site.get()).cookies[0]).toMatch(/HttpOnly; SameSite=Lax$/)
      site.cookie = undefined
      expect((await site.get({ headers: https })).cookies[0]).toMatch(/HttpOnly; Secure; SameSite=None$/)
    })

    test('also with a function', async () => {
      await using site = await open(session, { proxy: true, cookie: () => auto }, KEEPS)
      // The original takes the word itself for the value: then nothing is sent over HTTP, and over HTTPS there is an error.
      expect((await site.get()).cookies.length).toBe(differs({ original: 0, dropIn: 1 }))
      expect((await site.get({ headers: https })).cookies.length).toBe(differs({ original: 0, dropIn: 0 }))
    })
  })

  test('a function is asked for the path and for the cookie', async () => {
    let asked = 0
    const cookie = (): object => {
      asked++
      return { path: '/', maxAge: 1_000 }
    }
    await using site = await open(session, { cookie }, KEEPS)
    await site.get()
    expect(asked).toBe(2)
    await site.get()
    expect(asked).toBe(3)
  })

  test.each<[string, Handler, string[]]>([
    [
      'setHeader',
      (_request, response) => {
        response.setHeader('Set-Cookie', 'a=1')
        response.end()
      },
      ['a=1'],
    ],
    [
      'writeHead',
      (_request, response) => {
        response.setHeader('Set-Cookie', 'gone=1')
        response.writeHead(201, { 'Set-Cookie': ['a=1', 'b=2'] })
        response.end()
      },
      ['a=1', 'b=2'],
    ],
    [
      'writeHead with a list',
      (_request, response) => {
        response.writeHead(201, 'Made', ['Set-Cookie', 'a=1', 'X-Other', 'x', 'Set-Cookie', 'b=2'])
        response.end()
      },
      ['a=1', 'b=2'],
    ],
  ])('comes after the cookies of %s', async (_how, handler, others) => {
    await using site = await open(session, { saveUninitialized: true }, handler)
    const { cookies } = await site.get()
    expect(cookies.slice(0, -1)).toEqual(others)
    expect(cookies.at(-1)).toMatch(/^connect\.sid=/)
  })
})

/** What stands around sessions in an application: cookie-parser, helmet, compression, a rate limit, a proxy. */
import { gunzipSync } from 'node:zlib'
import { request as ask } from 'node:http'

import compression from 'compression'
import type { RequestHandler } from 'express'
import { describe, expect, test } from 'vitest'

import { middlewareOf, peer, SECRET, serve, sessionOf, stacks, type Serving, type Stack } from './stack.ts'

const cookieParser = await peer<(secret?: string) => RequestHandler>('cookie-parser')
const helmet = await peer<() => RequestHandler>('helmet')
const limit = await peer<(options: object) => RequestHandler>('express-rate-limit')

const LONG = 'a long page '.repeat(20_000)
const SLOW = 60

interface Around {
  readonly before?: readonly RequestHandler[]
  readonly after?: readonly RequestHandler[]
  readonly options?: object
  readonly settings?: Readonly<Record<string, unknown>>
}

async function open(stack: Stack, { before = [], after = [], options, settings = {} }: Around): Promise<Serving> {
  const store = new stack.session.MemoryStore()
  const set = store.set.bind(store)
  store.set = (id, session, done) => setTimeout(() => set(id, session, done), SLOW)
  const app = stack.express()
  for (const [name, value] of Object.entries(settings)) app.set(name, value)
  for (const handler of before) app.use(handler)
  app.use(middlewareOf(stack, { store, ...options }))
  for (const handler of after) app.use(handler)
  app.get('/in', (request, response) => {
    sessionOf(request)['user'] = 'ada'
    response.send(LONG)
  })
  app.get('/stream', (request, response) => {
    sessionOf(request)['user'] = 'bob'
    response.type('text/plain')
    for (let piece = 0; piece < 10; piece++) response.write(LONG)
    response.end()
  })
  app.get('/', (request, response) => {
    response.send(
      `${String(sessionOf(request)['user'])} ${JSON.stringify((request as { cookies?: object }).cookies ?? {})}`,
    )
  })
  return serve(app)
}

/** The body as it came, and when its first byte did, in milliseconds. */
function raw(origin: string, path: string): Promise<{ bytes: Buffer; encoding: string | undefined; after: number }> {
  return new Promise((resolve, reject) => {
    const asked = performance.now()
    ask(origin + path, { headers: { 'accept-encoding': 'gzip' }, agent: false }, (response) => {
      const after = performance.now() - asked
      const pieces: Buffer[] = []
      response.on('data', (piece: Buffer) => pieces.push(piece))
      response.on('end', () =>
        resolve({ bytes: Buffer.concat(pieces), encoding: response.headers['content-encoding'], after }),
      )
    })
      .on('error', reject)
      .end()
  })
}

describe.each(stacks)('$framework, $name', (stack) => {
  test.each([
    ['with the same secret', SECRET],
    ['with another', 'another secret'],
    ['without', undefined],
  ])('cookie-parser before it, %s', async (_how, secret) => {
    await using shop = await open(stack, { before: [cookieParser(secret)] })
    const browser = shop.browser()
    await browser.ask('/in')
    expect((await browser.ask('/')).text).toMatch(/^ada /)
  })

  test('a secret of cookie-parser’s alone', async () => {
    await using shop = await open(stack, { before: [cookieParser(SECRET)], options: { secret: undefined } })
    const browser = shop.browser()
    await browser.ask('/in')
    expect((await browser.ask('/')).text).toMatch(/^ada /)
  })

  test('helmet: its headers and our cookie', async () => {
    await using shop = await open(stack, { before: [helmet()] })
    const { headers, cookies } = await shop.browser().ask('/in')
    expect([headers.get('x-content-type-options'), cookies.length]).toEqual(['nosniff', 1])
  })

  describe.each([
    ['before', { before: [compression()] }],
    ['after', { after: [compression()] }],
  ])('compression %s it', (_where, around) => {
    test.each([
      ['/in', LONG],
      ['/stream', LONG.repeat(10)],
    ])('%s is compressed, whole, and not sent before its session is saved', async (path, text) => {
      await using shop = await open(stack, around)
      const { bytes, encoding, after } = await raw(shop.origin, path)
      expect([encoding, gunzipSync(bytes).toString() === text]).toEqual(['gzip', true])
      // The original sends what is compressed already.
      if (stack.differs({ original: false, dropIn: true })) expect(after).toBeGreaterThanOrEqual(SLOW - 2)
    })
  })

  test('express-rate-limit by session: each visitor has a measure of his own', async () => {
    const limiter = limit({
      windowMs: 60_000,
      limit: 2,
      keyGenerator: (request: object) => (request as { sessionID: string }).sessionID,
    })
    await using shop = await open(stack, { after: [limiter] })
    const visitors = [shop.browser(), shop.browser()]
    // The first page of each is under an id that is new; from then on it is theirs.
    for (const visitor of visitors) await visitor.ask('/in')
    const statuses: number[] = []
    for (let visit = 0; visit < 2; visit++)
      for (const visitor of visitors) statuses.push((await visitor.ask('/')).status)
    expect(statuses).toEqual([200, 200, 429, 429])
  })

  describe('behind a proxy that ends HTTPS', () => {
    const headers = { 'x-forwarded-proto': 'https', 'x-forwarded-for': '10.1.2.3' }

    test.each([
      ['trust proxy', { settings: { 'trust proxy': 1 } }, true],
      ['proxy: true', { options: { proxy: true } }, true],
      ['neither', {}, false],
      ['trust proxy, but proxy: false', { settings: { 'trust proxy': 1 }, options: { proxy: false } }, false],
    ])('%s', async (_how, { settings, options }: Around, sent) => {
      const cookie = { secure: true, sameSite: 'auto' }
      await using shop = await open(stack, { settings: settings ?? {}, options: { ...options, cookie } })
      const browser = shop.browser()
      const { cookies } = await browser.ask('/in', { headers })
      expect(cookies.map((line) => line.replace(/^[^;]*/, ''))).toEqual(
        sent ? ['; Path=/; HttpOnly; Secure; SameSite=None'] : [],
      )
      expect((await browser.ask('/', { headers })).text).toMatch(sent ? /^ada / : /^undefined /)
    })
  })

  test('all of them together', async () => {
    const before = [helmet(), compression(), cookieParser(SECRET)]
    const after = [limit({ windowMs: 60_000, limit: 50 })]
    const settings = { 'trust proxy': 1 }
    const options = { rolling: true, cookie: { secure: 'auto', sameSite: 'lax', maxAge: 60_000 } }
    await using shop = await open(stack, { before, after, settings, options })
    const browser = shop.browser()
    const headers = { 'x-forwarded-proto': 'https', 'x-forwarded-for': '10.1.2.3' }
    expect((await browser.ask('/in', { headers })).text).toBe(LONG)
    const page = await browser.ask('/', { headers })
    expect([page.text.slice(0, 4), page.cookies.length]).toEqual(['ada ', 1])
    expect(page.cookies[0]).toMatch(/Secure; SameSite=Lax$/)
  })
})

import { once } from 'node:events'
import { connect } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { PassThrough, Readable } from 'node:stream'

import fastify, { type FastifyInstance } from 'fastify'
import { afterEach, describe, expect, it } from 'vitest'

import { dangerouslySkipCsrf, holdfast, verifyCsrf } from '../../src/adapters/fastify.ts'
import { type HoldfastError, NotMountedError, OptionsError } from '../../src/errors.ts'
import { ask, type Asked, cookiesOf, type Reply } from '../../src/testing/adapter-contract/client.ts'
import { refuseWrites, shopSessions } from './harness/sessions.ts'

const JSON_OWN = { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin' }
const JSON_FOREIGN = {
  'content-type': 'application/json',
  'sec-fetch-site': 'cross-site',
  origin: 'https://evil.example',
}

const open: FastifyInstance[] = []
afterEach(async () => {
  for (const app of open.splice(0)) await app.close()
})

async function serve(app: FastifyInstance): Promise<(asked?: Asked) => Promise<Reply>> {
  open.push(app)
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  return (asked) => ask(port, asked)
}

function slowWrites(operation: string): number {
  return operation === 'create' || operation === 'replace' ? 60 : 0
}

describe('Cache-Control of a reply that sets a cookie', () => {
  it.each([
    [undefined, 'private'],
    ['', 'private'],
    ['private', 'private'],
    ['private, max-age=60', 'private, max-age=60'],
    [', no-store', 'no-store'],
    ['public', 'private'],
  ])("'%s' is sent as '%s', to the byte", async (own, sent) => {
    const { sessions } = await shopSessions()
    const app = fastify()
    await app.register(holdfast, { sessions })
    app.get('/', async (request, reply) => {
      sessions.of(request).data.count = 1
      if (own !== undefined) reply.header('cache-control', own)
      return 'kept'
    })
    const reply = await (await serve(app))()
    expect(reply.raw.match(/^cache-control:.*$/gim)?.map((line) => line.trimEnd())).toEqual([`Cache-Control: ${sent}`])
  })
})

describe('the plugin', () => {
  it('is not encapsulated: it holds for the whole application it is registered in', async () => {
    const { sessions } = await shopSessions()
    const app = fastify()
    await app.register(holdfast, { sessions })
    await app.register(async (inner) => {
      inner.get('/inner', async (request) => sessions.of(request).status)
    })
    app.get('/outer', async (request) => request.session.status)
    const request = await serve(app)
    expect((await request({ path: '/inner' })).body).toBe('none')
    expect((await request({ path: '/outer' })).body).toBe('none')
  })

  it('checks its options', async () => {
    const { sessions } = await shopSessions()
    await expect(fastify().register(holdfast, { sesions: sessions } as never)).rejects.toThrow(OptionsError)
    await expect(fastify().register(holdfast, { sessions, errors: 'throw' as 'forward' })).rejects.toThrow(OptionsError)
    await expect(fastify().register(holdfast, { sessions, as: '' })).rejects.toThrow(OptionsError)
  })

  it('serves requests that are injected, cookies included', async () => {
    const { sessions } = await shopSessions()
    const app = fastify()
    await app.register(holdfast, { sessions })
    app.get('/', async (request) => {
      const { data } = sessions.of(request)
      return (data.count = (data.count ?? 0) + 1)
    })
    const first = await app.inject({ url: '/', headers: { host: 'localhost' } })
    const cookie = first.cookies.map(({ name, value }) => `${name}=${value}`).join('; ')
    const second = await app.inject({ url: '/', headers: { host: 'localhost', cookie } })
    expect([first.body, second.body]).toEqual(['1', '2'])
  })

  it('saves what a page that does not exist, or an error handler, changes', async () => {
    const { sessions } = await shopSessions()
    const app = fastify()
    await app.register(holdfast, { sessions })
    app.setErrorHandler((_error, request, reply) => {
      sessions.of(request).data.text = 'from the error handler'
      return reply.code(500).send('broken')
    })
    app.get('/break', async () => {
      throw new Error('broken')
    })
    app.setNotFoundHandler((request, reply) => {
      sessions.of(request).data.text = 'from nowhere'
      return reply.code(404).send('nothing')
    })
    app.get('/text', async (request) => sessions.of(request).data.text)
    const request = await serve(app)
    for (const [path, text] of [
      ['/break', 'from the error handler'],
      ['/nowhere', 'from nowhere'],
    ]) {
      const cookie = cookiesOf(await request({ path }))
      expect((await request({ path: '/text', headers: { cookie } })).body).toBe(text)
    }
  })
})

describe('what never reaches onSend is held all the same', () => {
  async function raw(): Promise<{
    request: (asked: Asked) => Promise<Reply>
    saved: () => boolean
    break: () => void
  }> {
    const { sessions, store } = await shopSessions()
    const app = fastify({ forceCloseConnections: true })
    await app.register(holdfast, { sessions })
    app.get('/raw', (request, reply) => {
      sessions.of(request).data.count = 1
      reply.raw.writeHead(200, { 'set-cookie': 'own=1' }).end('written raw')
    })
    app.get('/hijack', (request, reply) => {
      sessions.of(request).data.count = 1
      reply.hijack()
      Readable.from(['hijacked ', 'stream']).pipe(reply.raw)
    })
    app.get('/response', async (request) => {
      sessions.of(request).data.count = 1
      return new Response('a Response', { headers: { 'cache-control': 'public, max-age=60' } })
    })
    store.faults = { delay: slowWrites }
    const request = await serve(app)
    store.forget()
    return { request, saved: () => store.done.includes('create'), break: () => refuseWrites(store) }
  }

  it.each([
    ['/raw', 'written raw'],
    ['/hijack', 'hijacked stream'],
    ['/response', 'a Response'],
  ])('%s', async (path, body) => {
    const { request, saved } = await raw()
    let savedFirst = false
    const reply = await request({ path, onFirstByte: () => (savedFirst = saved()) })
    expect([reply.status, reply.body, savedFirst]).toEqual([200, body, true])
    expect(cookiesOf(reply)).toMatch(/gid=/)
    expect(reply.headers.get('cache-control')?.[0]).toMatch(/^private/)
  })

  it.each(['/raw', '/hijack', '/response'])('%s is thrown away where it cannot be saved', async (path) => {
    const { request, break: breakStore } = await raw()
    breakStore()
    const reply = await request({ path })
    expect(reply.status).toBe(503)
    expect(JSON.parse(reply.body)).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
  })
})

it('over HTTP/2 it saves before it answers, and nothing else can answer before', async () => {
  const { sessions, store } = await shopSessions({ origin: 'http://localhost' })
  const app = fastify({ http2: true })
  await app.register(holdfast, { sessions })
  app.get('/count', async (request) => (sessions.of(request).data.count = 1))
  app.get('/raw', async (request, reply) => {
    sessions.of(request).data.count = 1
    expect(() => reply.raw.end('too early')).toThrow(/HTTP\/2/)
    return 'answered'
  })
  open.push(app as unknown as FastifyInstance)
  await app.listen({ port: 0, host: '127.0.0.1' })
  const client = connect(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}`)
  store.faults = { delay: slowWrites }
  for (const path of ['/count', '/raw']) {
    store.forget()
    const stream = client.request({ ':path': path, ':authority': 'localhost' })
    const [headers] = (await once(stream, 'response')) as [Record<string, unknown>]
    expect(store.done).toContain('create')
    expect(headers[':status']).toBe(200)
    expect(headers['set-cookie']).toBeDefined()
    stream.resume()
    await once(stream, 'close')
  }
  client.close()
})

it('a stream that is not sent, because the session cannot be saved, is ended', async () => {
  const { sessions, store } = await shopSessions()
  const app = fastify()
  await app.register(holdfast, { sessions })
  const source = new PassThrough()
  app.get('/', (request, reply) => {
    sessions.of(request).data.count = 1
    return reply.send(source)
  })
  const request = await serve(app)
  refuseWrites(store)
  expect((await request()).status).toBe(503)
  expect(source.destroyed).toBe(true)
})

describe('a route', () => {
  it('without a session costs no trip, and asking for it is a mistake', async () => {
    const { sessions, store } = await shopSessions()
    const app = fastify()
    await app.register(holdfast, { sessions })
    app.get('/count', async (request) => (sessions.of(request).data.count = 1))
    app.get('/status', { config: { holdfast: { session: false } } }, async (request) => {
      expect(() => request.session).toThrow(NotMountedError)
      expect(() => sessions.of(request)).toThrow(NotMountedError)
      return 'fine'
    })
    const request = await serve(app)
    const cookie = cookiesOf(await request({ path: '/count' }))
    store.forget()
    expect((await request({ path: '/status', headers: { cookie } })).body).toBe('fine')
    expect(store.asked).toEqual([])
  })

  it('with touch: false leaves the idle deadline where it is', async () => {
    let now = 1_800_000_000_000
    const { sessions, store } = await shopSessions({ idleTimeout: '10s', now: () => now })
    const app = fastify()
    await app.register(holdfast, { sessions })
    app.get('/count', async (request) => (sessions.of(request).data.count = 1))
    app.get('/poll', { config: { holdfast: { touch: false } } }, async () => 'polled')
    const request = await serve(app)
    const cookie = cookiesOf(await request({ path: '/count' }))
    now += 2_000
    store.forget()
    await request({ path: '/poll', headers: { cookie } })
    expect(store.asked).not.toContain('touch')
  })

  it('that skips the check says why', async () => {
    const { sessions } = await shopSessions()
    const app = fastify()
    await app.register(holdfast, { sessions })
    app.post('/hook', { config: { holdfast: { [dangerouslySkipCsrf]: 'signed with HMAC' } } }, async () => 'taken')
    app.post('/pay', async () => 'paid')
    const request = await serve(app)
    const post = { method: 'POST', headers: JSON_FOREIGN, body: '{}' }
    expect((await request({ ...post, path: '/hook' })).body).toBe('taken')
    expect((await request({ ...post, path: '/pay' })).status).toBe(403)
  })

  it('that skips the check without a reason does not start', async () => {
    const { sessions } = await shopSessions()
    const app = fastify()
    await app.register(holdfast, { sessions })
    expect(() => app.post('/hook', { config: { holdfast: { [dangerouslySkipCsrf]: ' ' } } }, async () => '')).toThrow(
      OptionsError,
    )
    expect(() => app.post('/hook', { config: { holdfast: { sesion: false } as object } }, async () => '')).toThrow(
      /session/,
    )
  })
})

describe('CSRF', () => {
  it('finds the token before validation takes it away', async () => {
    const { sessions } = await shopSessions({ csrf: 'strict' })
    const app = fastify({ ajv: { customOptions: { removeAdditional: 'all' } } })
    await app.register(holdfast, { sessions })
    app.get('/token', async (request) => {
      sessions.of(request).data.count = 1
      return sessions.of(request).csrf.token()
    })
    const schema = { body: { type: 'object', additionalProperties: false, properties: { amount: { type: 'number' } } } }
    app.post('/pay', { schema }, async (request) => request.body)
    const request = await serve(app)
    const token = await request({ path: '/token' })
    const headers = { ...JSON_OWN, cookie: cookiesOf(token) }
    const paid = await request({
      method: 'POST',
      path: '/pay',
      headers,
      body: JSON.stringify({ amount: 1, _csrf: token.body }),
    })
    expect(paid.body).toBe('{"amount":1}')
    expect((await request({ method: 'POST', path: '/pay', headers, body: '{"amount":1}' })).status).toBe(403)
  })

  it('is checked later where the route says so, and a forgotten verifyCsrf() does not switch it off', async () => {
    const { sessions } = await shopSessions({ csrf: 'strict' })
    const app = fastify()
    await app.register(holdfast, { sessions })
    app.get('/token', async (request) => {
      sessions.of(request).data.text = ''
      return sessions.of(request).csrf.token()
    })
    app.get('/text', async (request) => `text: ${String(sessions.of(request).data.text)}`)
    const config = { holdfast: { csrf: 'later' as const } }
    app.post('/checked', { config }, async (request) => {
      verifyCsrf(request, request.body)
      return (sessions.of(request).data.text = 'saved')
    })
    app.post('/forgotten', { config }, async (request) => (sessions.of(request).data.text = 'saved'))
    const request = await serve(app)
    const token = await request({ path: '/token' })
    const headers = { ...JSON_OWN, cookie: cookiesOf(token) }
    const post = { method: 'POST', headers, body: JSON.stringify({ _csrf: token.body }) }
    expect((await request({ ...post, path: '/forgotten' })).status).toBe(403)
    expect((await request({ path: '/text', headers })).body).toBe('text: ')
    expect((await request({ ...post, path: '/checked', body: '{}' })).status).not.toBe(200)
    expect((await request({ path: '/text', headers })).body).toBe('text: ')
    expect((await request({ ...post, path: '/checked' })).body).toBe('saved')
    expect((await request({ path: '/text', headers })).body).toBe('text: saved')
  })

  it("answers another site's callback with a page that sends the same fields from here, before any session work", async () => {
    const { sessions, store } = await shopSessions({
      callbacks: [{ method: 'POST', path: '/back', origins: ['https://id.example'] }],
    })
    const app = fastify()
    app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) => {
      done(null, Object.fromEntries(new URLSearchParams(String(body))))
    })
    await app.register(holdfast, { sessions })
    app.post('/back', async (request) => `welcome ${String((request.body as { code?: string }).code)}`)
    const request = await serve(app)
    store.forget()
    const headers = {
      'content-type': 'application/x-www-form-urlencoded',
      'sec-fetch-site': 'cross-site',
      origin: 'https://id.example',
    }
    const page = await request({ method: 'POST', path: '/back?state=1', headers, body: 'code=4711' })
    expect(page.status).toBe(200)
    expect(page.body).toContain('name="code" value="4711"')
    expect(store.asked).toEqual([])
  })
})

it("errors: 'forward' gives Fastify's error handler the error, with statusCode, for load, check and save", async () => {
  const { sessions, store } = await shopSessions()
  const app = fastify()
  const codes: unknown[] = []
  await app.register(holdfast, { sessions, errors: 'forward' })
  app.setErrorHandler((error: HoldfastError & { statusCode: number }, _request, reply) => {
    codes.push([error.code, error.statusCode])
    return reply.code(error.statusCode).headers(error.headers).send('an own page')
  })
  app.get('/count', async (request, reply) => {
    sessions.of(request).data.count = (sessions.of(request).data.count ?? 0) + 1
    return reply.header('etag', '"secret"').redirect('/secret')
  })
  app.post('/', async () => 'posted')
  const request = await serve(app)
  const cookie = cookiesOf(await request({ path: '/count' }))
  await request({ method: 'POST', headers: JSON_FOREIGN, body: '{}' })
  refuseWrites(store)
  const save = await request({ path: '/count', headers: { cookie } })
  store.faults = { fail: 'refuse' }
  await request({ path: '/count', headers: { cookie } })
  expect(codes).toEqual([
    ['ERR_CSRF', 403],
    ['ERR_STORE_UNAVAILABLE', 503],
    ['ERR_STORE_UNAVAILABLE', 503],
  ])
  expect([save.status, save.body]).toEqual([503, 'an own page'])
  expect(save.raw).not.toContain('secret')
  expect(save.headers.get('retry-after')).toEqual(['1'])
})

import { createServer } from 'node:http'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import compression from 'compression'
import type express from 'express'
import type { ErrorRequestHandler, Express, RequestHandler } from 'express'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'

import { csrf, dangerouslySkipCsrf, holdfast, route } from '../../src/adapters/express.ts'
import { HoldfastError, NotMountedError, OptionsError } from '../../src/errors.ts'
import { ask, type Asked, cookiesOf, type Reply } from '../../src/testing/adapter-contract/client.ts'
import type { ContractServer } from '../../src/testing/adapter-contract/harness.ts'
import { EXPRESSES } from './harness/express.ts'
import { listen } from './harness/listen.ts'
import { refuseWrites, type Fixture, shopSessions } from './harness/sessions.ts'

const FORM = { 'content-type': 'application/x-www-form-urlencoded' }
const OWN = { ...FORM, 'sec-fetch-site': 'same-origin' }
const FOREIGN = { ...FORM, 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }
const LONG = 'holdfast '.repeat(50_000)

const open: ContractServer[] = []
afterEach(async () => {
  for (const server of open.splice(0)) await server.close()
})

async function serve(app: Express): Promise<(asked?: Asked) => Promise<Reply>> {
  const server = await listen(createServer(app))
  open.push(server)
  return (asked) => ask(server.port, asked)
}

describe.each(Object.entries(EXPRESSES))('%s', (_name, create: typeof express) => {
  let file = ''
  beforeAll(async () => {
    file = join(await mkdtemp(join(tmpdir(), 'holdfast-')), 'long.txt')
    await writeFile(file, LONG)
  })
  afterAll(() => rm(file))

  describe('compression', () => {
    const places = ['before', 'after'] as const
    const answers: Readonly<Record<string, RequestHandler>> = {
      'send()': (_request, response) => void response.type('text').send(LONG),
      'sendFile()': (_request, response) => response.sendFile(file),
      'write() and end()': (_request, response) => {
        response.type('text')
        for (let at = 0; at < LONG.length; at += 9000) response.write(LONG.slice(at, at + 9000))
        response.end()
      },
    }

    function compressed(
      place: (typeof places)[number],
      fixture: Fixture,
      answer: RequestHandler,
      errors?: 'forward',
    ): Express {
      const app = create()
      if (place === 'before') app.use(compression())
      app.use(holdfast(fixture.sessions, { errors }))
      if (place === 'after') app.use(compression())
      app.get('/', (request, response, next) => {
        fixture.sessions.of(request).data.count = 1
        answer(request, response, next)
      })
      app.use(forwarded)
      return app
    }

    for (const place of places) {
      for (const [name, answer] of Object.entries(answers)) {
        it(`mounted ${place} leaves ${name} whole, and it is saved first`, async () => {
          const fixture = await shopSessions()
          fixture.store.faults = { delay: (operation) => (operation === 'create' ? 60 : 0) }
          const server = await listen(createServer(compressed(place, fixture, answer)))
          open.push(server)
          const reply = await fetch(`http://localhost:${server.port}/`, { headers: { 'accept-encoding': 'gzip' } })
          expect(fixture.store.done).toContain('create')
          expect(reply.headers.get('content-encoding')).toBe('gzip')
          expect(reply.headers.getSetCookie().length).toBeGreaterThan(0)
          expect(await reply.text()).toBe(LONG)
        })
        it(`mounted ${place} does not spoil the answer when ${name} cannot be saved`, async () => {
          const fixture = await shopSessions()
          const request = await serve(compressed(place, fixture, answer))
          refuseWrites(fixture.store)
          const reply = await request({ headers: { 'accept-encoding': 'gzip' } })
          expect(reply.status).toBe(503)
          expect(reply.headers.get('content-encoding')).toBeUndefined()
          expect(JSON.parse(reply.body)).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
        })
      }
      it(`mounted ${place} does not spoil the application's own error page`, async () => {
        const fixture = await shopSessions()
        const answer: RequestHandler = (_request, response) => void response.type('text').send(LONG)
        const request = await serve(compressed(place, fixture, answer, 'forward'))
        refuseWrites(fixture.store)
        const reply = await request({ headers: { 'accept-encoding': 'gzip' } })
        expect([reply.status, reply.body]).toEqual([503, 'forwarded ERR_STORE_UNAVAILABLE'])
      })
    }
  })

  it('server-sent events begin once the session is saved, and then flow', async () => {
    const { sessions, store } = await shopSessions()
    const app = create()
    app.use(holdfast(sessions))
    app.get('/', (request, response) => {
      sessions.of(request).data.count = 1
      response.type('text/event-stream').flushHeaders()
      let sent = 0
      const timer = setInterval(() => {
        response.write(`data: ${sent}\n\n`)
        if (++sent < 4) return
        clearInterval(timer)
        response.end()
      }, 10)
    })
    store.faults = { delay: (operation) => (operation === 'create' ? 60 : 0) }
    const request = await serve(app)
    let saved = false
    const reply = await request({ onFirstByte: () => (saved = store.done.includes('create')) })
    expect(saved).toBe(true)
    expect(reply.body).toBe('data: 0\n\ndata: 1\n\ndata: 2\n\ndata: 3\n\n')
    expect(cookiesOf(reply)).not.toBe('')
  })

  describe('route()', () => {
    it('without a session, asking for it is a mistake and not a visitor', async () => {
      const { sessions } = await shopSessions()
      const caught: unknown[] = []
      const app = create()
      app.use('/assets', route({ session: false }))
      app.use(holdfast(sessions))
      app.get('/assets/logo', (request, response) => {
        for (const look of [() => request.session, () => sessions.of(request)]) {
          try {
            look()
          } catch (error) {
            caught.push(error)
          }
        }
        response.send('logo')
      })
      const request = await serve(app)
      expect((await request({ path: '/assets/logo' })).body).toBe('logo')
      expect(caught).toEqual([expect.any(NotMountedError), expect.any(NotMountedError)])
    })

    it('touch: false leaves the idle deadline where it is', async () => {
      let now = 1_800_000_000_000
      const { sessions, store } = await shopSessions({ idleTimeout: '10s', now: () => now })
      const app = create()
      app.use('/poll', route({ touch: false }))
      app.use(holdfast(sessions))
      app.get('/', (request, response) => {
        sessions.of(request).data.count = 1
        response.send('counted')
      })
      app.get(['/poll', '/page'], (_request, response) => void response.send('read'))
      const request = await serve(app)
      const cookie = cookiesOf(await request())
      now += 2_000
      store.forget()
      await request({ path: '/poll', headers: { cookie } })
      expect(store.asked).not.toContain('touch')
      await request({ path: '/page', headers: { cookie } })
      expect(store.asked).toContain('touch')
    })

    it('below holdfast() it comes too late, and says so', async () => {
      const { sessions } = await shopSessions()
      const app = create()
      app.use(holdfast(sessions), route({ fresh: true }))
      app.use(
        ((error: unknown, _request, response, _next) =>
          void response.send(String(error))) satisfies ErrorRequestHandler,
      )
      const request = await serve(app)
      expect((await request()).body).toMatch(/move it above/)
    })

    it('an unknown option is an error that names the near one', () => {
      expect(() => route({ frech: true } as object)).toThrow(/fresh/)
    })
  })

  describe('checkLater and csrf()', () => {
    let parsed = 0
    const parsing: RequestHandler = (_request, _response, next) => {
      parsed += 1
      next()
    }

    async function uploads(how: {
      forgotten: boolean
      csrf?: 'auto' | 'strict'
    }): Promise<{ fixture: Fixture; request: (asked: Asked) => Promise<Reply> }> {
      const fixture = await shopSessions({ csrf: how.csrf })
      const app = create()
      app.use(holdfast(fixture.sessions, { checkLater: ['POST /upload', '/look'] }))
      app.get('/token', (request, response) => {
        fixture.sessions.of(request).data.text = ''
        response.send(fixture.sessions.of(request).csrf.token())
      })
      app.post('/look', (_request, response) => void response.send('looked'))
      app.get('/text', (request, response) => void response.send(fixture.sessions.of(request).data.text))
      app.post(
        '/upload',
        parsing,
        create.urlencoded({ extended: false }),
        ...(how.forgotten ? [] : [csrf()]),
        (request, response) => {
          fixture.sessions.of(request).data.text = 'uploaded'
          response.send('uploaded')
        },
      )
      return { fixture, request: await serve(app) }
    }

    it('a forgotten csrf() does not switch the check off: nothing leaves, nothing is saved', async () => {
      const { request } = await uploads({ forgotten: true })
      const first = await request({ path: '/token' })
      const cookie = cookiesOf(first)
      const reply = await request({
        method: 'POST',
        path: '/upload',
        headers: { ...OWN, cookie },
        body: `_csrf=${first.body}`,
      })
      expect(reply.status).toBe(403)
      expect(JSON.parse(reply.body)).toMatchObject({ reason: 'body-not-parsed' })
      expect((await request({ path: '/text', headers: { cookie } })).body).toBe('')
    })

    it('nor does it where the handler leaves the session alone', async () => {
      const { request } = await uploads({ forgotten: true })
      const reply = await request({ method: 'POST', path: '/look', headers: OWN, body: 'a=1' })
      expect([reply.status, reply.body.includes('looked')]).toEqual([403, false])
    })

    it('csrf() finds the token that the route parsed', async () => {
      const { request } = await uploads({ forgotten: false, csrf: 'strict' })
      const first = await request({ path: '/token' })
      const cookie = cookiesOf(first)
      const post = { method: 'POST', path: '/upload', headers: { ...OWN, cookie } }
      expect((await request({ ...post, body: 'a=1' })).status).toBe(403)
      expect((await request({ ...post, body: `_csrf=${first.body}` })).body).toBe('uploaded')
      expect((await request({ path: '/text', headers: { cookie } })).body).toBe('uploaded')
    })

    it("another site's request is refused before the route's parser reads it", async () => {
      const { request, fixture } = await uploads({ forgotten: false })
      parsed = 0
      const reply = await request({ method: 'POST', path: '/upload', headers: FOREIGN, body: 'a=1' })
      expect(JSON.parse(reply.body)).toMatchObject({ reason: 'origin-refused' })
      expect([parsed, fixture.sessions.stats().csrfRefused]).toEqual([0, 1])
    })
  })

  describe('[dangerouslySkipCsrf]', () => {
    const skip = { [dangerouslySkipCsrf]: [{ method: 'POST', path: '/hook', reason: 'signed with HMAC' }] }

    async function hooks(): Promise<(asked: Asked) => Promise<Reply>> {
      const { sessions } = await shopSessions()
      const app = create()
      app.use(create.urlencoded({ extended: false }), holdfast(sessions, skip))
      app.use((request, response) => void response.send(`${request.method} ${request.path}`))
      return serve(app)
    }

    it('passes exactly the method and path that it names', async () => {
      const request = await hooks()
      expect((await request({ method: 'POST', path: '/hook', headers: FOREIGN, body: 'a=1' })).status).toBe(200)
      expect((await request({ method: 'POST', path: '/hook?from=bank', headers: FOREIGN, body: 'a=1' })).status).toBe(
        200,
      )
      expect((await request({ method: 'PUT', path: '/hook', headers: FOREIGN, body: 'a=1' })).status).toBe(403)
    })

    it.each([
      '/hook/',
      '//hook',
      '/./hook',
      '/x/../hook',
      '/Hook',
      '/%68ook',
      '/hook%2f',
      '/hook/../pay',
      '/hook;x',
      '/hook#x',
      '\\hook',
      '/hook/.',
      '/pay?/hook',
    ])('is not fooled by %s', async (path) => {
      const request = await hooks()
      expect((await request({ method: 'POST', path, headers: FOREIGN, body: 'a=1' })).status).toBe(
        path.startsWith('\\') ? 400 : 403,
      )
    })

    it('sees the whole path where it is mounted below one', async () => {
      const { sessions } = await shopSessions()
      const app = create()
      app.use('/bank', holdfast(sessions, skip), (_request, response) => void response.send('passed'))
      const request = await serve(app)
      expect((await request({ method: 'POST', path: '/bank/hook', headers: FOREIGN, body: 'a=1' })).status).toBe(403)
    })

    it.each([
      [{ method: 'POST', path: '/hook' }],
      [{ method: 'post', path: '/hook', reason: 'x' }],
      [{ method: 'POST', path: '/hook/*?', reason: 'x' }],
      [{ method: 'POST', path: '/hook', reason: ' ' }],
    ])('wants an exact route and a reason: %j', async (entry) => {
      const { sessions } = await shopSessions()
      expect(() =>
        holdfast(sessions, { [dangerouslySkipCsrf]: [entry as { method: string; path: string; reason: string }] }),
      ).toThrow(OptionsError)
    })
  })

  it("another site's callback is answered with a page that sends the same fields from here, before any session work", async () => {
    const { sessions, store } = await shopSessions({
      callbacks: [{ method: 'POST', path: '/signed-in', origins: ['https://id.example'] }],
    })
    const app = create()
    app.use(create.urlencoded({ extended: false }), holdfast(sessions))
    app.post(
      '/signed-in',
      (request, response) => void response.send(`welcome ${String((request.body as { code?: string }).code)}`),
    )
    const request = await serve(app)
    store.forget()
    const post = { method: 'POST', path: '/signed-in?state=1', body: 'code=4711&note=%3Cb%3E' }
    const page = await request({
      ...post,
      headers: { ...FORM, 'sec-fetch-site': 'cross-site', origin: 'https://id.example' },
    })
    expect(page.status).toBe(200)
    expect(page.body).toContain('action="/signed-in?state=1"')
    expect(page.body).toContain('name="code" value="4711"')
    expect(page.body).toContain('value="&lt;b&gt;"')
    expect(store.asked).toEqual([])
    expect((await request({ ...post, headers: OWN })).body).toBe('welcome 4711')
  })

  it('mounted twice, it loads once', async () => {
    const { sessions, store } = await shopSessions()
    const app = create()
    app.use(holdfast(sessions), holdfast(sessions))
    app.get('/', (request, response) => {
      sessions.of(request).data.count = 1
      response.send('counted')
    })
    const request = await serve(app)
    const cookie = cookiesOf(await request())
    store.forget()
    await request({ headers: { cookie } })
    expect(store.asked).toEqual(['load'])
  })

  it('a form that it meets unparsed is refused with the line to move', async () => {
    const { sessions } = await shopSessions({ csrf: 'strict' })
    const app = create()
    app.use(holdfast(sessions, { errors: 'forward' }), create.urlencoded({ extended: false }))
    app.use(
      ((error: unknown, _request, response, _next) =>
        void response.send((error as Error).message)) satisfies ErrorRequestHandler,
    )
    const request = await serve(app)
    expect((await request({ method: 'POST', headers: OWN, body: 'a=1' })).body).toMatch(/below the body parsers/)
  })
})

describe('holdfast()', () => {
  it('is a function with a name, for stack traces', async () => {
    const { sessions } = await shopSessions()
    expect(holdfast(sessions).name).toBe('holdfastSession')
    expect(csrf().name).toBe('holdfastCsrf')
    expect(route({}).name).toBe('holdfastRoute')
  })

  it('checks its options', async () => {
    const { sessions } = await shopSessions()
    expect(() => holdfast(sessions, { chekLater: [] } as object)).toThrow(/checkLater/)
    expect(() => holdfast(sessions, { errors: 'throw' as 'forward' })).toThrow(OptionsError)
    expect(() => holdfast(sessions, { as: '' })).toThrow(OptionsError)
    expect(() => holdfast(sessions, { checkLater: ['upload'] })).toThrow(OptionsError)
    expect(() => holdfast({} as typeof sessions)).toThrow(OptionsError)
  })
})

const forwarded: ErrorRequestHandler = (error: unknown, _request, response, next) => {
  if (error instanceof HoldfastError) response.status(error.status).send(`forwarded ${error.code}`)
  else next(error)
}

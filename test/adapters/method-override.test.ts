/** A request that only reads, and that somebody makes into one that changes something: by a field of its address, of its body, or by a header. */
import { createServer } from 'node:http'

import type express from 'express'
import type { ErrorRequestHandler, RequestHandler } from 'express'
import { afterAll, describe, expect, it, vi } from 'vitest'

import { dangerouslySkipCsrf, holdfast } from '../../src/adapters/express.ts'
import { answerWith, attach } from '../../src/adapters/node.ts'
import { type CsrfError, HoldfastError } from '../../src/errors.ts'
import { ask, type Asked, cookiesOf, type Reply } from '../../src/testing/adapter-contract/client.ts'
import type { BaseOptions } from '../../src/types.ts'
import { EXPRESSES } from './harness/express.ts'
import { listen } from './harness/listen.ts'
import { type Shop, shopSessions } from './harness/sessions.ts'

/** As the package method-override does it, from wherever it may be told to look. */
const override: RequestHandler = (request, _response, next) => {
  const body = request.body as { _method?: string } | undefined
  const meant =
    request.get('x-http-method-override') ??
    body?._method ??
    new URLSearchParams(request.url.split('?')[1]).get('_method')
  const overridden = request as unknown as { originalMethod?: string; method: string }
  overridden.originalMethod ??= request.method
  if (typeof meant === 'string') overridden.method = meant.toUpperCase()
  next()
}

const FORM = { 'content-type': 'application/x-www-form-urlencoded' }
const OWN = { 'sec-fetch-site': 'same-origin' }
/** A link on another site, that the visitor follows: the browser sends our cookies. */
const LINK = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }
const FOREIGN = { ...FORM, 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }

const closing: (() => Promise<unknown>)[] = []
afterAll(() => Promise.all(closing.map((close) => close())))

interface Bank {
  /** What handlers that change something have done. */
  readonly done: string[]
  /** Cookie and token of a guest. */
  readonly cookie: string
  readonly token: string
  send(asked: Asked): Promise<Reply>
}

const cases = Object.entries(EXPRESSES).flatMap(([name, create]) =>
  (['before', 'after'] as const).map((place) => ({ name, create, place })),
)

describe.each(cases)('$name, the method overridden $place holdfast', ({ create, place }) => {
  async function bank(options: BaseOptions = {}, two = false): Promise<Bank> {
    const { sessions } = await shopSessions(options)
    const done: string[] = []
    const app = create()
    app.use(create.urlencoded({ extended: false }))
    if (place === 'before') app.use(override)
    const exempt = [{ method: 'POST', path: '/hook', reason: 'signed with HMAC' }]
    if (two) app.use(holdfast((await shopSessions({ csrf: 'report', name: 'other' })).sessions, { as: 'other' }))
    app.use(holdfast(sessions, { [dangerouslySkipCsrf]: exempt }))
    if (place === 'after') app.use(override)
    app.get('/token', (request, response) => {
      sessions.of(request).data.count = 1
      response.send(sessions.of(request).csrf.token())
    })
    app.get('/act', (_request, response) => void response.send('read'))
    app.post('/login', (request, response, next) => {
      sessions
        .of(request)
        .signIn('attacker')
        .then(() => response.send('signed in'), next)
    })
    app.use((request, response) => {
      done.push(`${request.method} ${request.path}`)
      response.send('done')
    })
    app.use(
      ((error: CsrfError, _request, response, _next) =>
        void response.status(error.status).send(`${error.code} ${error.reason}`)) satisfies ErrorRequestHandler,
    )
    const server = await listen(createServer(app))
    closing.push(server.close)
    const first = await ask(server.port, { path: '/token' })
    return { done, cookie: cookiesOf(first), token: first.body, send: (asked) => ask(server.port, asked) }
  }

  it("another site's link cannot become a DELETE", async () => {
    const { done, cookie, send } = await bank()
    const reply = await send({ path: '/act?_method=DELETE', headers: { ...LINK, cookie } })
    expect([reply.status, done]).toEqual([403, []])
    expect(reply.body).toContain('origin-refused')
  })

  it('nor where the browser says nothing of where it comes from', async () => {
    const { done, cookie, send } = await bank()
    expect((await send({ path: '/act?_method=POST', headers: { cookie } })).status).toBe(403)
    expect(done).toEqual([])
  })

  it('nor for a second manager that only reports', async () => {
    const { done, cookie, send } = await bank({}, true)
    expect((await send({ path: '/act?_method=DELETE', headers: { ...LINK, cookie } })).status).toBe(403)
    expect(done).toEqual([])
  })

  it('a link cannot sign a stranger in', async () => {
    const { send } = await bank()
    const reply = await send({ path: '/login?_method=POST' })
    expect([reply.status, cookiesOf(reply)]).toEqual([403, ''])
    expect(reply.body).toContain('no-evidence')
  })

  it('one of our own pages may, in strict with the token in the header', async () => {
    const auto = await bank()
    expect((await auto.send({ path: '/act?_method=DELETE', headers: { ...OWN, cookie: auto.cookie } })).body).toBe(
      'done',
    )
    expect(auto.done).toEqual(['DELETE /act'])
    const strict = await bank({ csrf: 'strict' })
    const headers = { ...OWN, cookie: strict.cookie, 'x-http-method-override': 'DELETE' }
    expect((await strict.send({ path: '/act', headers })).status).toBe(403)
    expect((await strict.send({ path: '/act', headers: { ...headers, 'x-csrf-token': strict.token } })).body).toBe(
      'done',
    )
    expect(strict.done).toEqual(['DELETE /act'])
  })

  it("a form's _method is judged like any form", async () => {
    const { done, cookie, token, send } = await bank({ csrf: 'strict' })
    const post = { method: 'POST', path: '/act' }
    expect((await send({ ...post, headers: { ...FOREIGN, cookie }, body: `_method=PUT&_csrf=${token}` })).status).toBe(
      403,
    )
    expect((await send({ ...post, headers: { ...FORM, ...OWN, cookie }, body: '_method=PUT' })).status).toBe(403)
    expect(done).toEqual([])
    expect(
      (await send({ ...post, headers: { ...FORM, ...OWN, cookie }, body: `_method=PUT&_csrf=${token}` })).body,
    ).toBe('done')
    expect(done).toEqual(['PUT /act'])
  })

  it('a POST that becomes a GET is judged as the POST that it came as', async () => {
    const { cookie, token, send } = await bank({ csrf: 'strict' })
    const post = { method: 'POST', path: '/act' }
    expect((await send({ ...post, headers: { ...FOREIGN, cookie }, body: '_method=GET' })).status).toBe(403)
    expect(
      (await send({ ...post, headers: { ...FORM, ...OWN, cookie }, body: `_method=GET&_csrf=${token}` })).body,
    ).toBe('read')
  })

  it('an exempt route does not stay so under another method', async () => {
    const { done, cookie, send } = await bank()
    const headers = { ...FOREIGN, cookie }
    expect((await send({ method: 'POST', path: '/hook', headers, body: 'a=1' })).body).toBe('done')
    expect((await send({ method: 'POST', path: '/hook', headers, body: '_method=DELETE' })).status).toBe(403)
    expect(done).toEqual(['POST /hook'])
  })

  it('a method that only reads may become another such, and the answer is the one to that', async () => {
    const { cookie, send } = await bank()
    expect((await send({ path: '/act?_method=HEAD', headers: { ...LINK, cookie } })).status).toBe(200)
    expect((await send({ path: '/act', headers: { ...LINK, cookie } })).body).toBe('read')
  })
})

describe.each(Object.entries(EXPRESSES))('%s', (_name, create: typeof express) => {
  it("answers by itself where the application has no handler for it: Express's own 403, without the stack in production", async () => {
    vi.spyOn(console, 'error').mockImplementation(() => undefined)
    const { sessions } = await shopSessions()
    const app = create()
    app.set('env', 'production')
    app.use(holdfast(sessions), override)
    app.use((_request, response) => void response.send('done'))
    const server = await listen(createServer(app))
    closing.push(server.close)
    const reply = await ask(server.port, { path: '/act?_method=DELETE', headers: LINK })
    expect([reply.status, reply.body.includes('Forbidden'), reply.body.includes('at ')]).toEqual([403, true, false])
  })

  it.each([
    { from: 'a path', asked: { path: '/as/delete' } },
    { from: 'a path, encoded', asked: { path: '/as/d%65lete' } },
    { from: 'a header of any name', asked: { path: '/', headers: { 'x-verb': 'Delete' } } },
    { from: 'the body of a GET', asked: { path: '/', headers: FORM, body: 'verb=delete' } },
  ])('a method that is read out of $from is judged', async ({ asked }) => {
    const { sessions } = await shopSessions()
    const app = create()
    app.use(create.urlencoded({ extended: false }), holdfast(sessions))
    app.use((request, _response, next) => {
      const { verb } = { ...(request.body as { verb?: string } | undefined) }
      const meant = verb ?? request.get('x-verb') ?? decodeURIComponent(request.path).split('/')[2]
      request.method = meant?.toUpperCase() ?? request.method
      next()
    })
    app.use((request, response) => void response.send(request.method))
    const server = await listen(createServer(app))
    closing.push(server.close)
    const send = (headers: Record<string, string>): Promise<Reply> =>
      ask(server.port, { ...asked, headers: { ...asked.headers, ...headers } })
    expect((await send(LINK)).status).toBe(403)
    expect((await send(OWN)).body).toBe('DELETE')
  })

  it('who does not override a method sees nothing of it', async () => {
    const { sessions } = await shopSessions()
    const app = create()
    app.use(holdfast(sessions))
    app.get('/', (request, response) => {
      request.method = 'GET'
      response.send([
        request.method,
        Object.keys(request).includes('method'),
        JSON.parse(JSON.stringify({ ...request }.method)),
      ])
    })
    const server = await listen(createServer(app))
    closing.push(server.close)
    expect((await ask(server.port)).body).toBe('["GET",true,"GET"]')
  })
})

it('node:http: the method is watched from attach() on', async () => {
  const { sessions } = await shopSessions()
  const done: Shop[] = []
  const server = await listen(
    createServer((request, response) => {
      attach(sessions, request, response)
        .then((session) => {
          request.method = new URL(request.url ?? '', 'http://localhost').searchParams.get('_method') ?? request.method
          if (request.method === 'DELETE') done.push(session.data)
          response.end('done')
        })
        .catch((error: unknown) => {
          if (error instanceof HoldfastError) answerWith(error, request, response)
        })
    }),
  )
  closing.push(server.close)
  expect((await ask(server.port, { path: '/?_method=DELETE', headers: LINK })).status).toBe(403)
  expect((await ask(server.port, { path: '/', headers: LINK })).body).toBe('done')
  expect(done).toEqual([])
  expect((await ask(server.port, { path: '/?_method=DELETE', headers: OWN })).body).toBe('done')
  expect(done).toHaveLength(1)
})

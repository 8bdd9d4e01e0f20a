/** A page with a token in it is one visitor's, and no cache may give it to another. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect, createServer as createHttp2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'

import fastify from 'fastify'
import { afterEach, describe, expect, it } from 'vitest'

import { holdfast } from '../../src/adapters/fastify.ts'
import { attach } from '../../src/adapters/node.ts'
import { beginVisit } from '../../src/core/sessions.ts'
import { defineCycle } from '../../src/cycle/index.ts'
import { HeadSentError } from '../../src/errors.ts'
import { ask, cookiesOf, type Reply } from '../../src/testing/adapter-contract/client.ts'
import type { Session } from '../../src/types.ts'
import { listen } from './harness/listen.ts'
import { type Shop, shopSessions } from './harness/sessions.ts'

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()))
})

type Handler = (session: Session<Shop>, response: ServerResponse) => unknown

/** Serves `handler` to a guest. */
async function guestAt(handler: Handler): Promise<Reply> {
  const { sessions } = await shopSessions()
  const server = await listen(
    createServer((request: IncomingMessage, response) => {
      attach(sessions, request, response)
        .then(async (session) => {
          if (request.url === '/') session.data.count = 1
          else await handler(session, response)
          response.end()
        })
        .catch((error: unknown) => response.end(String(error)))
    }),
  )
  closing.push(server.close)
  const cookie = cookiesOf(await ask(server.port))
  return ask(server.port, { path: '/page', headers: { cookie } })
}

const control = (reply: Reply): unknown[] => [reply.headers.get('cache-control')?.[0], reply.headers.get('vary')?.[0]]

describe('which pages these are', () => {
  it.each<[string, Handler]>([
    ['csrf.token()', (session) => session.csrf.token()],
    ['csrf.token(path)', (session) => session.csrf.token('/pay')],
    ['csrf.field()', (session) => session.csrf.field()],
    ['the token of a cycle that begins', async (session) => (await defineCycle('pay').begin(session)).token],
    ['its field', async (session) => (await defineCycle('pay').begin(session)).field()],
    [
      'the token of a cycle that goes on',
      async (session) => {
        const kind = defineCycle<{ step: number }>('pay')
        const { id } = await kind.begin(session, { step: 1 })
        return (await kind.load(session, id)).token
      },
    ],
  ])('one with %s', async (_name, handler) => {
    expect(control(await guestAt(handler))).toEqual(['private', 'Cookie'])
  })

  it.each<[string, Handler]>([
    ['nothing', () => undefined],
    ['csrf.verify()', (session) => session.csrf.verify('forged')],
    ['session.csrf alone', (session) => session.csrf],
    ['a cycle whose token is not asked for', async (session) => (await defineCycle('pay').begin(session)).id],
  ])('not one with %s', async (_name, handler) => {
    const handle: Handler = async (session, response) => {
      response.setHeader('cache-control', 'public')
      await handler(session, response)
    }
    expect(control(await guestAt(handle))).toEqual(['public', undefined])
  })
})

describe('a token that is asked for after the head has left', () => {
  const late =
    (head: Record<string, string>): Handler =>
    (session, response) => {
      response.writeHead(200, head)
      response.write('<form>')
      response.write(session.csrf.token())
    }

  it.each(['public', 'max-age=60', 's-maxage=60'])(
    'is refused where the head lets caches share the page: %s',
    async (value) => {
      const reply = await guestAt(late({ 'cache-control': value }))
      expect(reply.body).toMatch(/HeadSentError.*Cache-Control: private/)
      expect(reply.body).not.toMatch(/[\w-]{56}/)
    },
  )

  it.each(['private', 'no-store', 'private, max-age=60', 'no-cache'])(
    'is given where the head does not: %s',
    async (value) => {
      expect((await guestAt(late({ 'cache-control': value }))).body).toMatch(/<form>[\w-]{56}/)
    },
  )

  it('is given where the head says nothing of it, or a token made it private before', async () => {
    expect((await guestAt(late({}))).body).toMatch(/<form>[\w-]{56}/)
    const both: Handler = (session, response) => {
      session.csrf.token()
      return late({ 'cache-control': 'public' })(session, response)
    }
    const reply = await guestAt(both)
    expect(reply.body).toMatch(/<form>[\w-]{56}/)
    expect(control(reply)).toEqual(['private', 'Cookie'])
  })

  it('is an error of its class', async () => {
    let caught: unknown
    await guestAt((session, response) => {
      response.writeHead(200, { 'cache-control': 'public' }).write('a')
      try {
        session.csrf.token()
      } catch (error) {
        caught = error
      }
    })
    expect(caught).toBeInstanceOf(HeadSentError)
  })
})

it.each<[string, (response: ServerResponse) => unknown, string | undefined]>([
  ['setHeader()', (response) => response.setHeader('cache-control', 'public'), undefined],
  [
    'writeHead()',
    (response) => response.writeHead(200, { 'cache-control': 'public', 'cdn-cache-control': 'max-age=60' }),
    'max-age=60',
  ],
])('over HTTP/2 too, whatever %s said', async (_name, say, forOthers) => {
  const { sessions } = await shopSessions({ origin: 'http://localhost' })
  const visit = beginVisit(sessions, { method: 'GET', path: '/', headers: { host: 'localhost' }, secure: false }, {})
  visit.session.data.count = 1
  const cookie = (await visit.settle()).cookies.map((line) => line.split(';')[0]).join('; ')
  const server = createHttp2Server((request, response) => {
    const compat = response as unknown as ServerResponse
    void attach(sessions, request as unknown as IncomingMessage, compat).then((session) => {
      if (request.url === '/form') session.csrf.token()
      say(compat)
      response.end('body')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  closing.push(async () => {
    client.close()
    server.close()
  })
  const heads: unknown[] = []
  for (const path of ['/', '/form']) {
    const stream = client.request({ ':path': path, ':authority': 'localhost', cookie })
    const [headers] = (await once(stream, 'response')) as [Record<string, string>]
    heads.push([headers['cache-control'], headers['vary'], headers['cdn-cache-control']])
    stream.resume()
    await once(stream, 'close')
  }
  expect(heads).toEqual([
    ['public', undefined, forOthers],
    ['private', 'Cookie', undefined],
  ])
})

it('in Fastify over HTTP/2, with a cookie of ours and without', async () => {
  const { sessions } = await shopSessions({ origin: 'http://localhost' })
  const app = fastify({ http2: true })
  await app.register(holdfast, { sessions })
  app.get('/form', async (request, reply) =>
    reply.header('cache-control', 'public').send(sessions.of(request).csrf.field()),
  )
  closing.push(() => app.close())
  await app.listen({ port: 0, host: '127.0.0.1' })
  const client = connect(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}`)
  closing.push(async () => client.close())
  let cookie = ''
  for (const sets of [true, false]) {
    const stream = client.request({ ':path': '/form', ':authority': 'localhost', cookie })
    const [headers] = (await once(stream, 'response')) as [Record<string, string | string[]>]
    expect([headers['cache-control'], headers['vary'], 'set-cookie' in headers]).toEqual(['private', 'Cookie', sets])
    cookie ||= String(headers['set-cookie']).split(';')[0] ?? ''
    stream.resume()
    await once(stream, 'close')
  }
})

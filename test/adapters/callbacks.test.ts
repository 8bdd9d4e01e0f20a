/** Forms that another site's page posts to us, and that are submitted again from here. */
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'

import fastify from 'fastify'
import { afterEach, describe, expect, it } from 'vitest'

import { holdfast } from '../../src/adapters/express.ts'
import { holdfast as holdfastForFastify } from '../../src/adapters/fastify.ts'
import { answerWith, attach } from '../../src/adapters/node.ts'
import { HoldfastError } from '../../src/errors.ts'
import { ask, type Asked, cookiesOf, type Reply } from '../../src/testing/adapter-contract/client.ts'
import type { BaseOptions } from '../../src/types.ts'
import { EXPRESSES } from './harness/express.ts'
import { listen } from './harness/listen.ts'
import { type Fixture, shopSessions } from './harness/sessions.ts'

const FORM = { 'content-type': 'application/x-www-form-urlencoded' }
const FOREIGN = { ...FORM, 'sec-fetch-site': 'cross-site', origin: 'https://id.example' }
const OWN = { ...FORM, 'sec-fetch-site': 'same-origin' }

interface Served {
  readonly fixture: Fixture
  readonly warnings: readonly string[]
  /** What the application has seen of the callback. */
  readonly seen: unknown[]
  send(asked: Asked): Promise<Reply>
}

type Start = (fixture: Fixture, seen: unknown[]) => Promise<number>

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()))
})

async function serve(start: Start, options: BaseOptions = {}): Promise<Served> {
  const warnings: string[] = []
  const log = { warn: (_details: object, message: string) => void warnings.push(message), error: () => undefined }
  const callbacks = [{ method: 'POST', path: '/back', origins: ['https://id.example'] }]
  const fixture = await shopSessions({ log, callbacks, ...options })
  const seen: unknown[] = []
  const port = await start(fixture, seen)
  return { fixture, warnings, seen, send: (asked) => ask(port, asked) }
}

const STARTS: Record<string, Start> = {
  ...Object.fromEntries(
    Object.entries(EXPRESSES).map(([name, create]): [string, Start] => [
      name,
      async ({ sessions }, seen) => {
        const app = create()
        app.use((request, response, next) =>
          request.headers['x-unparsed'] === undefined
            ? create.urlencoded({ extended: true, limit: '2mb', parameterLimit: 5000 })(request, response, next)
            : next(),
        )
        app.use(holdfast(sessions))
        app.get('/', (request, response) => {
          sessions.of(request).data.count = 1
          response.send('counted')
        })
        app.post('/back', (request, response) => {
          seen.push([request.body, sessions.of(request).data.count])
          response.send('welcome')
        })
        const server = await listen(createServer(app))
        closing.push(server.close)
        return server.port
      },
    ]),
  ),
  Fastify: async ({ sessions }, seen) => {
    const app = fastify({ bodyLimit: 2_000_000 })
    app.addContentTypeParser(
      ['application/x-www-form-urlencoded', 'multipart/form-data'],
      { parseAs: 'string' },
      (request, body, done) => {
        done(
          null,
          request.headers['x-unparsed'] === undefined
            ? Object.fromEntries(new URLSearchParams(String(body)))
            : undefined,
        )
      },
    )
    await app.register(holdfastForFastify, { sessions })
    app.get('/', async (request) => (sessions.of(request).data.count = 1))
    app.post('/back', async (request) => {
      seen.push([request.body, sessions.of(request).data.count])
      return 'welcome'
    })
    closing.push(() => app.close())
    await app.listen({ port: 0, host: '127.0.0.1' })
    return (app.server.address() as { port: number }).port
  },
  'node:http': async ({ sessions }, seen) => {
    const server = await listen(
      createServer((request, response) => {
        const answer = async (): Promise<void> => {
          const sent = await text(request)
          const body =
            request.headers['x-unparsed'] === undefined ? Object.fromEntries(new URLSearchParams(sent)) : undefined
          const session = await attach(sessions, request, response, { body })
          if (request.method === 'GET') session.data.count = 1
          else seen.push([body, session.data.count])
          response.end('welcome')
        }
        answer().catch((error: unknown) => {
          if (error instanceof HoldfastError) answerWith(error, request, response)
        })
      }),
    )
    closing.push(server.close)
    return server.port
  },
}

const post = (headers: Record<string, string>, body = 'code=4711'): Asked => ({
  method: 'POST',
  path: '/back?state=1',
  headers,
  body,
})
const reasonOf = ({ status, body }: Reply): unknown[] => [status, (JSON.parse(body) as { reason?: string }).reason]

describe.each(Object.entries(STARTS))('%s', (_name, start) => {
  it('answers with the page that sends the same fields from here, before any session work, whatever cookies came', async () => {
    const { fixture, send, seen } = await serve(start)
    const cookie = cookiesOf(await send({}))
    fixture.store.forget()
    const page = await send(post({ ...FOREIGN, cookie }, 'code=4711&note=%3Cb%3E'))
    expect(page.status).toBe(200)
    expect(page.body).toContain('action="/back?state=1"')
    expect(page.body).toContain('name="code" value="4711"')
    expect(page.body).toContain('name="note" value="&lt;b&gt;"')
    expect(page.headers.get('cache-control')).toEqual(['no-store'])
    expect(page.headers.get('set-cookie')).toBeUndefined()
    expect(fixture.store.asked).toEqual([])
    expect(seen).toEqual([])
  })

  it.each(['auto', 'strict', 'report'] as const)(
    'in %s what that page sends reaches the session, once',
    async (csrf) => {
      const { send, seen } = await serve(start, { csrf })
      const cookie = cookiesOf(await send({}))
      const again = await send(post({ ...OWN, cookie }, 'code=4711&_csrf=resubmitted'))
      expect([again.status, again.body]).toEqual([200, 'welcome'])
      expect(seen).toEqual([[expect.objectContaining({ code: '4711' }), 1]])
    },
  )

  it('in strict a forged token beside it is refused all the same', async () => {
    const { send } = await serve(start, { csrf: 'strict' })
    expect(reasonOf(await send(post(OWN, 'code=1&_csrf=forged')))).toEqual([403, 'token-forged'])
  })

  it('does not send again what was sent again: a sandboxed page goes round once', async () => {
    const { send, seen, warnings } = await serve(start, {
      callbacks: [{ method: 'POST', path: '/back', origins: ['*'] }],
    })
    const sandboxed = { ...FOREIGN, origin: 'null' }
    const page = await send(post(sandboxed))
    expect(page.body).toContain('name="_csrf" value="resubmitted"')
    expect(reasonOf(await send(post(sandboxed, 'code=4711&_csrf=resubmitted')))).toEqual([403, 'origin-refused'])
    expect(seen).toEqual([])
    expect(warnings).toEqual([expect.stringMatching(/passed on already/)])
  })

  it.each<[string, Asked, RegExp]>([
    [
      'files',
      {
        ...post({ ...FOREIGN, 'content-type': 'multipart/form-data; boundary=x' }),
        body: '--x\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\n\r\nfile\r\n--x--\r\n',
      },
      /no files/,
    ],
    ['a body that nobody parsed', post({ ...FOREIGN, 'x-unparsed': '1' }), /was not parsed/],
  ])('refuses %s, and says why in the log', async (_what, asked, why) => {
    const { send, seen, warnings } = await serve(start)
    expect(reasonOf(await send(asked))).toEqual([403, 'origin-refused'])
    expect(seen).toEqual([])
    expect(warnings).toEqual([expect.stringMatching(why)])
  })

  it('refuses it also where the session has to be waited for', async () => {
    const { send, seen, fixture } = await serve(start)
    const cookie = cookiesOf(await send({}))
    fixture.store.faults = { delay: () => 20 }
    const asked = post({ ...FOREIGN, cookie, 'content-type': 'text/plain' })
    expect(reasonOf(await send(asked))).toEqual([403, 'origin-refused'])
    fixture.store.faults = { fail: 'refuse' }
    expect((await send(asked)).status).toBe(503)
    expect(seen).toEqual([])
  })

  it('counts what it refuses, and lets it pass in report mode, with the session', async () => {
    const { send, seen, fixture } = await serve(start, { csrf: 'report' })
    const cookie = cookiesOf(await send({}))
    expect((await send(post({ ...FOREIGN, cookie, 'content-type': 'text/plain' }))).status).toBe(200)
    expect(seen).toMatchObject([{ 1: 1 }])
    expect(fixture.sessions.stats().csrf.reported.auto['origin-refused']).toBe(1)
  })

  it('refuses fields that are too long, or too many, and names the limit', async () => {
    const { send } = await serve(start, { limits: { callback: 1000 } })
    expect((await send(post(FOREIGN, `code=${'x'.repeat(996)}`))).status).toBe(200)
    for (const body of [`code=${'x'.repeat(997)}`, `code=${'%C3%A9'.repeat(499)}`]) {
      const reply = await send(post(FOREIGN, body))
      expect([reply.status, JSON.parse(reply.body)]).toEqual([413, expect.objectContaining({ code: 'ERR_LIMIT' })])
    }
    const many = Array.from({ length: 1001 }, (_, at) => `f${at}=1`).join('&')
    const { send: sendMore } = await serve(start)
    expect((await sendMore(post(FOREIGN, many))).status).toBe(413)
  })
})

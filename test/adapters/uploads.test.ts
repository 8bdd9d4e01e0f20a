/** Forms with files: their token is in a body that only the route's own parser reads. Nothing is changed before it was found to be good. */
import { createServer, type IncomingMessage } from 'node:http'
import { buffer } from 'node:stream/consumers'

import type { ErrorRequestHandler } from 'express'
import fastify from 'fastify'
import { afterEach, describe, expect, it } from 'vitest'

import { csrf, holdfast } from '../../src/adapters/express.ts'
import { holdfast as holdfastForFastify, verifyCsrf } from '../../src/adapters/fastify.ts'
import { answerWith, attach, verifyCsrf as verifyForNode } from '../../src/adapters/node.ts'
import { HoldfastError } from '../../src/errors.ts'
import { ask, cookiesOf, type Reply } from '../../src/testing/adapter-contract/client.ts'
import type { BaseOptions, Session } from '../../src/types.ts'
import { EXPRESSES } from './harness/express.ts'
import { listen } from './harness/listen.ts'
import { type Shop, shopSessions } from './harness/sessions.ts'

const OWN = { 'sec-fetch-site': 'same-origin' }

/** What the route does besides parsing. */
interface Route {
  /** After the session is there, before the body is read. */
  readonly before?: (session: Session<Shop>) => unknown
  readonly forgets?: boolean
  /** The longest body that its parser takes. */
  readonly most?: number
}

interface Uploads {
  readonly errors: readonly string[]
  readonly cookie: string
  readonly token: string
  /** Posts a form with a file, and a token or none. */
  upload(token: string | undefined, headers?: Record<string, string>): Promise<Reply>
  /** What the session holds. */
  data(): Promise<Shop>
}

type Start = (sessions: Awaited<ReturnType<typeof shopSessions>>['sessions'], route: Route) => Promise<number>

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()))
})

class TooLarge extends Error {
  readonly status = 413
  readonly statusCode = 413
}

/** A parser such as multer or busboy, in small: text fields by name. */
async function parseMultipart(request: IncomingMessage, most = 10_000): Promise<Record<string, string>> {
  const bytes = await buffer(request)
  if (bytes.length > most) throw new TooLarge('The file is too large.')
  const [, boundary = ''] = /boundary=(.+)$/.exec(request.headers['content-type'] ?? '') ?? []
  const parts = bytes.toString('latin1').split(`--${boundary}`).slice(1, -1)
  return Object.fromEntries(
    parts.flatMap((part) => {
      const [head = '', ...rest] = part.split('\r\n\r\n')
      const [, name = ''] = /name="([^"]*)"/.exec(head) ?? []
      return head.includes('filename=') ? [] : [[name, rest.join('\r\n\r\n').replace(/\r\n$/, '')]]
    }),
  )
}

async function goOn(work: () => Promise<unknown>, next: (error?: unknown) => void): Promise<void> {
  try {
    await work()
  } catch (error) {
    next(error)
    return
  }
  next()
}

const STARTS: Record<string, Start> = {
  ...Object.fromEntries(
    Object.entries(EXPRESSES).map(([name, create]): [string, Start] => [
      name,
      async (sessions, { before, forgets = false, most }) => {
        const app = create()
        app.use(create.urlencoded({ extended: false }))
        app.use(holdfast(sessions, { checkLater: ['POST /upload'] }))
        app.get('/', (request, response) => {
          const { data, csrf: tokens } = sessions.of(request)
          data.count ??= 1
          response.json({ data, token: tokens.token() })
        })
        app.post(
          '/upload',
          (request, _response, next) => {
            void goOn(async () => before?.(sessions.of(request)), next)
          },
          (request, _response, next) => {
            void goOn(async () => (request.body = await parseMultipart(request, most)), next)
          },
          ...(forgets ? [] : [csrf()]),
          (request, response) => {
            sessions.of(request).data.text = 'uploaded'
            response.send('uploaded')
          },
        )
        app.use(((error: TooLarge, _request, response, next) =>
          error instanceof TooLarge
            ? void response.status(413).send('too large')
            : next(error)) satisfies ErrorRequestHandler)
        const server = await listen(createServer(app))
        closing.push(server.close)
        return server.port
      },
    ]),
  ),
  Fastify: async (sessions, { before, forgets = false, most }) => {
    const app = fastify()
    app.addContentTypeParser('multipart/form-data', (_request, _payload, done) => done(null))
    await app.register(holdfastForFastify, { sessions })
    app.get('/', async (request) => {
      const { data, csrf: tokens } = sessions.of(request)
      data.count ??= 1
      return { data, token: tokens.token() }
    })
    app.post('/upload', { config: { holdfast: { csrf: 'later' } } }, async (request) => {
      await before?.(sessions.of(request))
      const body = await parseMultipart(request.raw, most)
      if (!forgets) verifyCsrf(request, body)
      sessions.of(request).data.text = 'uploaded'
      return 'uploaded'
    })
    closing.push(() => app.close())
    await app.listen({ port: 0, host: '127.0.0.1' })
    return (app.server.address() as { port: number }).port
  },
  'node:http': async (sessions, { before, forgets = false, most }) => {
    const server = await listen(
      createServer((request, response) => {
        const answer = async (): Promise<void> => {
          const session = await attach(sessions, request, response, { csrf: 'later' })
          if (request.method === 'GET') {
            session.data.count ??= 1
            response.end(JSON.stringify({ data: session.data, token: session.csrf.token() }))
            return
          }
          await before?.(session)
          const body = await parseMultipart(request, most)
          if (!forgets) verifyForNode(request, body)
          session.data.text = 'uploaded'
          response.end('uploaded')
        }
        answer().catch((error: unknown) => {
          if (error instanceof HoldfastError) answerWith(error, request, response)
          else response.writeHead(error instanceof TooLarge ? 413 : 500).end('too large')
        })
      }),
    )
    closing.push(server.close)
    return server.port
  },
}

async function uploads(start: Start, route: Route = {}, options: BaseOptions = {}): Promise<Uploads> {
  const errors: string[] = []
  const log = { warn: () => undefined, error: (_details: object, message: string) => void errors.push(message) }
  const { sessions } = await shopSessions({ log, ...options })
  const port = await start(sessions, route)
  const first = await ask(port)
  const cookie = cookiesOf(first)
  const { token } = JSON.parse(first.body) as { token: string }
  return {
    errors,
    cookie,
    token,
    upload: (given, headers = OWN) => {
      const field = given === undefined ? '' : `--x\r\nContent-Disposition: form-data; name="_csrf"\r\n\r\n${given}\r\n`
      const file = '--x\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\n\r\nfile\r\n'
      const note = '--x\r\nContent-Disposition: form-data; name="note"\r\n\r\nmine\r\n'
      const all = { cookie, 'content-type': 'multipart/form-data; boundary=x', ...headers }
      return ask(port, { method: 'POST', path: '/upload', headers: all, body: `${file}${note}${field}--x--\r\n` })
    },
    data: async () => (JSON.parse((await ask(port, { headers: { cookie } })).body) as { data: Shop }).data,
  }
}

const reasonOf = ({ status, body }: Reply): unknown[] => [status, (JSON.parse(body) as { reason?: string }).reason]

describe.each(Object.entries(STARTS))('%s', (_name, start) => {
  it('finds the token behind the file, wherever the form came from', async () => {
    const { upload, token, data } = await uploads(start, {}, { csrf: 'strict' })
    expect((await upload(token)).body).toBe('uploaded')
    expect((await upload(token, {})).body).toBe('uploaded')
    expect(await data()).toEqual({ count: 1, text: 'uploaded' })
  })

  it.each([
    [undefined, 'token-missing'],
    ['forged', 'token-forged'],
  ])('refuses the token %s with nothing changed', async (token, reason) => {
    const { upload, data } = await uploads(start, {}, { csrf: 'strict' })
    expect(reasonOf(await upload(token))).toEqual([403, reason])
    expect(await data()).toEqual({ count: 1 })
  })

  it('takes the token in the header too, so that a script need not wait for the body', async () => {
    const { upload, token } = await uploads(start, {}, { csrf: 'strict' })
    expect((await upload(undefined, { ...OWN, 'x-csrf-token': token })).body).toBe('uploaded')
  })

  it.each<[string, (session: Session<Shop>) => unknown]>([
    ['update()', (session) => session.update((data) => void (data.count = 2))],
    ['commit()', (session) => ((session.data.count = 2), session.commit())],
    ['signIn()', (session) => session.signIn('u1')],
    ['signOut()', (session) => session.signOut()],
  ])('%s before the check is refused', async (_what, before) => {
    const { upload, token, data } = await uploads(start, { before }, { csrf: 'strict' })
    expect((await upload(token)).body).not.toBe('uploaded')
    expect(await data()).toEqual({ count: 1 })
  })

  it('what was changed before the check is saved where it passes, and is gone where it does not', async () => {
    const before = (session: Session<Shop>): unknown => (session.data.count = 2)
    const { upload, token, data } = await uploads(start, { before }, { csrf: 'strict' })
    expect(reasonOf(await upload('forged'))).toEqual([403, 'token-forged'])
    expect(await data()).toEqual({ count: 1 })
    expect((await upload(token)).body).toBe('uploaded')
    expect(await data()).toEqual({ count: 2, text: 'uploaded' })
  })

  it.each(['auto', 'strict'] as const)(
    'in %s a check that is forgotten is a 403 every time, nothing is saved, and the log says which line is missing',
    async (mode) => {
      const { upload, token, data, errors } = await uploads(start, { forgets: true }, { csrf: mode })
      expect(reasonOf(await upload(token))).toEqual([403, 'body-not-parsed'])
      expect(await data()).toEqual({ count: 1 })
      expect(errors).toEqual([expect.stringMatching(/^POST \/upload .*csrf\(\).*verifyCsrf\(\)/)])
    },
  )

  it('in report mode it is logged, and the request goes on', async () => {
    const { upload, data, errors } = await uploads(start, { forgets: true }, { csrf: 'report' })
    expect((await upload(undefined)).body).toBe('uploaded')
    expect(await data()).toEqual({ count: 1, text: 'uploaded' })
    expect(errors).toHaveLength(1)
  })

  it("a parser's own error leaves as it is: the check was not forgotten", async () => {
    const { upload, token, data, errors } = await uploads(start, { most: 10 }, { csrf: 'strict' })
    expect((await upload(token)).status).toBe(413)
    expect(await data()).toEqual({ count: 1 })
    expect(errors).toEqual([])
  })

  it('but not with what was changed before it', async () => {
    const before = (session: Session<Shop>): unknown => (session.data.count = 2)
    const { upload, token, data } = await uploads(start, { most: 10, before }, { csrf: 'strict' })
    expect(reasonOf(await upload(token))).toEqual([403, 'body-not-parsed'])
    expect(await data()).toEqual({ count: 1 })
  })
})

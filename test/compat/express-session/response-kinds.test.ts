/** Every way in which a response can be written and can end: on both, the answer is the same and the session is stored. */
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2'
import { request as ask } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { pipeline, Readable } from 'node:stream'

import express from 'express'
import { describe, expect, test, vi } from 'vitest'

import { implementations, type Done, type TestedMemory, type TestedRequest } from './implementations.ts'
import { cookieFor, open, SECRET, type Handler } from './site.ts'

const [, dropIn] = implementations

function change(request: TestedRequest): void {
  request.session!['count'] = Number(request.session!['count'] ?? 0) + 1
}

function storedCounts(store: TestedMemory): unknown[] {
  return Object.values(store.sessions).map((text) => (JSON.parse(text) as { count: unknown }).count)
}

describe.each(implementations)('$name', ({ session, differs }) => {
  test.each<[string, Handler, string]>([
    ['end()', (_request, response) => response.end(), ''],
    ['end(text)', (_request, response) => response.end('whole'), 'whole'],
    ['end(text, encoding)', (_request, response) => response.end('77686f6c65', 'hex'), 'whole'],
    ['end(bytes)', (_request, response) => response.end(Buffer.from('whole')), 'whole'],
    ['end(Uint8Array)', (_request, response) => response.end(new Uint8Array([104, 105])), 'hi'],
    ['end(null)', (_request, response) => response.end(null), ''],
    [
      'end of what was written in base64',
      (_request, response) => {
        response.write('d2hv', 'base64')
        response.end('bGU=', 'base64')
      },
      'whole',
    ],
    ['a pipe', (_request, response) => Readable.from(['who', 'le']).pipe(response), 'whole'],
    ['a pipeline', (_request, response) => pipeline(Readable.from(['who', 'le']), response, () => undefined), 'whole'],
    [
      'a corked response',
      (_request, response) => {
        response.cork()
        response.write('who')
        response.write('le')
        process.nextTick(() => {
          response.uncork()
          response.end()
        })
      },
      'whole',
    ],
  ])('%s', async (_how, handler, body) => {
    const store = new session.MemoryStore()
    await using site = await open(session, { store }, (request, response, next) => {
      change(request)
      handler(request, response, next)
    })
    const answer = await site.get()
    expect([answer.status, answer.body, answer.cookies.length, storedCounts(store)]).toEqual([200, body, 1, [1]])
    expect(site.errors).toEqual([])
  })

  test.each<[string, readonly unknown[], boolean]>([
    ['callback', [], true],
    ['text, callback', ['whole'], true],
    ['text, encoding, callback', ['whole', 'utf8'], false],
  ])('end(%s) calls back when the response has left', async (_how, values, original) => {
    let called = 0
    await using site = await open(session, {}, (request, response) => {
      change(request)
      ;(response.end as (...all: unknown[]) => unknown)(...values, () => called++)
    })
    expect((await site.get()).body).toBe(values[0] ?? '')
    // The original knows two parameters.
    expect(called).toBe(differs({ original: original ? 1 : 0, dropIn: 1 }))
  })

  test.each([
    ['HEAD', 200],
    ['GET', 304],
    ['GET', 204],
  ])('%s %i has a head with the cookie, and no body', async (method, status) => {
    const store = new session.MemoryStore()
    await using site = await open(session, { store }, (request, response) => {
      change(request)
      response.statusCode = status
      if (method === 'HEAD') response.setHeader('Content-Length', 5)
      response.end(method === 'HEAD' ? 'whole' : undefined)
    })
    const answer = await site.get({ method })
    expect([answer.status, answer.body, answer.cookies.length, storedCounts(store)]).toEqual([status, '', 1, [1]])
  })

  test.each<[string, Handler, Record<string, string>]>([
    ['(status)', (_request, response) => response.writeHead(201).end(), {}],
    ['(status, reason)', (_request, response) => response.writeHead(201, 'Made').end(), {}],
    ['(status, headers)', (_request, response) => response.writeHead(201, { 'x-a': '1' }).end(), { 'x-a': '1' }],
    [
      '(status, reason, headers)',
      (_request, response) => response.writeHead(201, 'Made', { 'x-a': '1' }).end(),
      { 'x-a': '1' },
    ],
    [
      '(status, pairs)',
      (_request, response) =>
        response
          .writeHead(201, [
            ['x-a', '1'],
            ['x-b', '2'],
          ] as never)
          .end(),
      { 'x-a': '1', 'x-b': '2' },
    ],
    [
      '(status, names and values)',
      (_request, response) => response.writeHead(201, ['x-a', '1', 'x-b', '2']).end(),
      { 'x-a': '1', 'x-b': '2' },
    ],
    [
      'after setHeader',
      (_request, response) => {
        response.setHeader('x-a', '0')
        response.setHeader('x-b', '2')
        response.writeHead(201, { 'x-a': '1' }).end()
      },
      { 'x-a': '1', 'x-b': '2' },
    ],
  ])('writeHead%s', async (_how, handler, headers) => {
    await using site = await open(session, {}, (request, response, next) => {
      change(request)
      handler(request, response, next)
    })
    const answer = await site.get()
    expect([answer.status, answer.cookies.length]).toEqual([201, 1])
    expect(answer.headers).toMatchObject(headers)
  })

  test('writeHead(status, undefined, headers)', async () => {
    await using site = await open(session, {}, (request, response) => {
      change(request)
      response.writeHead(201, undefined, { 'x-a': '1' }).end()
    })
    // Node takes these headers; the original loses them.
    expect((await site.get()).headers['x-a']).toBe(differs({ original: undefined, dropIn: '1' }))
  })

  test('a header that writeHead refuses: the error page has the cookie', async () => {
    await using site = await open(session, {}, (request, response) => {
      change(request)
      response.writeHead(200, { 'x-bad': 'line\nbreak' })
    })
    const answer = await site.get()
    expect([answer.status, answer.cookies.length]).toEqual([500, 1])
  })

  test('what was changed after the first byte is saved, but no cookie comes for it', async () => {
    const store = new session.MemoryStore()
    await using site = await open(session, { store }, (request, response) => {
      response.write('a')
      setTimeout(() => {
        change(request)
        response.end('b')
      }, 20)
    })
    expect([(await site.get()).cookies, storedCounts(store)]).toEqual([[], [1]])
  })

  test('a browser that goes away: what its request changes is stored, once', async () => {
    const store = new session.MemoryStore()
    store.sessions['mine'] = JSON.stringify({ cookie: {} })
    let gone: (() => void) | undefined
    await using site = await open(session, { store }, (request, response) => {
      gone = () => {
        change(request)
        response.end('nobody')
      }
    })
    const asking = ask({ port: site.port, headers: { cookie: cookieFor('mine') } }).on('error', () => undefined)
    asking.end()
    await vi.waitFor(() => expect(gone).toBeDefined())
    asking.destroy()
    await new Promise((resolve) => setTimeout(resolve, 30))
    gone!()
    await vi.waitFor(() => expect(storedCounts(store)).toEqual([1]))
    expect(site.calls).toEqual(['get id1', 'set id1'])
  })

  test('a browser that goes away while its session is looked for', async () => {
    const store = new session.MemoryStore()
    let found: (() => void) | undefined
    store.get = (_id, done) => void (found = () => done?.(null, { cookie: {} }))
    await using site = await open(session, { store }, (request, response) => {
      change(request)
      response.end('nobody')
    })
    const asking = ask({ port: site.port, headers: { cookie: cookieFor('mine') } }).on('error', () => undefined)
    asking.end()
    await vi.waitFor(() => expect(found).toBeDefined())
    asking.destroy()
    await new Promise((resolve) => setTimeout(resolve, 30))
    found!()
    await vi.waitFor(() => expect(storedCounts(store)).toEqual([1]))
    expect(site.errors).toEqual([])
  })

  test('requests in one breath on one connection have each its own session, in order', async () => {
    const store = new session.MemoryStore()
    const set = store.set.bind(store)
    let first = true
    store.set = (id, value, done) => {
      const wait = first ? 60 : 0
      first = false
      return setTimeout(() => set(id, value, done), wait)
    }
    await using site = await open(session, { store }, (request, response) => {
      change(request)
      response.end(request.url)
    })
    const text = await new Promise<string>((resolve) => {
      let heard = ''
      const socket = connect(site.port, 'localhost', () => {
        socket.write('GET /one HTTP/1.1\r\nHost: a\r\n\r\nGET /two HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
      })
      socket.setEncoding('utf8').on('data', (piece: string) => (heard += piece))
      socket.on('close', () => resolve(heard))
    })
    expect(text.match(/Set-Cookie: connect\.sid=/g)?.length).toBe(2)
    expect(text.indexOf('/one')).toBeLessThan(text.indexOf('/two'))
    expect(storedCounts(store)).toEqual([1, 1])
  })

  test('an application inside another, each with a middleware: one session, one save, one cookie', async () => {
    const store = new session.MemoryStore()
    const options = { secret: SECRET, resave: false, saveUninitialized: false, store }
    const set = vi.spyOn(store, 'set')
    const inner = express()
    inner.use(session(options) as never)
    inner.get('/', (request, response) => {
      change(request as never)
      response.send('inner')
    })
    const outer = express()
    outer.use(session(options) as never)
    outer.use('/inner', inner)
    const server = outer.listen(0)
    const { port } = server.address() as AddressInfo
    const answer = await fetch(`http://localhost:${port}/inner`)
    expect([await answer.text(), answer.headers.getSetCookie().length, set.mock.calls.length]).toEqual(['inner', 1, 1])
    server.closeAllConnections()
    server.close()
  })

  test.each([
    ['no id', undefined],
    ['an id', cookieFor('mine')],
  ])('what stands for a response, as at a WebSocket (%s): the session is there', async (_what, cookie) => {
    const store = new session.MemoryStore()
    store.sessions['mine'] = JSON.stringify({ cookie: {}, name: 'ada' })
    const middleware = session({ secret: SECRET, resave: false, saveUninitialized: false, store })
    const request = { headers: { cookie }, url: '/' } as TestedRequest
    const response = {} as never
    expect(await new Promise((resolve) => middleware(request, response, resolve))).toBeUndefined()
    expect(request.session!['name']).toBe(cookie === undefined ? undefined : 'ada')
    request.session!['seen'] = true
    await new Promise((resolve) => request.session!.save(resolve))
    expect(JSON.parse(store.sessions[String(request.sessionID)]!)).toMatchObject({ seen: true })
  })
})

describe('what the original dies of, or lets browsers wait for', () => {
  const { session } = dropIn

  test('a piece of the response that is none is an error of the handler', async () => {
    await using site = await open(session, {}, (request, response) => {
      change(request)
      response.end(7 as never)
    })
    expect((await site.get()).status).toBe(500)
  })

  test('the same at the end of a response that has begun: an error, and no crash', async () => {
    await using site = await open(session, { saveUninitialized: true }, (request, response) => {
      response.write('a')
      setTimeout(() => {
        change(request)
        response.end(7 as never)
        setTimeout(() => response.destroy(), 20)
      }, 20)
    })
    await site.get().catch(() => undefined)
    expect(site.errors[0]).toMatch(/"chunk" argument/)
  })

  describe('HTTP/2', () => {
    // The original calls an inside of HTTP/1's responses here that HTTP/2's have not, where its store answers later.
    interface Seen {
      readonly status: number
      readonly cookies: readonly string[]
      readonly body: string
    }

    async function overHttp2(
      options: Record<string, unknown>,
      handler: Handler,
    ): Promise<{ seen: Seen; errors: string[] }> {
      const errors: string[] = []
      const middleware = session({ secret: SECRET, resave: false, saveUninitialized: false, ...options })
      const server = createHttp2Server((request, response) => {
        middleware(request as never, response as never, (error) => {
          if (error === undefined) return void handler(request as never, response as never, () => undefined)
          errors.push((error as Error).message)
          if (response.headersSent) return undefined
          response.statusCode = 500
          response.end('failed')
        })
      })
      await new Promise<void>((resolve) => server.listen(0, resolve))
      const client = connectHttp2(`http://localhost:${(server.address() as AddressInfo).port}`)
      const seen = await new Promise<Seen>((resolve, reject) => {
        const stream = client.request({ ':path': '/' })
        let status = 0
        let cookies: readonly string[] = []
        let body = ''
        stream.on('response', (headers) => {
          status = Number(headers[':status'])
          cookies = headers['set-cookie'] ?? []
        })
        stream.setEncoding('utf8').on('data', (text: string) => (body += text))
        stream.on('end', () => resolve({ status, cookies, body })).on('error', reject)
        stream.end()
      })
      await new Promise((resolve) => setTimeout(resolve, 5))
      client.close()
      await new Promise((resolve) => server.close(resolve))
      return { seen, errors }
    }

    test.each<[string, Handler]>([
      ['end', (_request, response) => response.end('whole')],
      [
        'writeHead and end',
        (_request, response) => void (response.writeHead(200, { 'x-a': '1' }), response.end('whole')),
      ],
      ['write and end', (_request, response) => void (response.write('who'), response.end('le'))],
    ])('by %s', async (_how, handler) => {
      const store = new session.MemoryStore()
      const { seen, errors } = await overHttp2({ store }, (request, response, next) => {
        change(request)
        handler(request, response, next)
      })
      expect([seen.status, seen.body, seen.cookies.length, storedCounts(store), errors]).toEqual([
        200,
        'whole',
        1,
        [1],
        [],
      ])
    })

    test('a session that cannot be stored: the response leaves, and then there is an error', async () => {
      const store = Object.assign(new session.MemoryStore(), {
        set: (_id: string, _session: unknown, done?: Done) => setImmediate(done!, new Error('full')),
      })
      const { seen, errors } = await overHttp2({ store }, (request, response) => {
        change(request)
        response.end('whole')
      })
      expect([seen.body, errors]).toEqual(['whole', ['full']])
    })

    test("the same with whenStoreFails: 'refuse': an error page, without a cookie", async () => {
      const store = Object.assign(new session.MemoryStore(), {
        set: (_id: string, _session: unknown, done?: Done) => setImmediate(done!, new Error('full')),
      })
      const { seen, errors } = await overHttp2({ store, whenStoreFails: 'refuse' }, (request, response) => {
        change(request)
        response.end('whole')
      })
      expect([seen.status, seen.body, seen.cookies, errors]).toEqual([500, 'failed', [], ['full']])
    })
  })

  test('a failure where something stands for the response is handed on', async () => {
    const store = Object.assign(new session.MemoryStore(), {
      set: (_id: string, _session: unknown, done?: Done) => done?.(new Error('full')),
    })
    const middleware = session({ secret: SECRET, resave: false, saveUninitialized: false, store })
    const request = { headers: {}, url: '/' } as TestedRequest
    const response = { end: () => undefined } as never as { end(): void }
    const said: unknown[] = []
    middleware(request, response as never, (error) => said.push((error as Error | undefined)?.message))
    change(request)
    response.end()
    await vi.waitFor(() => expect(said).toEqual([undefined, 'full']))
  })
})

/** What of a response leaves, and when; on both where both do it, and what the drop-in promises beyond. */
import { request as ask, type ServerResponse } from 'node:http'

import { describe, expect, test, vi } from 'vitest'

import { implementations, type Done, type TestedMemory, type TestedRequest } from './implementations.ts'
import { cookieFor, open, type Handler } from './site.ts'

const SLOW = 150

const [, dropIn] = implementations

function changes(request: TestedRequest): void {
  request.session!['changed'] = Number(request.session!['changed'] ?? 0) + 1
}

/** When the first byte of an answer came, in milliseconds since it was asked for, and whether it was whole. */
function firstByte(port: number): Promise<{ readonly after: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const asked = performance.now()
    ask({ port, agent: false }, (response) => {
      const after = performance.now() - asked
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (text: string) => (body += text))
      response.on('end', () => resolve({ after, body }))
    })
      .on('error', reject)
      .end()
  })
}

/** Settles when the head of an answer has come, and reads the rest. */
function headOf(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    ask({ port, agent: false }, (response) => {
      response.resume()
      resolve()
    })
      .on('error', reject)
      .end()
  })
}

/** Answers each `set` after a while. */
function slowStore(store: TestedMemory): TestedMemory {
  const set = store.set.bind(store)
  store.set = (id, session, done) => setTimeout(() => set(id, session, done), SLOW)
  return store
}

describe.each(implementations)('$name', ({ session, differs }) => {
  test.each<[string, Handler]>([
    ['end', (_request, response) => response.end('whole')],
    ['end with a length', (_request, response) => response.setHeader('Content-Length', 5).end('whole')],
    [
      'write and end',
      (_request, response) => {
        response.write('who')
        response.end('le')
      },
    ],
    [
      'writes, some later',
      (_request, response) => {
        response.write('who')
        setTimeout(() => {
          response.write('l')
          response.end('e')
        }, 20)
      },
    ],
    [
      'a head by itself',
      (_request, response) => {
        response.writeHead(200)
        response.flushHeaders()
        setTimeout(() => response.end('whole'), 20)
      },
    ],
  ])('a body by %s arrives whole, and the session is stored', async (_how, handler) => {
    const store = slowStore(new session.MemoryStore())
    await using site = await open(session, { store }, (request, response, next) => {
      changes(request)
      handler(request, response, next)
    })
    expect((await firstByte(site.port)).body).toBe('whole')
    expect(Object.keys(store.sessions).length).toBe(1)
  })

  test.each([0, 5])('nothing leaves before the session is saved (Content-Length %i)', async (length) => {
    const store = new session.MemoryStore()
    const set = store.set.bind(store)
    let release: (() => void) | undefined
    store.set = (id, value, done) => void (release = () => void set(id, value, done))
    await using site = await open(session, { store }, (request, response) => {
      changes(request)
      if (length > 0) response.setHeader('Content-Length', length)
      response.end('whole')
    })
    // The original sends the head, and all but the last byte where it knows the length: browsers follow a redirect by then.
    const waits = new Promise<string>((resolve) =>
      setTimeout(resolve, differs({ original: 4_000, dropIn: SLOW }), 'waits'),
    )
    const head = headOf(site.port)
    expect(await Promise.race([head.then(() => 'came'), waits])).toBe(differs({ original: 'came', dropIn: 'waits' }))
    release!()
    await head
  })

  test('a second end, and what is set after the end, is as Node has it', async () => {
    const said: unknown[] = []
    await using site = await open(session, { saveUninitialized: true }, (_request, response) => {
      response.end('whole')
      response.end('more')
      try {
        response.setHeader('x-late', '1')
      } catch (error) {
        said.push((error as NodeJS.ErrnoException).code)
      }
    })
    expect((await site.get()).body).toBe('whole')
    expect(said).toEqual(['ERR_HTTP_HEADERS_SENT'])
  })

  test('what is changed in the same turn as the response begins is saved with it, once', async () => {
    const store = new session.MemoryStore()
    await using site = await open(session, { store, saveUninitialized: true }, (request, response) => {
      response.write('a')
      changes(request)
      response.end('b')
    })
    await site.get()
    expect(site.calls).toEqual(['set id1'])
    expect(JSON.parse(Object.values(store.sessions)[0]!)).toMatchObject({ changed: 1 })
  })

  test('what is changed while a response streams is saved before it ends', async () => {
    const store = slowStore(new session.MemoryStore())
    await using site = await open(session, { store, saveUninitialized: true }, (request, response) => {
      response.write('a')
      setTimeout(() => {
        changes(request)
        response.end('b')
      }, 20)
    })
    expect((await firstByte(site.port)).body).toBe('ab')
    expect(JSON.parse(Object.values(store.sessions)[0]!)).toMatchObject({ changed: 1 })
    // A session is stored before the stream begins, so what changes later is stored apart.
    expect(site.calls).toEqual(differs({ original: ['set id1'], dropIn: ['set id1', 'set id1'] }))
  })

  test('a long body is not cut short, whoever waits for it', async () => {
    const long = 'holdfast '.repeat(200_000)
    await using site = await open(session, { saveUninitialized: true }, (_request, response) => response.end(long))
    expect((await site.get()).body.length).toBe(long.length)
  })

  test('data that cannot be stored: an error of the handler, and an answer', async () => {
    const handler: Handler = (request, response) => {
      request.session!['large'] = 1n
      response.end('never')
    }
    if (differs({ original: true, dropIn: false })) return // The original answers nothing at all.
    await using site = await open(session, {}, handler)
    expect((await site.get()).status).toBe(500)
    expect(site.errors[0]).toMatch(/BigInt/)
  })

  test('who ends the session by destroy() has its cookie cleared', async () => {
    await using site = await open(session, { cookie: { path: '/', sameSite: 'lax' } }, (request, response) => {
      if (request.session!['changed'] === undefined) {
        changes(request)
        return response.end()
      }
      return request.session!.destroy(() => response.end())
    })
    await site.get()
    const { cookies } = await site.get()
    expect(cookies).toEqual(
      differs({
        original: [],
        dropIn: ['connect.sid=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax'],
      }),
    )
  })

  test('a browser without the cookie is sent none by destroy()', async () => {
    await using site = await open(session, {}, (request, response) => request.session!.destroy(() => response.end()))
    expect((await site.get()).cookies).toEqual([])
  })

  describe('a session that was ended while a request was under way', () => {
    /** One request waits in its handler while another ends the session; then the first one answers. */
    async function raced(
      end: (request: TestedRequest, done: Done) => unknown,
      late: (request: TestedRequest, response: ServerResponse) => unknown,
      options: Record<string, unknown> = {},
    ): Promise<{ readonly stored: string[]; readonly cookies: readonly string[] }> {
      const store = new session.MemoryStore()
      let answerLate: (() => unknown) | undefined
      await using site = await open(session, { store, ...options }, (request, response) => {
        if (request.url === '/begin') {
          changes(request)
          return response.end()
        }
        if (request.url === '/end') return end(request, () => response.end())
        answerLate = () => late(request, response)
        return undefined
      })
      await site.get({ path: '/begin' })
      const { cookie } = site
      const [id] = Object.keys(store.sessions)
      const slow = site.get({ path: '/late', cookie })
      await vi.waitFor(() => expect(answerLate).toBeDefined())
      await site.get({ path: '/end', cookie })
      answerLate!()
      const { cookies } = await slow
      return { stored: Object.keys(store.sessions).filter((found) => found === id), cookies }
    }

    const alive = differs({ original: 1, dropIn: 0 })

    test('is not saved again', async () => {
      const { stored } = await raced(
        (request, done) => request.session!.destroy(done),
        (request, response) => {
          changes(request)
          response.end()
        },
      )
      expect(stored.length).toBe(alive)
    })

    test('not by resave, nor by save(), and no cookie is sent for it', async () => {
      const { stored, cookies } = await raced(
        (request, done) => request.session!.destroy(done),
        (request, response) => {
          changes(request)
          request.session!.save(() => response.end())
        },
        { resave: true, rolling: true },
      )
      expect([stored.length, cookies.length]).toEqual([alive, alive])
    })

    test('nor one that got another id', async () => {
      const { stored } = await raced(
        (request, done) => request.session!.regenerate(done),
        (request, response) => {
          changes(request)
          response.end()
        },
      )
      expect(stored.length).toBe(alive)
    })

    test('nor one that was ended in the store itself', async () => {
      const { stored } = await raced(
        (request, done) => request.sessionStore!.destroy(String(request.sessionID), done),
        (request, response) => {
          changes(request)
          response.end()
        },
        { resave: false },
      )
      expect(stored.length).toBe(alive)
    })
  })
})

describe('what the drop-in has besides', () => {
  const { session } = dropIn

  test('an end that the store refused is none: the session is saved on', async () => {
    const store = new session.MemoryStore()
    const destroy = store.destroy.bind(store)
    store.destroy = (_id, done) => done?.(new Error('broken'))
    await using site = await open(session, { store }, (request, response) => {
      if (request.url !== '/end') {
        changes(request)
        return response.end(String(request.session!['changed']))
      }
      return request.sessionStore!.destroy(String(request.sessionID), () => {
        changes(request)
        response.end()
      })
    })
    await site.get()
    await site.get({ path: '/end' })
    expect((await site.get()).body).toBe('3')
    destroy('none')
  })

  test('an id that is used again is a session like any other', async () => {
    const options = { genid: () => 'of this device', saveUninitialized: true }
    await using site = await open(session, options, (request, response) => {
      const { url } = request
      if (url === '/end') return request.session!.destroy(() => response.end())
      changes(request)
      return response.end(String(request.session!['changed']))
    })
    const bodies = []
    for (const path of ['/', '/', '/end', '/', '/']) bodies.push((await site.get({ path })).body)
    expect(bodies).toEqual(['1', '2', '', '1', '2'])
  })

  test('a save that nobody waits for is waited for by the response', async () => {
    const store = slowStore(new session.MemoryStore())
    await using site = await open(session, { store }, (request, response) => {
      changes(request)
      void request.session!.save()
      response.end('whole')
    })
    expect((await firstByte(site.port)).after).toBeGreaterThanOrEqual(SLOW)
    expect(site.calls).toEqual(['set id1'])
  })

  test('a promise that nobody waits for does not end the process', async () => {
    const store = Object.assign(new session.MemoryStore(), {
      destroy: (_id: string, done?: Done) => done?.(new Error('broken')),
    })
    await using site = await open(session, { store }, (request, response) => {
      void request.session!.destroy()
      response.end('gone')
    })
    expect((await site.get()).body).toBe('gone')
  })

  test('a store that never answers is an error after storeDeadline', async () => {
    const silent = { get: () => undefined, set: () => undefined }
    const store = Object.assign(new session.MemoryStore(), silent)
    await using site = await open(session, { store, storeDeadline: 20 }, (request, response) => {
      changes(request)
      response.end('whole')
    })
    expect((await site.get()).body).toBe('whole')
    expect((await site.get({ cookie: cookieFor('mine') })).status).toBe(500)
    expect(site.errors).toEqual([
      'The session store (MemoryStore) did not answer set within 20 ms (storeDeadline).',
      'The session store (MemoryStore) did not answer get within 20 ms (storeDeadline).',
    ])
  })

  test('touchInterval: a session in use is told of once per interval', async () => {
    await using site = await open(session, { touchInterval: 60_000 }, (request, response) => {
      if (request.url === '/change') changes(request)
      response.end()
    })
    for (const path of ['/change', '/', '/', '/']) await site.get({ path })
    expect(site.calls).toEqual(['set id1', 'get id1', 'get id1', 'get id1'])
  })

  describe("whenStoreFails: 'refuse'", () => {
    const options = { whenStoreFails: 'refuse' }

    test.each(['set', 'touch', 'destroy'])('a response whose %s fails does not leave', async (method) => {
      const store = new session.MemoryStore()
      const failing = { broken: false }
      const call = store[method] as (...values: unknown[]) => unknown
      store[method] = (...values: unknown[]) =>
        failing.broken ? (values.at(-1) as Done)(new Error('full')) : call.apply(store, values)
      await using site = await open(session, { ...options, store, unset: 'destroy' }, (request, response) => {
        if (site.cookie === undefined || method === 'set') changes(request)
        else if (method === 'destroy') request.session = null
        response.end('whole')
      })
      expect((await site.get()).status).toBe(200)
      failing.broken = true
      const { cookie } = site
      const answer = await site.get({ cookie })
      expect([answer.status, answer.body, answer.cookies, site.errors]).toEqual([500, 'failed', [], ['full']])
    })

    test.each<[string, Handler]>([
      ['writeHead and end', (_request, response) => void response.writeHead(201).end('whole')],
      ['write and end', (_request, response) => void (response.write('who'), response.end('le'))],
    ])('nor one by %s', async (_how, handler) => {
      const store = Object.assign(new session.MemoryStore(), {
        set: (_id: string, _session: unknown, done?: Done) => setImmediate(done!, new Error('full')),
      })
      await using site = await open(session, { ...options, store }, (request, response, next) => {
        changes(request)
        handler(request, response, next)
      })
      const answer = await site.get()
      expect([answer.status, answer.body, answer.cookies, site.errors]).toEqual([500, 'failed', [], ['full']])
    })

    test('while the store is disconnected there is a 503', async () => {
      const store = new session.MemoryStore()
      await using site = await open(session, { ...options, store }, (_request, response) => response.end())
      store.emit('disconnect')
      await site.get()
      expect(site.errors).toEqual(['The session store (MemoryStore) is disconnected.'])
    })
  })
})

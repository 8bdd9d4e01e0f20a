/** Stores that throw, never answer, answer twice, write into what they are given, or carry out late what came first. */
import * as channels from 'node:diagnostics_channel'

import { describe, expect, test, vi } from 'vitest'

import { thisMoment, Endings } from '../../../src/compat/express-session/endings.ts'
import { Touches } from '../../../src/compat/express-session/touches.ts'
import { implementations, type Done, type Tested, type TestedRequest, type TestedSession } from './implementations.ts'
import { cookieFor, open, type Handler } from './site.ts'

const [, dropIn] = implementations
const CHANGES: Handler = (request, response) => {
  request.session!['count'] = Number(request.session!['count'] ?? 0) + 1
  response.end(String(request.session!['count']))
}

/** As session-file-store does: it notes in the session itself when it was given it. */
function notingStore({ MemoryStore }: Tested): InstanceType<Tested['MemoryStore']> {
  const store = new MemoryStore()
  let notes = 0
  for (const method of ['set', 'touch'] as const) {
    const call = store[method]!.bind(store)
    store[method] = (id, session, done) => {
      ;(session as TestedSession)['__lastAccess'] = ++notes
      return call(id, session, done)
    }
  }
  return store
}

describe.each(implementations)('$name', ({ session, differs }) => {
  test('a get that throws is an error of the request', async () => {
    const store = Object.assign(new session.MemoryStore(), {
      get: () => {
        throw new Error('thrown')
      },
    })
    const said: unknown[] = []
    const middleware = session({ secret: 'x', resave: false, saveUninitialized: false, store })
    const request = { headers: { cookie: cookieFor('mine', { secret: 'x' }) }, url: '/' } as TestedRequest
    const response = {} as never
    try {
      middleware(request, response, (error) => said.push((error as Error).message))
    } catch (error) {
      said.push((error as Error).message)
    }
    // The original throws, which Express makes the same of.
    expect(said).toEqual(['thrown'])
  })

  test('a get that answers twice lets the request go on once', async () => {
    const store = Object.assign(new session.MemoryStore(), {
      get: (_id: string, done?: Done) => {
        done?.(null, { cookie: {} })
        done?.(null, { cookie: {} })
      },
    })
    let entered = 0
    const middleware = session({ secret: 'x', resave: false, saveUninitialized: false, store })
    const request = { headers: { cookie: cookieFor('mine', { secret: 'x' }) }, url: '/' } as TestedRequest
    middleware(request, {} as never, () => entered++)
    expect(entered).toBe(differs({ original: 2, dropIn: 1 }))
  })

  test('a set that answers twice ends the response once, and hands on one error', async () => {
    const store = Object.assign(new session.MemoryStore(), {
      set: (_id: string, _session: unknown, done?: Done) => {
        setImmediate(done!, new Error('full'))
        setImmediate(done!, new Error('full'))
      },
    })
    await using site = await open(session, { store }, CHANGES)
    expect((await site.get()).body).toBe('1')
    expect(site.errors).toEqual(differs({ original: ['full', 'full'], dropIn: ['full'] }))
  })

  test('a store that writes into sessions: one set per request that changes one, one touch per other', async () => {
    await using site = await open(session, { store: notingStore(session) }, (request, response) => {
      if (request.url === '/change') return CHANGES(request, response, () => undefined)
      return response.end()
    })
    for (const path of ['/change', '/', '/change']) await site.get({ path })
    expect(site.calls).toEqual(['set id1', 'get id1', 'touch id1', 'get id1', 'set id1'])
  })

  test('the same, by a response that streams', async () => {
    await using site = await open(session, { store: notingStore(session) }, (request, response) => {
      if (request.url === '/change') request.session!['changed'] = true
      response.write('a')
      setTimeout(() => response.end('b'), 30)
    })
    for (const path of ['/change', '/']) expect((await site.get({ path })).body).toBe('ab')
    // In the original nothing is sent before the end, but the cookie is, so it saves once, too.
    expect(site.calls).toEqual(['set id1', 'get id1', 'touch id1'])
  })

  test('a session whose JSON is never the same twice is saved, and the response comes', async () => {
    let times = 0
    await using site = await open(session, {}, (request, response) => {
      request.session!['restless'] = { toJSON: () => ++times }
      response.write('a')
      setTimeout(() => response.end('b'), 30)
    })
    expect((await site.get()).body).toBe('ab')
    expect(site.calls.length).toBeLessThanOrEqual(3)
  })

  describe('an end that a store carries out before a set that came first', () => {
    /** As with several connections: what was asked later may be done earlier. */
    function overtaking({ MemoryStore }: Tested): InstanceType<Tested['MemoryStore']> {
      const store = new MemoryStore()
      const set = store.set.bind(store)
      store.set = (id, value, done) => {
        const json = JSON.stringify(value)
        return setTimeout(() => set(id, JSON.parse(json), done), 60)
      }
      return store
    }

    test('does not leave the session alive', async () => {
      const store = overtaking(session)
      store.sessions['mine'] = JSON.stringify({ cookie: {} })
      await using site = await open(session, { store }, (request, response) => {
        if (request.url === '/end') return request.session!.destroy(() => response.end())
        return CHANGES(request, response, () => undefined)
      })
      const cookie = cookieFor('mine')
      const slow = site.get({ cookie })
      await vi.waitFor(() => expect(site.calls).toContain('set id1'))
      await site.get({ path: '/end', cookie })
      await slow
      expect(Object.keys(store.sessions)).toEqual(differs({ original: ['mine'], dropIn: [] }))
    })
  })

  test('null for a callback is none', async () => {
    await using site = await open(session, {}, async (request, response) => {
      request.session!['a'] = 1
      request.session!.save(null as never)
      request.session!.destroy(null as never)
      response.end('done')
    })
    expect((await site.get()).body).toBe('done')
  })

  test('__proto__ in what is stored reaches no prototype', async () => {
    const store = new session.MemoryStore()
    store.sessions['mine'] =
      '{"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}},"cookie":{"__proto__":{"admin":true},"path":"/"}}'
    await using site = await open(session, { store }, ({ session: mine }, response) => {
      const seen = [
        mine!['admin'],
        ({} as { admin?: true }).admin,
        mine!.cookie['admin'],
        typeof mine!.cookie.serialize,
      ]
      response.end(JSON.stringify(seen))
    })
    const { body } = await site.get({ cookie: cookieFor('mine') })
    // In the original the stored text takes the place of the cookie's prototype.
    expect(JSON.parse(body)).toEqual(
      differs({ original: [null, null, true, 'undefined'], dropIn: [null, null, null, 'function'] }),
    )
  })
})

describe('what the drop-in has besides', () => {
  const { session } = dropIn

  test('a set that throws is an error, and the response leaves', async () => {
    const store = Object.assign(new session.MemoryStore(), {
      set: () => {
        throw new Error('thrown')
      },
    })
    await using site = await open(session, { store }, CHANGES)
    // In the original end() throws when it counts as called already, so that no error page can be sent either.
    expect((await site.get()).status).toBe(200)
    expect(site.errors).toEqual(['thrown'])
  })

  test.each(['destroy', 'regenerate', 'reload', 'save'] as const)(
    'a store that never answers: %s by hand is an error after storeDeadline',
    async (method) => {
      const silent = { get: () => undefined, set: () => undefined, destroy: () => undefined }
      const store = new session.MemoryStore()
      await using site = await open(session, { store, storeDeadline: 20 }, (request, response) => {
        Object.assign(store, silent)
        request.session![method]((error) => response.end((error as Error).message))
      })
      expect((await site.get()).body).toMatch(/did not answer (?:get|set|destroy) within 20 ms \(storeDeadline\)/)
    },
  )

  test('after a regenerate that the store did not answer there is a new session all the same', async () => {
    const store = Object.assign(new session.MemoryStore(), { destroy: () => undefined })
    await using site = await open(session, { store, storeDeadline: 20 }, (request, response) => {
      const before = request.sessionID
      request.session!.regenerate(() => response.end(String(request.sessionID !== before)))
    })
    expect((await site.get()).body).toBe('true')
  })

  test('an end that the store refused by throwing is none: the session is saved on', async () => {
    const store = new session.MemoryStore()
    store.sessions['mine'] = JSON.stringify({ cookie: {} })
    store.destroy = () => {
      throw new Error('thrown')
    }
    await using site = await open(session, { store }, async (request, response) => {
      if (request.url === '/end') return request.session!.destroy((error) => response.end((error as Error).message))
      return CHANGES(request, response, () => undefined)
    })
    const cookie = cookieFor('mine')
    expect((await site.get({ path: '/end', cookie })).body).toBe('thrown')
    for (const body of ['1', '2']) expect((await site.get({ cookie })).body).toBe(body)
  })

  test('an end without a callback counts when its promise is kept', async () => {
    let done: (() => void) | undefined
    const dropped: unknown[] = []
    const store = Object.assign(new session.MemoryStore(), {
      destroy: () =>
        new Promise<void>((resolve) => {
          done = resolve
        }),
    })
    store.sessions['mine'] = JSON.stringify({ cookie: {} })
    await using site = await open(session, { store }, CHANGES)
    const listen = (message: unknown): unknown => dropped.push(message)
    channels.subscribe('holdfast:dropped', listen)
    void store.destroy('mine')
    await site.get({ cookie: cookieFor('mine') })
    expect([site.calls, dropped.length]).toEqual([['destroy id1', 'get id1'], 1])
    done!()
    await site.get({ cookie: cookieFor('mine') })
    channels.unsubscribe('holdfast:dropped', listen)
    expect([site.calls.slice(2), dropped.length]).toEqual([['get id1', 'set id1'], 1])
  })

  test('a socket that holds a session for hours does not bring it back', async () => {
    const store = new session.MemoryStore()
    store.sessions['mine'] = JSON.stringify({ cookie: {} })
    let held: TestedSession | undefined
    await using site = await open(session, { store }, (request, response) => {
      held = request.session!
      response.end()
    })
    await site.get({ cookie: cookieFor('mine') })
    const stored = (await store.load('mine')) as TestedSession
    await store.destroy('mine')
    const later = performance.now() + 3 * 60 * 60_000
    vi.spyOn(performance, 'now').mockReturnValue(later)
    await store.destroy('another')
    for (const late of [held!, stored]) {
      late['late'] = true
      await late.save()
    }
    expect(Object.keys(store.sessions)).toEqual([])
  })

  test('one that was not ended is saved, however old its request is', async () => {
    const store = new session.MemoryStore()
    store.sessions['mine'] = JSON.stringify({ cookie: {} })
    let held: TestedSession | undefined
    await using site = await open(session, { store }, (request, response) => {
      held = request.session!
      response.end()
    })
    await site.get({ cookie: cookieFor('mine') })
    await store.destroy('another')
    vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 3 * 60 * 60_000)
    await store.destroy('a third')
    held!['late'] = true
    await held!.save()
    expect(JSON.parse(store.sessions['mine'])).toMatchObject({ late: true })
  })

  test('what is kept of ends and touches has a bound', () => {
    const endings = new Endings()
    const before = thisMoment()
    for (let end = 0; end < 10_001; end++) endings.begin(`id${end}`)(false)
    expect([endings.fateOf('id10000', before), endings.fateOf('id0', before)]).toEqual(['ended', 'unknown'])
    expect(endings.fateOf('id0', thisMoment())).toBe('live')
    const touches = new Touches(60_000)
    for (let touch = 0; touch < 50_001; touch++) touches.note(`id${touch}`)
    expect([touches.due('id50000'), touches.due('id0')]).toEqual([false, true])
  })

  test('an end that is never answered does not hold a session that is used again for ever', () => {
    const endings = new Endings()
    const begun = performance.now()
    endings.begin('mine')
    expect(endings.fateOf('mine', thisMoment())).toBe('ended')
    vi.spyOn(performance, 'now').mockReturnValue(begun + 31_000)
    endings.fateOf('mine', 0)
    expect(endings.fateOf('mine', thisMoment())).toBe('live')
  })

  test('a touch that failed is tried again before its interval is over', async () => {
    const store = new session.MemoryStore()
    const touch = store.touch!.bind(store)
    let failing = true
    store.touch = (id, value, done) => (failing ? done?.(new Error('full')) : touch(id, value, done))
    store.sessions['mine'] = JSON.stringify({ cookie: {} })
    await using site = await open(session, { store, touchInterval: 60_000 }, (_request, response) => response.end())
    const cookie = cookieFor('mine')
    for (const fails of [true, false, false]) {
      failing = fails
      await site.get({ cookie })
    }
    expect(site.calls.filter((call) => call.startsWith('touch')).length).toBe(2)
  })
})

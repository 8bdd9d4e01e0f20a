/** What people have complained of for years, tried on both: which of it the drop-in mends by itself, and which its store. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

import { holdfastStore } from 'holdfast/express-session/store'
import { createSessions } from 'holdfast'
import { describe, expect, test, vi } from 'vitest'

import { implementations, type Done, type Tested, type TestedRequest, type TestedStore } from './implementations.ts'
import { cookieFor, open, SECRET, type Handler } from './site.ts'

const SLOW = 40

/** Holds back each request until as many have come as are awaited. */
function together(count: number): () => Promise<void> {
  const waiting: (() => void)[] = []
  return () =>
    new Promise((resolve) => {
      waiting.push(resolve)
      if (waiting.length === count) for (const go of waiting.splice(0)) go()
    })
}

/** Adds a key of the request's own, all at the same time. */
async function keysAddedAtOnce(session: Tested, store: TestedStore): Promise<string[]> {
  const all = together(5)
  await using site = await open(session, { store }, async (request, response) => {
    const key = request.url!.slice(1)
    if (key.startsWith('key')) await all()
    request.session![key] = true
    response.end(JSON.stringify(request.session))
  })
  await site.get({ path: '/begin' })
  const { cookie } = site
  await Promise.all(Array.from({ length: 5 }, (_, at) => site.get({ path: `/key${at}`, cookie })))
  const { body } = await site.get({ path: '/end', cookie })
  return Object.keys(JSON.parse(body) as object).filter((key) => key.startsWith('key'))
}

describe.each(implementations)('$name', ({ session, differs }) => {
  test('the session is not saved yet when the browser follows a redirect', async () => {
    const store = new session.MemoryStore()
    const set = store.set.bind(store)
    let save: (() => void) | undefined
    store.set = (id, value, done) => {
      const json = JSON.stringify(value)
      save = () => void set(id, JSON.parse(json), done)
      // In the original nothing is answered late: the browser has followed long before.
      if (differs({ original: false, dropIn: true })) setTimeout(save, SLOW)
    }
    const middleware = session({ secret: SECRET, resave: false, saveUninitialized: false, store })
    const server: Server = createServer((request, response) => {
      middleware(request as TestedRequest, response, () => {
        const { session: mine } = request as TestedRequest
        if (request.url === '/there') return response.end(String(mine!['user']))
        mine!['user'] = 'ada'
        response.writeHead(302, { Location: '/there' })
        return response.end('moved')
      })
    })
    await new Promise<void>((resolve) => server.listen(0, resolve))
    const origin = `http://localhost:${(server.address() as AddressInfo).port}`
    // As soon as the head is there, as browsers do.
    const redirect = await fetch(origin, { redirect: 'manual' })
    const cookie = redirect.headers.getSetCookie()[0]!.split(';')[0]!
    const followed = await fetch(origin + redirect.headers.get('location')!, { headers: { cookie } })
    expect(await followed.text()).toBe(differs({ original: 'undefined', dropIn: 'ada' }))
    if (differs({ original: true, dropIn: false })) save!()
    await redirect.text()
    server.closeAllConnections()
    server.close()
  })

  test('requests at once overwrite each other: in a plain store as ever', async () => {
    expect((await keysAddedAtOnce(session, new session.MemoryStore())).length).toBe(1)
  })

  test('a session that was signed out comes alive again', async () => {
    const store = new session.MemoryStore()
    let answer: (() => void) | undefined
    await using site = await open(session, { store }, (request, response) => {
      if (request.url === '/out') return request.session!.destroy(() => response.end())
      request.session!['visits'] = Number(request.session!['visits'] ?? 0) + 1
      if (request.url === '/in') return response.end()
      answer = () => response.end()
      return undefined
    })
    await site.get({ path: '/in' })
    const { cookie } = site
    const slow = site.get({ path: '/slow', cookie })
    await vi.waitFor(() => expect(answer).toBeDefined())
    await site.get({ path: '/out', cookie })
    answer!()
    await slow
    expect(Object.keys(store.sessions).length).toBe(differs({ original: 1, dropIn: 0 }))
  })

  test('dates, undefined and arrays in a session are what JSON makes of them, on both alike', async () => {
    await using site = await open(session, {}, (request, response) => {
      const mine = request.session!
      const before = JSON.stringify(mine['values'])
      mine['values'] ??= { date: new Date(0), nothing: undefined, list: [1, undefined, { a: 1 }] }
      response.end(before)
    })
    await site.get()
    expect((await site.get()).body).toBe('{"date":"1970-01-01T00:00:00.000Z","list":[1,null,{"a":1}]}')
  })

  test('regenerate() ends the old id at once', async () => {
    const store = new session.MemoryStore()
    await using site = await open(session, { store }, (request, response) => {
      if (request.url === '/new') return request.session!.regenerate(() => response.end())
      request.session!['a'] = 1
      return response.end(String(request.sessionID))
    })
    const { body: old } = await site.get()
    await site.get({ path: '/new' })
    expect([old in store.sessions, Object.keys(store.sessions).length]).toEqual([false, 1])
  })

  test('a new id with the data of before is copied by hand, and the cookie of the old session does not come along', async () => {
    await using site = await open(session, {}, (request, response) => {
      const mine = request.session!
      if (request.url !== '/new') {
        mine['cart'] = ['book']
        return response.end()
      }
      const { cookie: _cookie, ...kept } = mine
      return mine.regenerate(() => response.end(JSON.stringify(Object.assign(request.session!, kept)['cart'])))
    })
    await site.get()
    const before = site.cookie
    expect((await site.get({ path: '/new' })).body).toBe('["book"]')
    expect(site.cookie).not.toBe(before)
  })

  test('a store that is down freezes the application', async () => {
    const store = Object.assign(new session.MemoryStore(), { get: () => undefined })
    await using site = await open(session, { store, storeDeadline: 20 }, (_request, response) => response.end())
    const waited = new Promise<number | 'waits'>((resolve) => setTimeout(resolve, 150, 'waits' as const))
    const answered = site.get({ cookie: cookieFor('mine') }).then(({ status }) => status)
    answered.catch(() => undefined)
    expect(await Promise.race([answered, waited])).toBe(differs<number | 'waits'>({ original: 'waits', dropIn: 500 }))
  })

  test('there are no promises', async () => {
    await using site = await open(session, {}, (request, response) => {
      const answer = request.session!.save()
      response.end(String(answer instanceof Promise))
    })
    expect((await site.get()).body).toBe(differs({ original: 'false', dropIn: 'true' }))
  })

  test('every request, of pictures too, costs a write: with touchInterval one per interval', async () => {
    const options = { touchInterval: 60_000 }
    await using site = await open(session, options, (request, response) => {
      request.session!['a'] = 1
      response.end()
    })
    for (let visit = 0; visit < 4; visit++) await site.get()
    const touches = site.calls.filter((call) => call.startsWith('touch')).length
    expect(touches).toBe(differs({ original: 3, dropIn: 0 }))
  })

  test('the first of two cookies of one name hides the good one: a login that never succeeds', async () => {
    const store = new session.MemoryStore()
    store.sessions['mine'] = JSON.stringify({ cookie: {}, user: 'ada' })
    await using site = await open(session, { store }, (request, response) =>
      response.end(String(request.session!['user'])),
    )
    const { body } = await site.get({ cookie: `${cookieFor('old')}; ${cookieFor('mine')}` })
    expect(body).toBe(differs({ original: 'undefined', dropIn: 'ada' }))
  })

  test('a secure cookie is not sent behind a proxy, and nobody says why', async () => {
    const said: string[] = []
    vi.spyOn(process, 'emitWarning').mockImplementation((text) => void said.push(String(text)))
    await using site = await open(session, { cookie: { secure: true } }, (request, response) => {
      request.session!['a'] = 1
      response.end()
    })
    const headers = { 'x-forwarded-proto': 'https' }
    for (let visit = 0; visit < 3; visit++) expect((await site.get({ headers })).cookies).toEqual([])
    expect(said.length).toBe(differs({ original: 0, dropIn: 1 }))
    if (said.length > 0) expect(said[0]).toMatch(/X-Forwarded-Proto: https is not believed \(app\.set\('trust proxy'/)
  })

  test('destroy() leaves the dead cookie with the browser', async () => {
    await using site = await open(session, {}, (request, response) => {
      if (request.url === '/out') return request.session!.destroy(() => response.end())
      request.session!['a'] = 1
      return response.end()
    })
    await site.get()
    await site.get({ path: '/out' })
    expect(site.cookie === undefined).toBe(differs({ original: false, dropIn: true }))
  })

  test('every guest gets a session and a cookie: not where saveUninitialized is false', async () => {
    const reads: Handler = (_request, response) => response.end()
    for (const [saveUninitialized, sent] of [
      [true, 1],
      [false, 0],
    ] as const) {
      await using site = await open(session, { saveUninitialized }, reads)
      expect([(await site.get()).cookies.length, site.calls.length]).toEqual([sent, sent])
    }
  })

  test('only the end of a session moves, and not its cookie, unless rolling or changed', async () => {
    await using site = await open(session, { cookie: { maxAge: 60_000 } }, (request, response) => {
      if (request.url === '/change') request.session!['at'] = Math.random()
      response.end()
    })
    const sent: number[] = []
    for (const path of ['/change', '/', '/change']) sent.push((await site.get({ path })).cookies.length)
    expect([sent, site.calls]).toEqual([
      [1, 0, 1],
      ['set id1', 'get id1', 'touch id1', 'get id1', 'set id1'],
    ])
  })

  test('a plain store is given the id itself', async () => {
    const store = new session.MemoryStore()
    await using site = await open(session, { store }, (request, response) => {
      request.session!['a'] = 1
      response.end(String(request.sessionID))
    })
    const { body } = await site.get()
    expect(Object.keys(store.sessions)).toEqual([body])
  })

  test('a failed save goes unnoticed by the browser: not with refuse', async () => {
    const store = Object.assign(new session.MemoryStore(), {
      set: (_id: string, _session: unknown, done?: Done) => done?.(new Error('full')),
    })
    await using site = await open(session, { store, whenStoreFails: 'refuse' }, (request, response) => {
      request.session!['a'] = 1
      response.end('kept')
    })
    expect((await site.get()).body).toBe(differs({ original: 'kept', dropIn: 'failed' }))
  })
})

describe("what needs Holdfast's own store", () => {
  const [, { session }] = implementations

  test('requests at once keep all that they changed, and the store has no id', async () => {
    const sessions = createSessions({ secret: 'a secret of at least thirty-two bytes', store: 'memory:' })
    try {
      const store = holdfastStore(sessions) as unknown as TestedStore
      expect((await keysAddedAtOnce(session, store)).length).toBe(5)
    } finally {
      await sessions.close()
    }
  })
})

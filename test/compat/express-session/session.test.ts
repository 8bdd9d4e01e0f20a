/** `req.session` and its methods. */
import { describe, expect, test } from 'vitest'

import { implementations, type Done, type TestedSession, type TestedStore } from './implementations.ts'
import { cookieFor, open } from './site.ts'

describe.each(implementations)('$name', ({ session, differs }) => {
  test('is made of a request and data', () => {
    const mine = new session.Session({ sessionID: 'mine' }, { name: 'ada', id: 'other' })
    expect([mine.id, mine['name'], Object.keys(mine), JSON.stringify(mine)]).toEqual([
      'mine',
      'ada',
      ['name'],
      '{"name":"ada"}',
    ])
    expect(() => Object.assign(mine, { id: 'other' })).toThrow(/read only/)
  })

  test("req and id are its own, hidden, and cannot be written; its methods are the prototype's, and hidden", () => {
    const mine = new session.Session({ sessionID: 'mine' })
    for (const member of ['req', 'id'])
      expect(Object.getOwnPropertyDescriptor(mine, member)).toMatchObject({ enumerable: false, writable: false })
    for (const method of ['touch', 'resetMaxAge', 'save', 'reload', 'destroy', 'regenerate']) {
      const found = Object.getOwnPropertyDescriptor(session.Session.prototype, method)
      expect([method, typeof found?.value, found?.enumerable]).toEqual([method, 'function', false])
    }
  })

  test('its members are not enumerated', async () => {
    await using site = await open(session, {}, (request, response) => {
      const members: string[] = []
      for (const member in request.session!) members.push(member)
      response.end(members.join())
    })
    expect((await site.get()).body).toBe('cookie')
  })

  test('touch and resetMaxAge start the age anew, here only, and answer the session', async () => {
    await using site = await open(session, { cookie: { maxAge: 60_000 } }, ({ session: mine }, response) => {
      mine!.cookie['_expires'] = new Date(0)
      const same = mine!.touch() === mine && mine!.resetMaxAge() === mine
      response.end(`${same} ${Number(mine!.cookie.maxAge) > 50_000}`)
    })
    expect([(await site.get()).body, site.calls]).toEqual(['true true', []])
  })

  test('save stores what there is, with the expiry of the moment, and hands on what the store says', async () => {
    const store = new session.MemoryStore()
    await using site = await open(session, { store }, ({ session: mine }, response) => {
      mine!['a'] = 1
      mine!.save((error) => {
        const [stored] = Object.values(store.sessions)
        response.end(`${String(error)} ${stored!.includes('"a":1')}`)
      })
    })
    expect((await site.get()).body).toMatch(/^(?:null|undefined) true$/)
    expect(site.calls).toEqual(['set id1'])
  })

  test('an error of save goes to its callback; the end of the response does not try again', async () => {
    const store = Object.assign(new session.MemoryStore(), {
      set: (_id: string, _session: unknown, done?: Done) => done?.(new Error('full')),
    })
    await using site = await open(session, { store }, ({ session: mine }, response) => {
      mine!['a'] = 1
      mine!.save((error) => response.end(String(error)))
    })
    expect([(await site.get()).body, site.calls, site.errors]).toEqual(['Error: full', ['set id1'], []])
  })

  test('a new id whose session could not be saved by hand is saved at the end of the response', async () => {
    const store = new session.MemoryStore()
    const set = store.set.bind(store)
    let failing = true
    store.set = (id, value, done) => (failing ? done?.(new Error('full')) : set(id, value, done))
    await using site = await open(session, { store }, (request, response) => {
      request.session!.regenerate(() => {
        request.session!.save((error) => {
          failing = false
          response.end(String(error))
        })
      })
    })
    expect([(await site.get()).body, site.calls]).toEqual(['Error: full', ['destroy id1', 'set id2', 'set id2']])
    expect(Object.keys(store.sessions).length).toBe(1)
  })

  test('a longer life, given to a new id after it was saved by hand, is stored', async () => {
    const store = new session.MemoryStore()
    await using site = await open(session, { store }, (request, response) => {
      request.session!.regenerate(() => {
        request.session!.save(() => {
          request.session!.cookie.maxAge = 60_000
          response.end()
        })
      })
    })
    await site.get()
    expect(JSON.parse(Object.values(store.sessions)[0]!)).toMatchObject({ cookie: { originalMaxAge: 60_000 } })
  })

  test('reload reads again, into a new session of the same id', async () => {
    const store = new session.MemoryStore()
    await using site = await open(session, { store }, (request, response) => {
      const { session: mine } = request
      if (mine!['a'] === undefined) {
        mine!['a'] = 1
        return response.end()
      }
      mine!['a'] = 2
      return mine!.reload((error) => {
        const own = request.session!
        response.end(`${String(error)} ${Number(own['a'])} ${own === mine} ${own.id === mine!.id}`)
      })
    })
    await site.get()
    expect((await site.get()).body).toMatch(/^(?:null|undefined) 1 false true$/)
    expect(site.calls).toEqual(['set id1', 'get id1', 'get id1', 'touch id1'])
  })

  test('reload does not move what the session is compared with: what another has changed is saved once more', async () => {
    const store = new session.MemoryStore()
    store.sessions['mine'] = JSON.stringify({ cookie: {}, a: 1 })
    await using site = await open(session, { store }, (request, response) => {
      store.sessions['mine'] = JSON.stringify({ cookie: {}, a: 2 })
      request.session!.reload(() => response.end(String(request.session!['a'])))
    })
    expect((await site.get({ cookie: cookieFor('mine') })).body).toBe('2')
    expect(site.calls).toEqual(['get id1', 'get id1', 'set id1'])
  })

  test.each([
    ['a session that is gone', (done: Done) => done(), 'failed to load session'],
    ['a store that fails', (done: Done) => done(new Error('broken')), 'broken'],
  ])('reload of %s', async (_what, answer, message) => {
    const store = Object.assign(new session.MemoryStore(), { get: (_id: string, done?: Done) => answer(done!) })
    await using site = await open(session, { store }, (request, response) => {
      request.session!.reload((error) => response.end((error as Error).message))
    })
    expect((await site.get()).body).toBe(message)
  })

  test('destroy takes the session from the request at once, then from the store', async () => {
    await using site = await open(session, { saveUninitialized: true }, (request, response) => {
      const { session: mine } = request
      mine!.destroy((error) => response.end(`${String(error)} ${typeof request.session}`))
      if (request.session !== undefined) throw new Error('still there')
    })
    expect((await site.get()).body).toMatch(/^(?:null|undefined) undefined$/)
    expect(site.calls).toEqual(['destroy id1'])
  })

  test('regenerate makes an empty session under another id, also where the store fails', async () => {
    for (const failing of [false, true]) {
      const store: TestedStore = new session.MemoryStore()
      if (failing) store.destroy = (_id, done) => done?.(new Error('broken'))
      await using site = await open(session, { store }, (request, response) => {
        const { session: mine } = request
        mine!['a'] = 1
        mine!.regenerate((error) => {
          const own = request.session!
          response.end(
            `${error instanceof Error} ${typeof own['a']} ${own.id === mine!.id} ${own.id === request.sessionID}`,
          )
        })
      })
      const answer = await site.get()
      expect([answer.body, answer.cookies.length]).toEqual([`${failing} undefined false true`, 1])
    }
  })

  test('a session that was ended can begin anew', async () => {
    await using site = await open(session, {}, (request, response) => {
      const { session: mine } = request
      mine!.destroy(() => mine!.regenerate(() => response.end(typeof request.session)))
    })
    const answer = await site.get()
    expect([answer.body, site.calls, answer.cookies.length]).toEqual([
      'object',
      ['destroy id1', 'destroy id1', 'set id2'],
      1,
    ])
  })

  test('methods answer the session, for chains, where there is a callback', async () => {
    await using site = await open(session, {}, (request, response) => {
      const { session: mine } = request
      const answers = [mine!.regenerate(() => undefined), mine!.destroy(() => undefined)]
      response.end(String(answers.every((answer) => answer === mine)))
    })
    expect((await site.get()).body).toBe('true')
  })

  test('without a callback there are promises', async () => {
    await using site = await open(session, {}, async (request, response) => {
      const saved = request.session!.save()
      const said = [saved instanceof Promise]
      if (saved instanceof Promise) {
        await saved
        await request.session!.reload()
        await request.session!.regenerate()
        await request.session!.destroy()
        said.push(request.session === undefined)
      }
      response.end(said.join())
    })
    const { body } = await site.get()
    expect(body).toBe(differs({ original: 'false', dropIn: 'true,true' }))
  })

  test('a session of the store, without a request', async () => {
    const store = new session.MemoryStore()
    store.sessions['mine'] = JSON.stringify({ name: 'ada', cookie: { expires: new Date(Date.now() + 5_000) } })
    const mine = await new Promise<TestedSession>((resolve) => {
      store.load('mine', (_error, found) => resolve(found!))
    })
    expect([mine['name'], mine.id, mine.cookie.expires instanceof Date]).toEqual(['ada', 'mine', true])
    mine['name'] = 'bob'
    await new Promise((resolve) => mine.save(resolve))
    expect(JSON.parse(store.sessions['mine'])).toMatchObject({ name: 'bob' })
    await new Promise((resolve) => mine.destroy(resolve))
    expect(store.sessions['mine']).toBeUndefined()
  })

  test('a session that the store has not: nothing, and no error', async () => {
    const answers = await new Promise<unknown[]>((resolve) => {
      new session.MemoryStore().load('unknown', (...values) => resolve(values))
    })
    expect(answers.every((value) => value === undefined || value === null)).toBe(true)
  })

  test('createSession takes an expiry that is a Date already', () => {
    const expires = new Date(Date.now() + 60_000)
    const { createSession } = new session.MemoryStore()
    expect(createSession({ sessionID: 'mine' }, { cookie: { expires } }).cookie.expires).toEqual(expires)
  })

  test('createSession revives the expiry, and keeps the age that it was given', () => {
    const expires = new Date(Date.now() + 60_000)
    const request: Record<string, unknown> = { sessionID: 'mine', sessionStore: new session.MemoryStore() }
    const { createSession } = new session.MemoryStore()
    const mine = createSession(request, { cookie: { expires: expires.toISOString(), originalMaxAge: 5 } })
    expect([mine === request['session'], mine.cookie.expires, mine.cookie.originalMaxAge]).toEqual([true, expires, 5])
  })

  test('the same session object for one visitor never has the data of another', async () => {
    await using site = await open(session, {}, (request, response) => {
      request.session!['id of mine'] ??= request.sessionID
      response.end(String(request.session!['id of mine'] === request.sessionID))
    })
    const bodies = []
    for (const cookie of [undefined, cookieFor('unknown'), undefined]) bodies.push((await site.get({ cookie })).body)
    expect(bodies).toEqual(['true', 'true', 'true'])
  })
})

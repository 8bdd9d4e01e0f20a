/** Stores: our own, and those that were written for express-session. */
import { EventEmitter } from 'node:events'
import { inherits } from 'node:util'

import { describe, expect, test } from 'vitest'

import { implementations, type Done, type Tested, type TestedStore } from './implementations.ts'
import { open, type Handler } from './site.ts'

const COUNTS: Handler = (request, response) => {
  request.session!['count'] = Number(request.session!['count'] ?? 0) + 1
  response.end(String(request.session!['count']))
}

type Records = Map<string, string>

/** As stores were written before there were classes. */
function legacyStore({ Store }: Tested): TestedStore {
  function Legacy(this: TestedStore & { records: Records }): void {
    Store.call(this)
    this.records = new Map()
  }
  inherits(Legacy, Store)
  Object.assign(Legacy.prototype, {
    get(this: { records: Records }, id: string, done: Done) {
      const stored = this.records.get(id)
      process.nextTick(done, null, stored === undefined ? undefined : JSON.parse(stored))
    },
    set(this: { records: Records }, id: string, session: unknown, done: Done) {
      this.records.set(id, JSON.stringify(session))
      process.nextTick(done)
    },
    destroy(this: { records: Records }, id: string, done?: Done) {
      this.records.delete(id)
      if (done !== undefined) process.nextTick(done)
    },
  })
  return new (Legacy as unknown as new () => TestedStore)()
}

/** As they are written since. */
function classStore({ Store }: Tested): TestedStore {
  const records: Records = new Map()
  class Modern extends Store {
    override get = (id: string, done?: Done): unknown => {
      const stored = records.get(id)
      return done?.(null, stored === undefined ? null : JSON.parse(stored))
    }
    override set = (id: string, session: unknown, done?: Done): unknown => {
      records.set(id, JSON.stringify(session))
      return done?.()
    }
    override destroy = (id: string, done?: Done): unknown => {
      records.delete(id)
      return done?.()
    }
  }
  return new Modern()
}

/** Keeps the objects themselves, and calls back at once. */
function keepingStore({ Store }: Tested): TestedStore {
  const records = new Map<string, unknown>()
  return Object.assign(new Store(), {
    get: (id: string, done?: Done) => done?.(null, records.get(id)),
    set: (id: string, session: Record<string, unknown>, done?: Done) => {
      records.set(id, { ...session, cookie: { ...(session['cookie'] as object) } })
      done?.(null)
    },
    destroy: (id: string, done?: Done) => {
      records.delete(id)
      done?.(null)
    },
    touch: (_id: string, _session: unknown, done?: Done) => done?.(null),
  })
}

describe.each(implementations)('$name', ({ session, differs }) => {
  test.each([
    ['by util.inherits and Store.call(this)', legacyStore],
    ['a class, synchronous, without touch', classStore],
    ['that keeps values as they are, synchronous', keepingStore],
  ])('a store %s', async (_how, make) => {
    await using site = await open(session, { store: make(session) }, COUNTS)
    const bodies: string[] = []
    for (let visit = 0; visit < 3; visit++) bodies.push((await site.get()).body)
    expect([bodies, site.errors]).toEqual([['1', '2', '3'], []])
    expect(site.calls).toEqual(['set id1', 'get id1', 'set id1', 'get id1', 'set id1'])
  })

  test('what inherits from a store is one', () => {
    const store = legacyStore(session)
    expect([store instanceof session.Store, store instanceof EventEmitter]).toEqual([true, true])
    expect(new session.MemoryStore()).toBeInstanceOf(session.Store)
    let heard = 0
    store.on('connect', () => heard++)
    store.emit('connect')
    expect(heard).toBe(1)
  })

  test('MemoryStore may be inherited from in the old way', async () => {
    const { MemoryStore } = session
    function Mine(this: TestedStore): void {
      MemoryStore.call(this)
    }
    inherits(Mine, MemoryStore)
    await using site = await open(session, { store: new (Mine as unknown as new () => TestedStore)() }, COUNTS)
    await site.get()
    expect((await site.get()).body).toBe('2')
  })

  test("the store's own methods are called at the moment of use", async () => {
    const store = new session.MemoryStore()
    await using site = await open(session, { store }, COUNTS)
    const asked: string[] = []
    for (const method of ['get', 'set'] as const) {
      const call = store[method] as (...values: unknown[]) => unknown
      store[method] = function (this: unknown, ...values: unknown[]) {
        asked.push(`${method} ${this === store} ${values.length}`)
        return call.apply(store, values)
      }
    }
    await site.get()
    await site.get()
    expect(asked).toEqual(['set true 3', 'get true 2', 'set true 3'])
  })

  test('a way of its own to make sessions is respected', async () => {
    const store = new session.MemoryStore()
    const made = store.createSession.bind(store)
    store.createSession = (request, data) => Object.assign(made(request, data), { decorated: 'yes' })
    await using site = await open(session, { store }, (request, response) => {
      request.session!['a'] = 1
      response.end(String(request.session!['decorated']))
    })
    await site.get()
    expect((await site.get()).body).toBe('yes')
  })

  test('generate is given to the store, for who begins a session by hand', async () => {
    await using site = await open(session, {}, (request, response) => {
      const before = request.sessionID
      request.sessionStore!.generate(request)
      response.end(String(before !== request.sessionID && request.session!.id === request.sessionID))
    })
    const answer = await site.get()
    expect([answer.body, answer.cookies.length, site.calls]).toEqual(['true', 1, ['set id1']])
  })

  describe('an error after the response', () => {
    test.each(['sync', 'async'])('of set, %s: the response is whole, and then it is handed on', async (how) => {
      const store = Object.assign(new session.MemoryStore(), {
        set: (_id: string, _session: unknown, done?: Done) =>
          how === 'sync' ? done?.(new Error('full')) : setTimeout(done!, 5, new Error('full')),
      })
      await using site = await open(session, { store }, COUNTS)
      const answer = await site.get()
      expect([answer.status, answer.body, answer.cookies.length, site.errors]).toEqual([200, '1', 1, ['full']])
    })

    test('of touch', async () => {
      const store = Object.assign(new session.MemoryStore(), {
        touch: (_id: string, _session: unknown, done?: Done) => done?.(new Error('full')),
      })
      await using site = await open(session, { store, saveUninitialized: true }, (_request, response) =>
        response.end('read'),
      )
      await site.get()
      const answer = await site.get()
      expect([answer.status, answer.body, site.errors]).toEqual([200, 'read', ['full']])
    })

    test('of destroy, where unset ends the session', async () => {
      const store = Object.assign(new session.MemoryStore(), {
        destroy: (_id: string, done?: Done) => done?.(new Error('full')),
      })
      await using site = await open(session, { store, unset: 'destroy' }, (request, response) => {
        request.session = null
        response.end('read')
      })
      expect([(await site.get()).body, site.errors]).toEqual(['read', ['full']])
    })
  })

  test('a session that cannot be read is not ended for it, whatever unset says', async () => {
    const store = Object.assign(new session.MemoryStore(), {
      get: (_id: string, done?: Done) => done?.(new Error('broken')),
    })
    await using site = await open(session, { store, unset: 'destroy' }, COUNTS)
    await site.get()
    await site.get()
    // The original takes it for one that the application has deleted.
    expect(site.calls.slice(1)).toEqual(['get id1', ...differs({ original: ['destroy id1'], dropIn: [] })])
  })

  describe('MemoryStore', () => {
    const cookie = { originalMaxAge: null }
    const asked = (call: (done: Done) => unknown): Promise<unknown> =>
      new Promise((resolve, reject) => {
        call((error, value) => (error instanceof Error ? reject(error) : resolve(value)))
      })

    test('keeps JSON: what comes back is a copy', async () => {
      const store = new session.MemoryStore()
      const date = new Date(0)
      await asked((done) => store.set('a', { cookie, date, nothing: undefined }, done))
      expect(await asked((done) => store.get('a', done))).toEqual({ cookie, date: date.toISOString() })
      expect(await asked((done) => store.get('b', done))).toBeUndefined()
    })

    test('touch moves the end of a session that is there, and nothing else', async () => {
      const store = new session.MemoryStore()
      await asked((done) => store.set('a', { cookie, name: 'ada' }, done))
      const touched = { cookie: { originalMaxAge: 5 }, name: 'bob' }
      await asked((done) => store.touch!('a', touched, done))
      await asked((done) => store.touch!('b', touched, done))
      expect(await asked((done) => store.get('a', done))).toEqual({ cookie: { originalMaxAge: 5 }, name: 'ada' })
      expect(await asked((done) => store.get('b', done))).toBeUndefined()
    })

    test('what has expired is gone', async () => {
      const store = new session.MemoryStore()
      const expired = { cookie: { expires: new Date(Date.now() - 1) } }
      for (const id of ['a', 'b', 'c']) await asked((done) => store.set(id, expired, done))
      await asked((done) => store.set('d', { cookie }, done))
      expect(await asked((done) => store.get('a', done))).toBeUndefined()
      expect(Object.keys((await asked((done) => store.all(done))) as object)).toEqual(['d'])
      expect(await asked((done) => store.length(done))).toBe(1)
      expect(Object.keys(store.sessions)).toEqual(['d'])
    })

    test('destroy, clear', async () => {
      const store = new session.MemoryStore()
      for (const id of ['a', 'b']) await asked((done) => store.set(id, { cookie }, done))
      await asked((done) => store.destroy('a', done))
      await asked((done) => store.destroy('unknown', done))
      expect(await asked((done) => store.length(done))).toBe(1)
      await asked((done) => store.clear(done))
      expect(await asked((done) => store.length(done))).toBe(0)
    })

    test('answers later, never at once', () => {
      const store = new session.MemoryStore()
      let answers = 0
      store.get('a', () => answers++)
      store.set('a', { cookie }, () => answers++)
      store.destroy('a', () => answers++)
      expect(answers).toBe(0)
    })

    test('without a callback there are promises', async () => {
      const store = new session.MemoryStore()
      const saved = store.set('a', { cookie, name: 'ada' })
      expect(saved instanceof Promise).toBe(differs({ original: false, dropIn: true }))
      if (saved instanceof Promise) {
        await saved
        expect(await store.get('a')).toMatchObject({ name: 'ada' })
        expect(await store.length()).toBe(1)
        expect(((await store.load('a')) as { name: string }).name).toBe('ada')
      }
    })
  })
})

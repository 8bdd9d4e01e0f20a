/** What becomes of old sessions, on several servers over one store. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import type { Adopted, OldSessions } from '../../../src/core/old-sessions.ts'
import { beginVisit, type Manager } from '../../../src/core/sessions.ts'
import { fromCookieSession, fromExpressSession, type SourceOptions } from '../../../src/compat/adopt/index.ts'
import { signed } from '../../../src/compat/express-session/signature.ts'
import { StoreUnavailableError } from '../../../src/errors.ts'
import { redisStore } from '../../../src/stores/redis/index.ts'
import * as channels from '../../../src/telemetry/channels.ts'
import { Browser, deployment, SECRET, server, testClock, type TestData } from '../../support/core-browser.ts'
import { startRedisServer, type RedisServer } from '../../support/redis-server.ts'
import { faultyStore } from '../../../src/testing/index.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import { fromCookies } from './originals.ts'

const OLD_SECRET = 'of the servers of before'
const CART = ['apple']

/** A store of before, which counts, fails and waits as it is told. */
class OldStore {
  readonly sessions = new Map<string, object>()
  failing: Error | undefined
  silent = false
  gets = 0
  /** What the next look waits for. */
  gate: Promise<void> | undefined
  destroyed: string[] = []

  get(id: string, callback: (error?: never, session?: never) => void): void {
    this.gets++
    const { gate } = this
    this.gate = undefined
    const answer = (): void => callback(this.failing as never, this.sessions.get(id) as never)
    if (gate === undefined) this.#answer(answer)
    else void gate.then(() => this.#answer(answer))
  }

  destroy(id: string, callback: (error?: never) => void): void {
    this.#answer(() => {
      if (this.failing === undefined) this.sessions.delete(id)
      if (this.failing === undefined) this.destroyed.push(id)
      callback(this.failing as never)
    })
  }

  #answer(answer: () => void): void {
    if (!this.silent) setImmediate(answer)
  }
}

interface Before {
  readonly store: OldStore
  readonly source: OldSessions
  /** A browser with an old session. */
  readonly browser: (id?: string, members?: object) => Browser
}

function before(options: SourceOptions = {}, mapped: Partial<Adopted> = {}): Before {
  const store = new OldStore()
  const map = ({ user, ...data }: Record<string, unknown>): Adopted => ({
    data,
    ...(typeof user === 'string' ? { user } : {}),
    ...mapped,
  })
  return {
    store,
    source: fromExpressSession({ secret: OLD_SECRET, store, map, ...options }),
    browser: (id = 'old-id', members = { user: 'ada', cart: CART }) => {
      store.sessions.set(id, { cookie: {}, ...members })
      const browser = new Browser()
      browser.jar.set('connect.sid', encodeURIComponent(signed(id, OLD_SECRET)))
      return browser
    },
  }
}

/** Something to wait for, until it is opened. */
function newGate(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => undefined
  const promise = new Promise<void>((open) => {
    resolve = open
  })
  return { promise, resolve }
}

const look = (session: { status: string; userId: string | undefined; data: TestData }): object => ({
  status: session.status,
  userId: session.userId,
  data: session.data,
})
const ADA = { status: 'live', userId: 'ada', data: { cart: CART } }
const NOBODY = { status: 'none', userId: undefined, data: {} }

describe('an old session', () => {
  it('is adopted once, and serves on by the new cookie alone', async () => {
    const { source, browser, store } = before()
    const { servers } = await deployment({ adopt: [source] })
    const ada = browser()
    expect(await ada.visit(servers[0]!, look)).toEqual(ADA)
    expect([...ada.jar.keys()]).toEqual(['__Host-sid'])
    expect(await ada.visit(servers[1]!, look)).toEqual(ADA)
    expect([store.gets, store.destroyed]).toEqual([1, ['old-id']])
    expect(servers[0]!.stats().adoption).toEqual({ adopted: 1, refused: 0, ended: 0 })
    expect(await servers[1]!.list('ada')).toHaveLength(1)
  })

  it('is a guest’s where nobody was signed in', async () => {
    const { source, browser } = before()
    const { servers } = await deployment({ adopt: [source] })
    const guest = browser('old-id', { cart: CART })
    expect(await guest.visit(servers[0]!, look)).toEqual({ ...ADA, userId: undefined })
    expect([...guest.jar.keys()]).toEqual(['__Host-gid'])
  })

  it('can be left, and its cookie with it: going back, the old servers have it as it was', async () => {
    const { source, browser, store } = before({ source: 'leave' })
    const { servers } = await deployment({ adopt: [source] })
    const ada = browser()
    await ada.visit(servers[0]!, ({ data }) => void (data['cart'] = ['pear']), 'POST')
    expect([...ada.jar.keys()].toSorted()).toEqual(['__Host-sid', 'connect.sid'])
    expect(store.sessions.get('old-id')).toEqual({ cookie: {}, user: 'ada', cart: CART })
    expect(await ada.visit(servers[1]!, look)).toEqual({ ...ADA, data: { cart: ['pear'] } })
  })

  it('is not asked for where the browser has a live session', async () => {
    const { source, browser, store } = before()
    const { servers } = await deployment({ adopt: [source] })
    const ada = browser()
    // The first beside begins the grace of the id before.
    for (let at = 0; at < 3; at++) await ada.visit(servers[0]!, look)
    ada.jar.set('connect.sid', encodeURIComponent(signed('another', OLD_SECRET)))
    const commands = servers[0]!.stats().storeCommands
    const gets = store.gets
    expect(await ada.visit(servers[0]!, look)).toEqual(ADA)
    expect(store.gets).toBe(gets)
    expect(servers[0]!.stats().storeCommands).toBe(commands + 1)
  })

  it('keeps what the map says, with what is initial, and names what cannot come along', async () => {
    const { source, browser } = before({}, { data: { cart: CART, send: () => 0 }, dropped: ['flash'] })
    const { servers } = await deployment({ adopt: [source], initial: () => ({ cart: [], colour: 'red' }) })
    const told: unknown[] = []
    const note = (message: unknown): void => void told.push(message)
    channels.adoption.subscribe(note)
    expect(await browser().visit(servers[0]!, ({ data }) => data)).toEqual({ cart: CART, colour: 'red' })
    channels.adoption.unsubscribe(note)
    expect(told).toEqual([expect.objectContaining({ what: 'adopted', dropped: ['flash', 'send'] })])
  })

  it('is left alone where the answer could bring no cookie', async () => {
    const { source, browser, store } = before()
    const { servers } = await deployment({ adopt: [source], origin: undefined })
    const ada = browser()
    const facts = { ...ada.facts(), secure: false }
    const visit = beginVisit(servers[0]!, facts, {})
    await visit.open()
    expect(visit.session.status).toBe('none')
    expect(store.gets).toBe(0)
  })

  it('keeps its cookie where the answer does not bring the new one', async () => {
    const { source, browser } = before()
    const { servers } = await deployment({ adopt: [source] })
    const ada = browser()
    const visit = beginVisit(servers[0]!, ada.facts(), {})
    await visit.open()
    expect(visit.farewell()).toEqual([])
    expect(await ada.visit(servers[1]!, look)).toEqual(ADA)
  })
})

describe('an adopted session that has ended', () => {
  it('is not adopted again, whoever ended it and however (I3)', async () => {
    const ends: readonly ((on: Manager<TestData>, ada: Browser) => Promise<unknown>)[] = [
      (on, ada) => ada.visit(on, (session) => session.signOut(), 'POST'),
      (on) => on.revokeUser('ada'),
      async (on) => on.revoke('ada', (await on.list('ada'))[0]!.handle),
      (on) => on.revokeAll(),
    ]
    for (const [at, end] of ends.entries()) {
      const { source, browser, store } = before({ source: 'leave' })
      const { servers, clock } = await deployment({ adopt: [source] })
      const ada = browser()
      const thief = ada.copy()
      await ada.visit(servers[0]!, look)
      await end(servers[1]!, ada)
      await servers[0]!.ready()
      clock.forward(60 * 60_000)
      expect(await thief.visit(servers[0]!, look, 'POST')).toMatchObject({ userId: undefined })
      // Everything's end moves an epoch, and writes to no session.
      if (at < 3) expect(store.destroyed).toEqual(['old-id'])
    }
  })

  it('is over by its timeout too, and stays so as long as the old cookie could come', async () => {
    const { source, browser } = before({ source: 'leave', lifetime: '2d' })
    const { servers, clock } = await deployment({ adopt: [source] })
    const ada = browser()
    const later = ada.copy()
    await ada.visit(servers[0]!, look)
    clock.forward(24 * 60 * 60_000)
    expect(await later.visit(servers[1]!, look, 'POST')).toEqual(NOBODY)
    expect(servers[1]!.stats().adoption).toMatchObject({ adopted: 0, refused: 1 })
  })

  it('takes the old cookies along at sign-out, also those that nobody has adopted', async () => {
    const { source, browser, store } = before()
    const { servers } = await deployment({ adopt: [source] })
    const ada = new Browser()
    await ada.visit(servers[0]!, (session) => session.signIn('bob'), 'POST')
    const thief = browser('other-id')
    ada.jar.set('connect.sid', thief.jar.get('connect.sid')!)
    await ada.visit(servers[1]!, (session) => session.signOut(), 'POST')
    expect([...ada.jar.keys()]).toEqual([])
    expect(store.destroyed).toEqual(['other-id'])
    expect(await thief.visit(servers[0]!, look, 'POST')).toEqual(NOBODY)
  })

  it('of cookies alone, which nobody can end, is ended by what is remembered', async () => {
    const cookie = await fromCookies({ user: 'ada' }, { keys: ['key'] })
    const source = fromCookieSession({ keys: 'key', map: ({ user }) => ({ data: {}, user: String(user) }) })
    const { servers } = await deployment({ adopt: [source] })
    const ada = new Browser()
    ada.keep(cookie.split('; '))
    const thief = ada.copy()
    await ada.visit(servers[0]!, look)
    expect([...ada.jar.keys()]).toEqual(['__Host-sid'])
    await ada.visit(servers[1]!, (session) => session.signOut(), 'POST')
    expect(await thief.visit(servers[0]!, look, 'POST')).toEqual(NOBODY)
  })

  it('is brought by nobody else: an old cookie leads nowhere once the new id has its own way', async () => {
    const { source, browser } = before({ source: 'leave' })
    const { servers, clock } = await deployment({ adopt: [source] })
    const ada = browser()
    const thief = ada.copy()
    await ada.visit(servers[0]!, look)
    await ada.visit(servers[0]!, look)
    clock.forward(61_000)
    expect(await thief.visit(servers[1]!, look, 'POST')).toEqual(NOBODY)
    expect(await ada.visit(servers[1]!, look)).toEqual(ADA)
  })
})

describe('a revocation', () => {
  it('reaches old sessions that nobody had adopted yet, for as long as they could come', async () => {
    const { source, browser, store } = before()
    const { servers, clock } = await deployment({ adopt: [source] })
    await servers[0]!.revokeUser('ada')
    clock.forward(3 * 24 * 60 * 60_000)
    expect(await browser().visit(servers[1]!, look)).toEqual(NOBODY)
    expect(store.destroyed).toEqual(['old-id'])
  })

  it('of everything reaches those of guests, too', async () => {
    const { source, browser } = before()
    const { servers } = await deployment({ adopt: [source] })
    await servers[0]!.revokeAll()
    await servers[1]!.ready()
    expect(await browser('old-id', { cart: CART }).visit(servers[1]!, look)).toEqual(NOBODY)
  })

  it('spares who is known to have signed in since', async () => {
    const clock = testClock()
    const { source, browser } = before({}, { signedInAt: new Date(clock.now() + 60_000) })
    const { servers, clock: time } = await deployment({ adopt: [source] })
    await servers[0]!.revokeUser('ada')
    time.forward(120_000)
    expect(await browser().visit(servers[1]!, look)).toEqual(ADA)
  })
})

describe('a failing store', () => {
  it('of before is a 503 for who has an old cookie, in time, and for nobody else (I6)', async () => {
    const { source, browser, store } = before()
    const { servers } = await deployment({ adopt: [source], storeDeadline: '100ms' })
    const ada = browser()
    store.failing = new Error('gone')
    await expect(ada.visit(servers[0]!, look)).rejects.toThrow(StoreUnavailableError)
    expect(await new Browser().visit(servers[0]!, look)).toEqual(NOBODY)
    store.failing = undefined
    store.silent = true
    const begun = performance.now()
    await expect(ada.visit(servers[1]!, look)).rejects.toThrow(StoreUnavailableError)
    expect(performance.now() - begun).toBeLessThan(400)
    // It is known not to answer: nobody waits for it any more.
    await expect(ada.visit(servers[1]!, look)).rejects.toThrow(/was not tried/)
    store.silent = false
    expect([...ada.jar.keys()]).toEqual(['connect.sid'])
    expect(await ada.visit(servers[0]!, look)).toEqual(ADA)
  })

  it('of before keeps no end from being true here, and is told of it later', async () => {
    const { source, browser, store } = before({ source: 'leave' })
    const { servers } = await deployment({ adopt: [source] })
    const ada = browser()
    const thief = ada.copy()
    await ada.visit(servers[0]!, look)
    store.failing = new Error('gone')
    await expect(ada.visit(servers[0]!, (session) => session.signOut(), 'POST')).rejects.toThrow(
      /kept|when the store is back/,
    )
    expect(await thief.visit(servers[1]!, look, 'POST')).toEqual(NOBODY)
    store.failing = undefined
    await expect.poll(() => store.destroyed, { timeout: 3_000 }).toEqual(['old-id'])
  })

  it('of ours is a 503 for who has an old cookie (I6)', async () => {
    const { source, browser } = before()
    const clock = testClock()
    const store = faultyStore(memoryStore({ now: clock.now }))
    const one = server(store, clock, { adopt: [source], storeDeadline: '100ms' })
    await one.ready()
    const ada = browser()
    store.faults = { fail: 'refuse' }
    await expect(ada.visit(one, look)).rejects.toThrow(StoreUnavailableError)
    store.faults = {}
    await expect.poll(() => ada.visit(one, look).catch(() => undefined), { timeout: 3_000 }).toEqual(ADA)
  })
})

describe('requests at once', () => {
  let redis: RedisServer
  beforeAll(async () => {
    redis = await startRedisServer()
  })
  afterAll(() => redis.stop())

  it.each(['memory', 'redis'])(
    'on several servers over %s all end in one session, and every cookie they bring works',
    async (kind) => {
      for (let round = 0; round < 20; round++) {
        const { source, browser, store } = before()
        const clock = testClock(Date.now())
        const shared = memoryStore({ now: clock.now })
        const servers = Array.from({ length: 4 }, () =>
          server(kind === 'redis' ? redisStore(redis.url) : shared, clock, { adopt: [source] }),
        )
        await Promise.all(servers.map((one) => one.ready()))
        const id = `${kind} ${round} ${clock.now()}`
        const ada = browser(id)
        const answers = await Promise.all(
          Array.from({ length: 12 }, (_, at) =>
            ada.request(
              servers[at % 4]!,
              (session) => {
                session.data[`key${at}`] = at
                return session.handle
              },
              'POST',
            ),
          ),
        )
        expect(new Set(answers.map(({ result }) => result)).size).toBe(1)
        expect(store.sessions.size).toBe(0)
        for (const { cookies } of answers) {
          const kept = ada.copy()
          kept.keep(cookies)
          expect([...kept.jar.keys()]).toContain('__Host-sid')
          expect([...kept.jar.keys()]).not.toContain('connect.sid')
          const data = await kept.visit(servers[3]!, (session) => session.data)
          expect(Object.keys(data)).toHaveLength(13)
        }
        expect(servers.reduce((sum, one) => sum + one.stats().adoption!.adopted, 0)).toBe(1)
        await Promise.all(servers.map((one) => one.close()))
      }
    },
  )

  it('meet where one looks into the old store after the other has ended the session there', async () => {
    const { source, browser, store } = before()
    const { servers } = await deployment({ adopt: [source], storeDeadline: '5s' })
    const ada = browser()
    const { promise, resolve } = newGate()
    store.gate = promise
    const slow = ada.request(servers[0]!, look)
    await expect.poll(() => store.gets).toBe(1)
    expect((await ada.request(servers[1]!, look)).result).toEqual(ADA)
    expect(store.destroyed).toEqual(['old-id'])
    resolve()
    expect((await slow).result).toEqual(ADA)
  })

  it('meet where one looks for the session before the other makes it, and what is noted after', async () => {
    const { source, browser } = before()
    const clock = testClock()
    const store = memoryStore({ now: clock.now })
    const { promise, resolve } = newGate()
    let loads = 0
    const slowStore = faultyStore(store)
    const load = slowStore.load.bind(slowStore)
    slowStore.load = (selector) => (++loads === 2 ? promise.then(() => load(selector)) : load(selector))
    const servers = [slowStore, store].map((one) => server(one, clock, { adopt: [source], storeDeadline: '5s' }))
    await Promise.all(servers.map((one) => one.ready()))
    loads = 0
    const ada = browser()
    const slow = ada.request(servers[0]!, look)
    await expect.poll(() => loads).toBe(2)
    expect((await ada.request(servers[1]!, look)).result).toEqual(ADA)
    resolve()
    expect((await slow).result).toEqual(ADA)
  })

  it('meet also while the secret is being changed', async () => {
    const { source, browser } = before()
    const clock = testClock()
    const store = memoryStore({ now: clock.now })
    const next = 'the next secret of at least thirty-two bytes, for tests'
    const servers = [
      server(store, clock, { adopt: [source] }, { sign: SECRET, verify: [next] }),
      server(store, clock, { adopt: [source] }, { sign: next, verify: [SECRET] }),
    ]
    const ada = browser()
    const answers = await Promise.all(servers.map((one) => ada.request(one, look)))
    for (const { result, cookies } of answers) {
      expect(result).toEqual(ADA)
      const kept = ada.copy()
      kept.keep(cookies)
      for (const one of servers) expect(await kept.visit(one, look)).toEqual(ADA)
    }
    expect(await servers[0]!.list('ada')).toHaveLength(1)
  })
})

describe('a stolen store', () => {
  it('names no old session (I8)', async () => {
    const { source, browser } = before({ source: 'leave' })
    const clock = testClock()
    const store = memoryStore({ now: clock.now })
    const written: string[] = []
    const create = store.create.bind(store)
    store.create = (selector, record, ttl) => {
      written.push(`${selector} ${Buffer.from(record).toString('latin1')}`)
      return create(selector, record, ttl)
    }
    await browser('an-old-id-to-be-looked-for').visit(server(store, clock, { adopt: [source] }), look)
    // The session, and what is remembered of where it came from.
    expect(written).toHaveLength(2)
    expect(written[0]).toContain('apple')
    expect(written.join()).not.toContain('to-be-looked-for')
  })
})

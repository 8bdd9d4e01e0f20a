/** I6, I12: a browser whose id the store has forgotten, because it is back in a state from before. */
import { channel } from 'node:diagnostics_channel'
import { describe, expect, it, onTestFinished } from 'vitest'

import { beginVisit, type Manager } from '../../src/core/sessions.ts'
import { StoreUnavailableError } from '../../src/errors.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import type { BaseOptions, Session } from '../../src/types.ts'
import { Browser, server, testClock, type TestClock, type TestData } from '../support/core-browser.ts'
import { around } from '../support/paused-store.ts'
import { replicatedStore, type ReplicatedStore } from '../support/replicated-store.ts'
import { selectorOf } from '../support/stored.ts'

/** An hour changes nothing. */
const LONG = { idleTimeout: '1d', absoluteTimeout: '7d', renewalTimeout: '1d' } as const

interface World {
  readonly clock: TestClock
  readonly store: ReplicatedStore
  /** Has a clock of its own. */
  readonly late: TestClock
  readonly servers: readonly [Manager<TestData>, Manager<TestData>]
}

/** So long a guest's new id may be unknown to a server that asks a primary that was replaced, in milliseconds. */
const BEHIND_MOST = 15_000

const kinds = [
  { kind: 'says that it may lose', mayLose: true },
  { kind: 'loses nothing, and had an old copy put in its place', mayLose: false },
] as const

async function world({ mayLose }: { readonly mayLose: boolean }, options: BaseOptions = {}): Promise<World> {
  const [clock, late] = [testClock(), testClock()]
  const store = Object.assign(replicatedStore(clock.now), { mayLose })
  const servers = [server(store, clock, options), server(store, late, options)] as const
  await Promise.all(servers.map((one) => one.ready()))
  return { clock, late, store, servers }
}

function told(name: string): unknown[] {
  const seen: unknown[] = []
  const note = (message: unknown): void => void seen.push(message)
  channel(name).subscribe(note)
  onTestFinished(() => {
    channel(name).unsubscribe(note)
  })
  return seen
}

const what = (session: Session<TestData>): unknown => [session.status, session.userId, { ...session.data }]
const put = (key: string) => (session: Session<TestData>) => void (session.data[key] = true)

/** A guest whose renewed id the store has lost. There is a visit cookie, too, of before the guest's first value. */
async function renewedAndLost({ clock, late, store, servers }: World): Promise<Browser> {
  const browser = new Browser()
  await browser.visit(servers[0], (session) => session.csrf.token())
  await browser.visit(servers[0], put('cart'))
  await browser.visit(servers[0], what)
  clock.forward(60 * 60_000)
  late.forward(60 * 60_000)
  store.replicates = false
  await browser.visit(servers[0], (session) => session.regenerateId())
  await browser.visit(servers[0], put('more'))
  store.failOver()
  store.replicates = true
  for (const one of [clock, late]) one.forward(BEHIND_MOST)
  return browser
}

describe.each(kinds)('a renewed id that a store has lost, which $kind', (kind) => {
  it('lets a new visit begin, in which nothing is dropped', async () => {
    const { servers, ...rest } = await world(kind, LONG)
    const browser = await renewedAndLost({ servers, ...rest })
    const dropped = told('holdfast:dropped')
    const before = selectorOf(browser, 'gid')
    expect(await browser.visit(servers[1], what)).toEqual(['lapsed', undefined, {}])
    await browser.visit(servers[0], put('again'), 'POST')
    expect(await browser.visit(servers[1], what)).toEqual(['live', undefined, { again: true }])
    expect(selectorOf(browser, 'gid')).not.toBe(before)
    expect(dropped).toEqual([])
  })

  it('is told, once for all the requests of its page', async () => {
    const { servers, ...rest } = await world(kind, LONG)
    const browser = await renewedAndLost({ servers, ...rest })
    const seen = told('holdfast:lost')
    await Promise.all([1, 2, 3].map(() => browser.request(servers[1], what)))
    expect(seen).toEqual([{ handle: expect.any(String) as string, shown: kind.mayLose ? 5 : undefined, found: 2 }])
    expect(servers[1].stats().lostWrites).toBe(1)
  })

  it('reaches the session of before for nobody, and that one is still its own', async () => {
    const { servers, ...rest } = await world(kind, LONG)
    const before = new Browser()
    await before.visit(servers[0], put('cart'))
    const browser = before.copy()
    const { clock, late, store } = rest
    clock.forward(60 * 60_000)
    late.forward(60 * 60_000)
    store.replicates = false
    await browser.visit(servers[0], (session) => session.regenerateId())
    store.failOver()
    store.replicates = true
    await browser.visit(servers[1], put('mine'), 'POST')
    expect(await before.visit(servers[1], what)).toEqual(['live', undefined, { cart: true }])
  })

  it('can sign in and out', async () => {
    const { servers, ...rest } = await world(kind, LONG)
    const browser = await renewedAndLost({ servers, ...rest })
    await browser.visit(servers[1], (session) => session.signIn('u1'), 'POST')
    expect(await browser.visit(servers[0], what)).toEqual(['live', 'u1', {}])
    await browser.visit(servers[0], (session) => session.signOut(), 'POST')
    expect(browser.jar.size).toBe(0)
  })

  it('has its forms refused, as those of a session that is over', async () => {
    const { servers, clock, late, store } = await world(kind, { ...LONG, csrf: 'strict' })
    const browser = new Browser()
    await browser.visit(servers[0], put('cart'))
    clock.forward(60 * 60_000)
    late.forward(60 * 60_000)
    store.replicates = false
    await browser.visit(servers[0], (session) => session.regenerateId())
    const token = await browser.visit(servers[0], (session) => session.csrf.token())
    store.failOver()
    const visit = beginVisit(servers[1], browser.facts('POST', { origin: 'https://shop.example' }), {})
    await visit.open()
    expect(() => visit.check({ _csrf: token })).toThrow(expect.objectContaining({ reason: 'session-ended' }))
  })
})

it.each(kinds)('nor is a guest’s cookie from before the sign-in in the way, of a store which $kind', async (kind) => {
  const { servers, clock, late, store } = await world(kind)
  const browser = new Browser()
  await browser.visit(servers[0], put('cart'))
  await browser.visit(servers[0], (session) => session.signIn('u1'))
  for (const one of [clock, late]) one.forward(10 * 60_000)
  store.replicates = false
  await browser.visit(servers[0], (session) => session.regenerateId())
  store.failOver()
  store.replicates = true
  expect([...browser.jar.keys()]).toEqual(expect.arrayContaining(['__Host-gid', '__Host-sid']))
  expect(await browser.visit(servers[1], what)).toEqual(['lapsed', undefined, {}])
  await browser.visit(servers[0], put('again'), 'POST')
  expect(await browser.visit(servers[1], what)).toEqual(['live', undefined, { again: true }])
})

describe.each(kinds)('a sign-in that a store has lost, which $kind', (kind) => {
  it('leaves the guest that it was, though no second lies between', async () => {
    const { servers, store } = await world(kind)
    const browser = new Browser()
    await browser.visit(servers[0], put('cart'))
    const selector = selectorOf(browser, 'gid')
    store.replicates = false
    await browser.visit(servers[0], (session) => session.signIn('u1'))
    store.failOver()
    store.replicates = true
    expect(await browser.visit(servers[1], what)).toEqual(['live', undefined, { cart: true }])
    await browser.visit(servers[0], put('more'), 'POST')
    expect(await browser.visit(servers[1], what)).toEqual(['live', undefined, { cart: true, more: true }])
    // Each process tells of it once.
    expect(servers.map((one) => one.stats().lostWrites)).toEqual([1, 1])
    expect(selectorOf(browser, 'gid')).toBe(selector)
  })

  it('is not served from a copy of it either, while the store fails', async () => {
    const { servers, store } = await world(kind, { serveStale: '5m' })
    const browser = new Browser()
    await browser.visit(servers[0], put('cart'))
    store.replicates = false
    await browser.visit(servers[0], (session) => session.signIn('u1'))
    await browser.visit(servers[0], what)
    store.failOver()
    expect(await browser.visit(servers[0], what)).toEqual(['live', undefined, { cart: true }])
    around(store, 'load', () => Promise.reject(new Error('connection reset')))
    await expect(browser.visit(servers[0], what)).rejects.toThrow(StoreUnavailableError)
  })

  it('leaves a visitor who has no other id to begin anew', async () => {
    const { servers, store } = await world(kind)
    const browser = new Browser()
    await browser.visit(servers[0], put('cart'))
    store.replicates = false
    await browser.visit(servers[0], (session) => session.signIn('u1'))
    store.failOver()
    store.replicates = true
    browser.jar.delete('__Host-gid')
    await browser.visit(servers[1], put('mine'), 'POST')
    expect(await browser.visit(servers[0], what)).toEqual(['live', undefined, { mine: true }])
  })
})

describe('an id that a server does not know yet, because it asks a primary that was replaced,', () => {
  it('costs a guest no session', async () => {
    const { servers, clock, late, store } = await world({ mayLose: true }, LONG)
    const after = server(store.replica, clock, LONG)
    await after.ready()
    const browser = new Browser()
    await browser.visit(servers[0], put('cart'), 'POST')
    for (const one of [clock, late]) one.forward(60 * 60_000)
    await browser.visit(after, (session) => session.regenerateId(), 'POST')
    await browser.visit(after, put('more'), 'POST')
    store.replicates = false
    const dropped = told('holdfast:dropped')
    await browser.visit(servers[1], put('behind'), 'POST')
    expect(dropped).toHaveLength(1)
    store.failOver()
    expect(await browser.visit(servers[1], what)).toEqual(['live', undefined, { cart: true, more: true }])
  })
})

describe('an id that another has superseded', () => {
  it('is no loss within the second in which it was minted, at whatever part of it', async () => {
    const clock = testClock()
    let passes = 0
    const store = memoryStore({ now: clock.now })
    // It goes on while a request is under way.
    const ticking = { ...clock, now: () => (clock.forward(passes), clock.now()) }
    const one = server(store, ticking)
    await one.ready()
    const lost = told('holdfast:lost')
    for (let part = 0; part < 1_000; part += 5) {
      passes = 0
      clock.forward(10_000 + 5 - (clock.now() % 1_000) + part)
      passes = 5
      const browser = new Browser()
      await browser.visit(one, (session) => session.signIn(`u${part}`), 'POST')
      const before = browser.copy()
      await browser.visit(one, (session) => session.regenerateId({ previous: 'refused' }), 'POST')
      await before.request(one, put('late'), 'POST')
    }
    expect(lost).toEqual([])
  })

  it('is none where a guest’s visit began later under the same selector', async () => {
    const { servers, clock, late } = await world({ mayLose: false }, { maxRequestTime: '5s' })
    const browser = new Browser()
    await browser.visit(servers[0], (session) => session.csrf.token())
    const visitor = browser.copy()
    await browser.visit(servers[0], (session) => session.signIn('u1'), 'POST')
    const signedIn = browser.copy()
    await browser.visit(servers[0], (session) => session.signOut(), 'POST')
    for (const each of [clock, late]) each.forward(10 * 60_000)
    await visitor.visit(servers[0], put('guest'), 'POST')
    expect(selectorOf(visitor, 'gid')).toBe(selectorOf(signedIn, 'sid'))
    const lost = told('holdfast:lost')
    await signedIn.visit(servers[1], what)
    expect(lost).toEqual([])
  })

  it('is no loss: what comes with it is dropped, and nobody is told of one', async () => {
    const { servers, clock, late } = await world({ mayLose: false })
    const browser = new Browser()
    await browser.visit(servers[0], put('cart'))
    const before = browser.copy()
    clock.forward(10_000)
    late.forward(10_000)
    await browser.visit(servers[0], (session) => session.signIn('u1'))
    const [lost, dropped] = [told('holdfast:lost'), told('holdfast:dropped')]
    await before.visit(servers[1], put('late'))
    expect(lost).toEqual([])
    expect(dropped).toEqual([{ handle: undefined, reason: 'detached' }])
  })

  it('is none either where the clock of the server of the sign-in was put back', async () => {
    const { servers, clock, late } = await world({ mayLose: false })
    const browser = new Browser()
    await browser.visit(servers[0], put('cart'))
    clock.forward(10 * 60_000)
    await browser.visit(servers[0], (session) => session.regenerateId())
    const before = browser.copy()
    late.forward(-60_000)
    await browser.visit(servers[1], (session) => session.signIn('u1'))
    const [lost, dropped] = [told('holdfast:lost'), told('holdfast:dropped')]
    await before.visit(servers[0], put('late'))
    expect(lost).toEqual([])
    expect(dropped).toHaveLength(1)
    expect(await browser.visit(servers[1], what)).toEqual(['live', 'u1', { cart: true }])
  })
})

it('an id bears no time to come where the store’s clock is behind, and can be renewed once it is old enough', async () => {
  const { servers, clock, late } = await world({ mayLose: false }, LONG)
  late.forward(5)
  const browser = new Browser()
  await browser.visit(servers[1], (session) => session.signIn('u1'))
  const before = browser.jar.get('__Host-sid')
  clock.forward(60_000)
  late.forward(60_000)
  await browser.visit(servers[1], (session) => session.regenerateId())
  expect(before).toBeDefined()
  expect(browser.jar.get('__Host-sid')).not.toBe(before)
})

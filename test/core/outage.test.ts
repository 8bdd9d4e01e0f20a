/** What becomes of sessions while the store fails: ends are kept, copies are read, and nothing unknown counts as absent. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'

import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'

import { beginVisit, type Manager } from '../../src/core/sessions.ts'
import type { Opening } from '../../src/core/visit.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { faultyStore, type Faults, type FaultyStore } from '../../src/testing/faulty-store.ts'
import type { BaseOptions, Session } from '../../src/types.ts'
import { Browser, server, testClock, type TestClock, type TestData } from '../support/core-browser.ts'
import { hasEnded, selectorOf } from '../support/stored.ts'

const DOWN: Faults = { fail: 'refuse' }
const READABLE: Faults = { fail: (operation) => (operation === 'load' ? undefined : 'refuse') }

interface World {
  readonly clock: TestClock
  readonly store: FaultyStore
  /** Two servers; the faults concern the first only. */
  readonly servers: readonly [Manager<TestData>, Manager<TestData>]
  readonly browser: Browser
  readonly lines: { details: object; message: string }[]
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

/** Ada has signed in on the first server. */
async function world(options: BaseOptions = {}, kind: { readonly mayLose?: true } = {}): Promise<World> {
  const clock = testClock()
  const bare = Object.assign(memoryStore({ now: clock.now }), kind)
  const store = faultyStore(bare)
  const lines: World['lines'] = []
  const log = {
    warn: (details: object, message: string) => void lines.push({ details, message }),
    error: () => undefined,
  }
  const servers = [server(store, clock, { log, ...options }), server(bare, clock, options)] as const
  await Promise.all(servers.map((one) => one.ready()))
  const browser = new Browser()
  await browser.visit(servers[0], async (session) => {
    session.data['cart'] = ['apple']
    await session.signIn('ada')
  })
  return { clock, store, servers, browser, lines }
}

/** A request, with what becomes of it. `cookies`: those of its answer, also where that is an error's. */
async function ask<Result>(
  on: Manager<TestData>,
  browser: Browser,
  handler: (session: Session<TestData>) => Result | Promise<Result>,
  { opening = {}, method = 'GET' }: { opening?: Opening; method?: string } = {},
): Promise<{ result?: Awaited<Result>; error?: unknown; cookies: readonly string[] }> {
  const visit = beginVisit(on, browser.facts(method, { 'sec-fetch-site': 'same-origin' }), {})
  let [result, error]: [Awaited<Result> | undefined, unknown] = [undefined, undefined]
  try {
    await visit.open(opening)
    visit.check(undefined)
    result = await handler(visit.session)
  } catch (thrown) {
    error = thrown
  }
  try {
    const { cookies } = await visit.settle()
    return { ...(error === undefined ? { result: result as Awaited<Result> } : { error }), cookies }
  } catch (thrown) {
    return { error: thrown, cookies: visit.farewell() }
  } finally {
    visit.finish()
  }
}

const whoIs = (session: Session<TestData>): unknown => [session.status, session.userId]
const unavailable = { code: 'ERR_STORE_UNAVAILABLE', status: 503 }
const pendingEnd = { code: 'ERR_END_PENDING', status: 503, headers: { 'retry-after': '1' } }

describe('a sign-out that the store does not take', () => {
  const ways: readonly (readonly [string, Faults, BaseOptions, Opening])[] = [
    ['of a session that was loaded', READABLE, {}, {}],
    ['on a route that signs out, of a session that could not be loaded', DOWN, {}, { signOut: true }],
    ['of a copy', DOWN, { serveStale: '5m' }, {}],
  ]

  it.each(ways)('%s clears the cookies, is told as it is, and holds when the store is back', async (...way) => {
    const [, faults, options, opening] = way
    const { servers, store, browser } = await world(options)
    const kept = browser.copy()
    const selector = selectorOf(browser, 'sid')
    store.faults = faults
    const { error, cookies } = await ask(servers[0], browser, (session) => session.signOut(), {
      opening,
      method: 'POST',
    })
    expect(error).toMatchObject({ ...pendingEnd, reason: 'signed-out' })
    browser.keep(cookies)
    expect(browser.jar.has('__Host-sid')).toBe(false)
    // Served to nobody here, whatever the store does; elsewhere it lives on.
    expect(await ask(servers[0], kept, whoIs)).toMatchObject({ result: ['lapsed', undefined] })
    expect(await ask(servers[1], kept, whoIs)).toMatchObject({ result: ['live', 'ada'] })
    expect(servers[0].stats().ends).toMatchObject({ pending: 1, kept: 1 })
    store.faults = {}
    await vi.advanceTimersByTimeAsync(1_100)
    expect(await hasEnded(store, selector)).toBe(true)
    expect(await ask(servers[1], kept, whoIs)).toMatchObject({ result: ['lapsed', undefined] })
    expect(servers[0].stats().ends).toMatchObject({ pending: 0, written: 1 })
    expect(await servers[0].list('ada')).toEqual([])
  })

  it('leaves the request without a session, and what it stores afterwards is a new visit', async () => {
    const { servers, store, browser } = await world()
    store.faults = { fail: (operation) => (operation === 'end' ? 'refuse' : undefined) }
    const { result, cookies } = await ask(servers[0], browser, async (session) => {
      await session.signOut().catch(() => undefined)
      const seen = [session.status, session.userId, { ...session.data }]
      session.data['after'] = 1
      return seen
    })
    expect(result).toEqual(['none', undefined, {}])
    browser.keep(cookies)
    expect([...browser.jar.keys()]).toEqual(['__Host-gid'])
    expect(await ask(servers[1], browser, (session) => session.data)).toMatchObject({ result: { after: 1 } })
  })

  it.each(ways)('%s is no success when it is asked for again before the store has it (I3)', async (...way) => {
    const [, faults, options, opening] = way
    const { servers, store, browser } = await world(options)
    const kept = browser.copy()
    const selector = selectorOf(browser, 'sid')
    const again = (session: Session<TestData>): unknown => session.signOut()
    const posting = { opening, method: 'POST' }
    store.faults = faults
    await ask(servers[0], browser, again, posting)
    expect(await ask(servers[0], kept.copy(), again, posting)).toMatchObject({ error: pendingEnd })
    expect(servers[0].stats().ends).toMatchObject({ pending: 1 })
    store.faults = {}
    // No time passes: it is this request that ends it.
    expect(await ask(servers[0], kept.copy(), again, posting)).toMatchObject({ result: { durable: true } })
    expect(await hasEnded(store, selector)).toBe(true)
    expect(servers[0].stats().ends).toMatchObject({ pending: 0, written: 1 })
  })

  it('everywhere ends the others, too, when it is asked for again and the store is back', async () => {
    const { servers, store, browser } = await world()
    const other = new Browser()
    await other.visit(servers[0], (session) => session.signIn('ada'))
    const kept = browser.copy()
    const everywhere = (session: Session<TestData>): unknown => session.signOut({ everywhere: true })
    store.faults = READABLE
    await ask(servers[0], browser, everywhere)
    expect(await ask(servers[0], kept.copy(), everywhere)).toMatchObject({ error: { status: 503 } })
    store.faults = {}
    expect(await ask(servers[0], kept.copy(), everywhere)).toMatchObject({ result: { durable: true } })
    expect(await ask(servers[0], other, whoIs)).toMatchObject({ result: ['lapsed', undefined] })
  })

  it('everywhere, of a session that could not be read, does not claim when it is asked for again to have ended the others', async () => {
    const { servers, store, browser } = await world()
    const kept = browser.copy()
    const everywhere = (session: Session<TestData>): unknown => session.signOut({ everywhere: true })
    const opening = { opening: { signOut: true }, method: 'POST' }
    store.faults = DOWN
    await ask(servers[0], browser, everywhere, opening)
    store.faults = {}
    expect(await ask(servers[0], kept, everywhere, opening)).toMatchObject({ error: unavailable })
    expect(servers[0].stats().ends).toMatchObject({ pending: 0, written: 1 })
  })

  it('of a session that could not be loaded holds, though the browser has its guest’s id still (I3)', async () => {
    const { servers, store } = await world()
    const guest = new Browser()
    await guest.visit(servers[0], (session) => void (session.data['cart'] = ['apple']), 'POST')
    const before = guest.copy()
    await guest.visit(servers[0], (session) => session.signIn('bob'), 'POST')
    for (const [name, value] of before.jar) if (!guest.jar.has(name)) guest.jar.set(name, value)
    expect([selectorOf(guest, 'gid')]).toEqual([selectorOf(guest, 'sid')])
    const selector = selectorOf(guest, 'sid')
    store.faults = DOWN
    const posting = { opening: { signOut: true }, method: 'POST' }
    expect(await ask(servers[0], guest, (session) => session.signOut(), posting)).toMatchObject({ error: pendingEnd })
    store.faults = {}
    await vi.advanceTimersByTimeAsync(1_100)
    expect(await hasEnded(store, selector)).toBe(true)
  })

  it('whose answer was lost is asserted all the same', async () => {
    const { servers, store, browser } = await world()
    store.faults = { fail: (operation) => (operation === 'end' ? 'lose' : undefined) }
    const { error } = await ask(servers[0], browser, (session) => session.signOut())
    expect(error).toMatchObject(pendingEnd)
    store.faults = {}
    await vi.advanceTimersByTimeAsync(1_100)
    expect(servers[0].stats().ends).toMatchObject({ pending: 0, written: 1 })
  })

  it('ends nothing of the user who signs in to the visit before it is written (I4)', async () => {
    const { servers, store } = await world()
    for (const faults of [READABLE, DOWN]) {
      const guest = new Browser()
      await guest.visit(servers[0], (session) => void (session.data['a'] = 1))
      store.faults = faults
      const leaving = guest.copy()
      const opening = { signOut: true }
      const { error } = await ask(servers[0], leaving, (session) => session.signOut(), { opening, method: 'POST' })
      expect(error).toMatchObject(pendingEnd)
      await guest.visit(servers[1], (session) => session.signIn('bob'))
      store.faults = {}
      await vi.advanceTimersByTimeAsync(1_100)
      expect(servers[0].stats().ends.pending).toBe(0)
      expect(await ask(servers[1], guest, whoIs)).toMatchObject({ result: ['live', 'bob'] })
    }
  })

  it('follows its session through a renewal elsewhere', async () => {
    const { servers, store, browser, clock } = await world()
    for (const opening of [{}, { signOut: true }]) {
      const [here, there] = [new Browser(), new Browser()]
      await here.visit(servers[0], (session) => session.signIn('bob'))
      clock.forward(61_000)
      for (const [name, value] of here.jar) there.jar.set(name, value)
      store.faults = 'signOut' in opening ? DOWN : READABLE
      await ask(servers[0], here, (session) => session.signOut(), { opening, method: 'POST' })
      await there.visit(servers[1], (session) => session.regenerateId())
      store.faults = {}
      await vi.advanceTimersByTimeAsync(1_100)
      expect(await ask(servers[1], there, whoIs)).toMatchObject({ result: ['lapsed', undefined] })
    }
    expect(await ask(servers[0], browser, whoIs)).toMatchObject({ result: ['live', 'ada'] })
  })

  it('everywhere says that the others live on, and ends its own', async () => {
    const { servers, store, browser } = await world()
    const other = new Browser()
    await other.visit(servers[0], (session) => session.signIn('ada'))
    store.faults = READABLE
    const { error } = await ask(servers[0], browser, (session) => session.signOut({ everywhere: true }))
    expect(error).toMatchObject(pendingEnd)
    store.faults = {}
    await vi.advanceTimersByTimeAsync(1_100)
    expect(servers[0].stats().ends).toMatchObject({ pending: 0, written: 1 })
    expect(await ask(servers[0], other, whoIs)).toMatchObject({ result: ['live', 'ada'] })
  })

  it('is tried once when the process closes, and logged by handle where that fails', async () => {
    const { servers, store, browser, lines } = await world()
    const { result: handle } = await ask(servers[0], browser, (session) => session.handle)
    store.faults = READABLE
    await ask(servers[0], browser, (session) => session.signOut())
    await servers[0].close()
    expect(lines.at(-1)).toMatchObject({ details: { count: 1, handles: [handle] } })
    expect(vi.getTimerCount()).toBe(0)
  })

  it('aborts the signals of its session, and is told on a channel when it is kept and when it is written', async () => {
    const { servers, store, browser } = await world()
    const told: unknown[] = []
    const note = (message: unknown): void => void told.push(message)
    subscribe('holdfast:end', note)
    onTestFinished(() => void unsubscribe('holdfast:end', note))
    const socket = beginVisit(servers[0], browser.facts(), {})
    await socket.open()
    const { signal, handle } = socket.session
    store.faults = READABLE
    await ask(servers[0], browser, (session) => session.signOut())
    expect(signal.aborted).toBe(true)
    store.faults = {}
    await vi.advanceTimersByTimeAsync(1_100)
    expect(told).toEqual([
      { handle, what: 'kept' },
      { handle, what: 'written' },
    ])
  })

  it('is refused where too many are kept, with an error that names the limit (I13)', async () => {
    const { servers, store } = await world({ limits: { ends: 1 } })
    const guests = [new Browser(), new Browser()]
    for (const guest of guests) await guest.visit(servers[0], (session) => void (session.data['a'] = 1))
    store.faults = READABLE
    await ask(servers[0], guests[0]!, (session) => session.signOut())
    const { error, cookies } = await ask(servers[0], guests[1]!, (session) => session.signOut())
    expect(error).toMatchObject({ code: 'ERR_LIMIT', limit: 'ends', status: 503 })
    expect(cookies).toHaveLength(1)
  })
})

describe('a session that could not be loaded, on a route that signs out', () => {
  it('throws for everything but its sign-out: unknown is not absent (I6)', async () => {
    const { servers, store, browser } = await world()
    store.faults = DOWN
    const uses: ((session: Session<TestData>) => unknown)[] = [
      (session) => session.data,
      (session) => (session.data = {}),
      (session) => session.status,
      (session) => session.userId,
      (session) => session.handle,
      (session) => session.version,
      (session) => session.createdAt,
      (session) => session.expiresAt,
      (session) => session.signal,
      (session) => session.csrf.token(),
      (session) => session.csrf.verify('x'),
      (session) => session.commit(),
      (session) => session.update(() => undefined),
      (session) => session.reload(),
      (session) => session.touch(),
      (session) => session.signIn('bob'),
      (session) => session.regenerateId(),
    ]
    for (const use of uses) {
      const { error, cookies } = await ask(servers[0], browser, use, { opening: { signOut: true } })
      expect([error, cookies]).toMatchObject([unavailable, []])
    }
  })

  it('is signed out at once where the store answers again by then', async () => {
    const { servers, store, browser } = await world()
    store.faults = DOWN
    const { result } = await ask(
      servers[0],
      browser,
      (session) => {
        store.faults = {}
        return session.signOut()
      },
      { opening: { signOut: true } },
    )
    expect(result).toEqual({ durable: true })
    expect(await hasEnded(store, selectorOf(browser, 'sid'))).toBe(true)
  })

  it('is refused with 503, not 403, where only its CSRF token could tell that the request is ours', async () => {
    const { servers, store, browser } = await world({ csrf: 'strict' })
    store.faults = DOWN
    const asked = { opening: { signOut: true }, method: 'POST' }
    expect((await ask(servers[0], browser, (session) => session.signOut(), asked)).error).toMatchObject(unavailable)
  })
})

describe('a revocation that the store does not take', () => {
  it('of one session is kept, and asserted when the store is back', async () => {
    const { servers, store, browser } = await world()
    const [{ handle } = { handle: '' }] = await servers[0].list('ada')
    store.faults = { fail: (operation) => (operation === 'end' ? 'refuse' : undefined) }
    await expect(servers[0].revoke('ada', handle)).rejects.toMatchObject({ ...pendingEnd, reason: 'revoked', handle })
    expect(await servers[0].list('ada')).toEqual([])
    expect(await ask(servers[0], browser, whoIs)).toMatchObject({ result: ['lapsed', undefined] })
    store.faults = {}
    await vi.advanceTimersByTimeAsync(1_100)
    expect(await ask(servers[1], browser, whoIs)).toMatchObject({ result: ['lapsed', undefined] })
    expect(await servers[0].revoke('ada', handle)).toEqual({ ended: false, durable: true })
  })

  it('of a user, midway, is kept for every session that is left', async () => {
    const { servers, store, browser } = await world()
    const browsers = [browser, new Browser(), new Browser(), new Browser()]
    for (const one of browsers.slice(1)) await one.visit(servers[0], (session) => session.signIn('ada'))
    let ends = 0
    store.faults = { fail: (operation) => (operation === 'end' && ends++ > 0 ? 'refuse' : undefined) }
    await expect(servers[0].revokeUser('ada')).rejects.toMatchObject({ ...pendingEnd, reason: 'revoked' })
    expect(servers[0].stats().ends.pending).toBe(3)
    store.faults = {}
    await vi.advanceTimersByTimeAsync(1_100)
    for (const one of browsers)
      expect(await ask(servers[1], one, whoIs)).toMatchObject({ result: ['lapsed', undefined] })
  })

  it('of a user, at its beginning, is no revocation, and says so', async () => {
    const { servers, store, browser } = await world()
    store.faults = { fail: (operation) => (operation === 'bar' ? 'refuse' : undefined) }
    await expect(servers[0].revokeUser('ada')).rejects.toMatchObject(unavailable)
    expect(await ask(servers[0], browser, whoIs)).toMatchObject({ result: ['live', 'ada'] })
  })
})

describe('serveStale', () => {
  it('serves a copy while the store fails, to be read only', async () => {
    const { servers, store, browser } = await world({ serveStale: '5m' })
    store.faults = DOWN
    const { result, cookies } = await ask(servers[0], browser, (session) => [
      ...(whoIs(session) as unknown[]),
      session.data,
      session.csrf.token() !== '',
    ])
    expect([result, cookies]).toEqual([['stale', 'ada', { cart: ['apple'] }, true], []])
    expect(servers[0].stats().stale).toBe(1)
  })

  const changes: readonly (readonly [string, (session: Session<TestData>) => unknown])[] = [
    ['a change of its data', (session) => (session.data['cart'] as string[]).push('pear')],
    ['data assigned whole', (session) => (session.data = {})],
    ['update()', (session) => session.update((data) => void (data['a'] = 1))],
    ['commit()', (session) => session.commit()],
    ['signIn()', (session) => session.signIn('bob')],
    ['regenerateId()', (session) => session.regenerateId()],
    ['touch()', (session) => session.touch()],
    ['reload()', (session) => session.reload()],
  ]

  it.each(changes)('refuses %s with 503, and drops nothing in silence', async (what, change) => {
    const { servers, store, browser } = await world({ serveStale: '5m' })
    // Writes would go through; who reads a copy is not to write on top of it.
    store.faults = what === 'reload()' ? DOWN : { fail: (operation) => (operation === 'load' ? 'refuse' : undefined) }
    const { error, cookies } = await ask(servers[0], browser, change)
    expect([error, cookies]).toMatchObject([unavailable, []])
    expect(servers[0].stats().dropped).toBe(0)
    store.faults = {}
    await vi.advanceTimersByTimeAsync(2_100)
    expect(await ask(servers[0], browser, (session) => session.data)).toMatchObject({ result: { cart: ['apple'] } })
  })

  it('is off by itself, and does not concern what is to be fresh', async () => {
    const without = await world()
    without.store.faults = DOWN
    expect((await ask(without.servers[0], without.browser, whoIs)).error).toMatchObject(unavailable)
    const { servers, store, browser } = await world({ serveStale: '5m' })
    store.faults = DOWN
    expect((await ask(servers[0], browser, whoIs, { opening: { fresh: true } })).error).toMatchObject(unavailable)
  })

  it('has an end: by its age, by the idle timeout, by the absolute timeout', async () => {
    for (const [options, last] of [
      [{ serveStale: '5m' }, 5 * 60_000],
      [{ serveStale: '2h', idleTimeout: '10m' }, 10 * 60_000],
      [{ serveStale: '2h', idleTimeout: '1h', absoluteTimeout: '1h' }, 60 * 60_000],
    ] as const) {
      const { servers, store, browser, clock } = await world(options)
      store.faults = DOWN
      clock.forward(last - 1)
      expect(await ask(servers[0], browser, whoIs)).toMatchObject({ result: ['stale', 'ada'] })
      clock.forward(1)
      const after = await ask(servers[0], browser, whoIs)
      // Past the absolute timeout the cookie is void by itself.
      if ('absoluteTimeout' in options) expect(after).toMatchObject({ result: ['none', undefined] })
      else expect(after.error).toMatchObject(unavailable)
    }
  })

  it('asks for the verifier: an id that was superseded reaches no copy', async () => {
    const { servers, store } = await world({ serveStale: '5m' })
    const guest = new Browser()
    await guest.visit(servers[0], (session) => void (session.data['a'] = 1))
    const before = guest.copy()
    await guest.visit(servers[0], (session) => session.signIn('bob'))
    store.faults = DOWN
    expect((await ask(servers[0], before, whoIs)).error).toMatchObject(unavailable)
    expect(await ask(servers[0], guest, whoIs)).toMatchObject({ result: ['stale', 'bob'] })
  })

  it('never stands in for an id of a higher rank that cannot be looked up', async () => {
    const { servers, store } = await world({ serveStale: '5m' })
    const guest = new Browser()
    await guest.visit(servers[0], (session) => void (session.data['a'] = 1))
    const user = new Browser()
    await user.visit(servers[1], (session) => session.signIn('bob'))
    guest.jar.set('__Host-sid', user.jar.get('__Host-sid')!)
    store.faults = DOWN
    expect((await ask(servers[0], guest, whoIs)).error).toMatchObject(unavailable)
  })

  it('serves no session whose end this process knows of', async () => {
    const { servers, store, browser } = await world({ serveStale: '5m' })
    const kept = browser.copy()
    await servers[0].revokeUser('ada')
    store.faults = DOWN
    expect((await ask(servers[0], kept, whoIs)).error).toMatchObject(unavailable)
  })

  it('serves what this process wrote last, not what it read before', async () => {
    const { servers, store, browser } = await world({ serveStale: '5m' })
    await ask(servers[0], browser, (session) => (session.data['cart'] as string[]).push('pear'))
    store.faults = DOWN
    expect(await ask(servers[0], browser, (session) => session.data)).toMatchObject({
      result: { cart: ['apple', 'pear'] },
    })
  })

  it('serves nothing older than what the browser was shown by another server', async () => {
    const { servers, store, browser } = await world({ serveStale: '5m' }, { mayLose: true })
    const before = browser.copy()
    await browser.visit(servers[1], (session) => void (session.data['cart'] = ['apple', 'pear']), 'POST')
    store.faults = DOWN
    expect((await ask(servers[0], browser, whoIs)).error).toMatchObject(unavailable)
    // Who was not shown the change has the copy: another answer of the same page, on its way.
    expect(await ask(servers[0], before, whoIs)).toMatchObject({ result: ['stale', 'ada'] })
    store.faults = {}
    await vi.advanceTimersByTimeAsync(2_100)
    await ask(servers[0], browser, whoIs)
    store.faults = DOWN
    expect(await ask(servers[0], browser, (session) => session.data)).toMatchObject({
      result: { cart: ['apple', 'pear'] },
    })
  })

  it('is over with reload() where the store answers again by then', async () => {
    const { servers, store, browser } = await world({ serveStale: '5m' })
    store.faults = DOWN
    const { result } = await ask(servers[0], browser, async (session) => {
      const before = session.status
      store.faults = {}
      await session.reload()
      session.data['n'] = 1
      return [before, session.status, await session.commit()]
    })
    expect(result).toEqual(['stale', 'live', 'saved'])
  })
})

describe('a renewal that is due and that the store does not take', () => {
  const RENEWING: BaseOptions = { renewalTimeout: '5m', idleTimeout: '2h' }
  const ways: readonly (readonly [string, Faults])[] = [
    ['because it refuses writes', READABLE],
    ['because its answer is lost, and what is sent then is refused', loseOnce()],
  ]

  it.each(ways)('%s, does not fail a page that stores nothing: the id of before serves on (I6)', async (_, faults) => {
    const { clock, servers, store, browser, lines } = await world(RENEWING)
    clock.forward(6 * 60_000)
    store.faults = faults
    expect(await ask(servers[0], browser, whoIs)).toEqual({ result: ['live', 'ada'], cookies: [] })
    expect(lines.some(({ message }) => message.includes('could not be renewed'))).toBe(true)
    store.faults = {}
    await vi.advanceTimersByTimeAsync(1_100)
    const { result, cookies } = await ask(servers[0], browser, whoIs)
    expect(result).toEqual(['live', 'ada'])
    expect(cookies.join()).toContain('__Host-sid=')
  })

  it('leaves the answer to a change that may have been made as it is', async () => {
    const { clock, servers, store, browser } = await world(RENEWING)
    clock.forward(6 * 60_000)
    store.faults = loseOnce()
    const count = (session: Session<TestData>): Promise<unknown> =>
      session.update((data) => void (data['n'] = Number(data['n'] ?? 0) + 1))
    expect(await ask(servers[0], browser, count, { method: 'POST' })).toMatchObject({
      error: { code: 'ERR_COMMIT_UNKNOWN' },
    })
  })
})

describe('changes of which only the first were stored', () => {
  it.each([
    ['were', () => READABLE],
    ['may have been', loseOnce],
  ])('are not told as if nothing had been written: some %s', async (_, faultsOf) => {
    const { servers, store, browser } = await world()
    const handler = async (session: Session<TestData>): Promise<void> => {
      const faults = faultsOf()
      if (faults !== READABLE) store.faults = faults
      await session.update((data) => void (data['n'] = 1)).catch(() => undefined)
      store.faults = faults
      session.data['m'] = 1
    }
    const { error } = await ask(servers[0], browser, handler, { method: 'POST' })
    expect(error).toMatchObject({ ...unavailable, applied: 'unknown', retryAfter: 1 })
    store.faults = {}
    await vi.advanceTimersByTimeAsync(1_100)
    expect((await ask(servers[0], browser, (session) => session.data['n'])).result).toBe(1)
  })

  it('are told so where nothing was', async () => {
    const { servers, store, browser } = await world()
    store.faults = READABLE
    const { error } = await ask(servers[0], browser, (session) => void (session.data['m'] = 1), { method: 'POST' })
    expect(error).toMatchObject({ ...unavailable, applied: 'no' })
  })
})

/** The first change of a record is made, and its answer lost; those after it are refused. */
function loseOnce(): Faults {
  let writes = 0
  return { fail: (operation) => (operation !== 'replace' ? undefined : writes++ === 0 ? 'lose' : 'refuse') }
}

import { describe, expect, it, vi } from 'vitest'

import { NearCache } from '../../src/core/near-cache.ts'
import type { Manager } from '../../src/core/sessions.ts'
import type { Selector, Tracked } from '../../src/core/store.ts'
import type { BaseOptions } from '../../src/types.ts'
import { Browser, server, testClock, type TestData } from '../support/core-browser.ts'
import { type TrackedConnection, TrackedStores } from '../support/tracked-store.ts'
import { liveRecord } from '../support/live-record.ts'

interface Near {
  readonly servers: readonly Manager<TestData>[]
  readonly connections: readonly TrackedConnection[]
  /** A browser with a session in which `n` is 1, and a floor. */
  readonly browser: Browser
}

async function near(options: BaseOptions = {}): Promise<Near> {
  const clock = testClock()
  const stores = new TrackedStores(clock.now)
  const connections = [stores.connect(), stores.connect()]
  const servers = connections.map((store) => server(store, clock, options))
  await Promise.all(servers.map((one) => one.ready()))
  const browser = new Browser()
  await put(browser, servers[0]!, 1)
  return { servers, connections, browser }
}

const put = (browser: Browser, on: Manager<TestData>, n: number): Promise<unknown> =>
  browser.visit(on, (session) => void (session.data['n'] = n), 'POST')
const read = (browser: Browser, on: Manager<TestData>): Promise<unknown> =>
  browser.visit(on, (session) => session.data['n'])

/** Reads until the session is kept: the first request of a session in a process moves its deadline, of which the store tells. */
async function warm(browser: Browser, on: Manager<TestData>): Promise<void> {
  await read(browser, on)
  await new Promise((resolve) => setImmediate(resolve))
  await read(browser, on)
}

/** Gives the session a new id. */
async function renew(browser: Browser, on: Manager<TestData>): Promise<void> {
  const before = browser.jar.get('__Host-gid')
  await browser.visit(on, (session) => session.regenerateId({ previous: 'refused' }), 'POST')
  expect(browser.jar.get('__Host-gid')).not.toBe(before)
}

/** How many reads of the store it makes. */
async function readsOf({ connections }: Near, at: number, act: () => Promise<unknown>): Promise<number> {
  const before = connections[at]!.reads
  await act()
  return connections[at]!.reads - before
}

describe('the near cache', () => {
  it('serves what was read a moment ago, without a trip', async () => {
    const world = await near()
    const { servers, browser } = world
    await warm(browser, servers[1]!)
    expect(await readsOf(world, 1, async () => expect(await read(browser, servers[1]!)).toBe(1))).toBe(0)
    expect(servers[1]!.stats().nearCache).toMatchObject({ entries: 1, hits: 1, reads: 2 })
  })

  it('is not there where it is turned off, or the store tells of nothing', async () => {
    const world = await near({ nearCache: false })
    await warm(world.browser, world.servers[1]!)
    expect(await readsOf(world, 1, () => read(world.browser, world.servers[1]!))).toBe(1)
    expect(world.servers[1]!.stats().nearCache).toBeUndefined()
  })

  it('is asked anew after news of a change', async () => {
    const { servers, browser } = await near()
    const second = browser.copy()
    await warm(second, servers[1]!)
    await put(browser, servers[0]!, 2)
    // Another browser of the same session, which was shown nothing of it.
    expect(await read(second, servers[1]!)).toBe(2)
  })

  it('never shows a browser less than it was shown, though the news is late', async () => {
    const { servers, connections, browser } = await near()
    await warm(browser, servers[1]!)
    connections[1]!.news.hold()
    await put(browser, servers[0]!, 2)
    expect(connections[1]!.news.waiting).toBe(1)
    expect(await read(browser, servers[1]!)).toBe(2)
  })

  it('shows another browser the old, while the news is late, and no longer than its bound', async () => {
    const { servers, connections, browser } = await near({ nearCache: { maxAge: '60ms' } })
    const other = browser.copy()
    await warm(other, servers[1]!)
    connections[1]!.news.hold()
    await put(browser, servers[0]!, 2)
    expect(await read(other, servers[1]!)).toBe(1)
    await new Promise((resolve) => setTimeout(resolve, 65))
    expect(await read(other, servers[1]!)).toBe(2)
  })

  it.each(['missing', 'forged', 'of another session'])('reads through where the floor is %s', async (what) => {
    const world = await near()
    const { servers, browser } = world
    const other = new Browser()
    await put(other, servers[0]!, 7)
    await warm(browser, servers[1]!)
    const floor = browser.jar.get('__Host-visit')!
    if (what === 'missing') browser.jar.delete('__Host-visit')
    if (what === 'forged') browser.jar.set('__Host-visit', `${floor.slice(0, -1)}${floor.endsWith('A') ? 'E' : 'A'}`)
    if (what === 'of another session') browser.jar.set('__Host-visit', other.jar.get('__Host-visit')!)
    const asIs = (): Promise<unknown> => browser.request(servers[1]!, (session) => session.data['n'])
    expect(await readsOf(world, 1, asIs)).toBe(1)
  })

  it.each<[string, string, object]>([
    ['a method that changes something', 'POST', {}],
    ['a route that says fresh', 'GET', { fresh: true }],
  ])('reads through for %s', async (_, method, opening) => {
    const world = await near()
    const { servers, browser } = world
    await warm(browser, servers[1]!)
    const { beginVisit } = await import('../../src/core/sessions.ts')
    const visit = beginVisit(servers[1]!, browser.facts(method), {})
    expect(await readsOf(world, 1, async () => visit.open(opening))).toBe(1)
  })

  it('reads through for a session that this server writes, until that is over and after it', async () => {
    const world = await near()
    const { servers, connections, browser } = world
    const other = browser.copy()
    await warm(other, servers[1]!)
    connections[1]!.news.hold()
    await put(browser, servers[1]!, 2)
    expect(await read(other, servers[1]!)).toBe(2)
  })

  it('serves nobody once a session has ended here, and elsewhere once the news is there', async () => {
    const { servers, connections, browser } = await near()
    const [here, there] = [browser.copy(), browser.copy()]
    await warm(here, servers[0]!)
    await warm(there, servers[1]!)
    connections[1]!.news.hold()
    await browser.visit(servers[0]!, (session) => session.signOut(), 'POST')
    expect(await here.visit(servers[0]!, (session) => session.status)).toBe('lapsed')
    connections[1]!.news.release()
    expect(await there.visit(servers[1]!, (session) => session.status)).toBe('lapsed')
  })

  it('keeps no answer that the news of its change has overtaken', async () => {
    const { servers, connections, browser } = await near()
    const other = browser.copy()
    connections[1]!.answers.hold()
    const slow = read(other, servers[1]!)
    await vi.waitUntil(() => connections[1]!.answers.waiting === 1)
    await put(browser, servers[0]!, 2)
    connections[1]!.answers.release()
    // It was asked before the change, so it may answer what was before.
    expect(await slow).toBe(1)
    expect(await read(other, servers[1]!)).toBe(2)
  })

  it('drops everything, and keeps nothing that is under way, when news may be lost', async () => {
    const { servers, connections, browser } = await near()
    const other = browser.copy()
    await warm(other, servers[1]!)
    connections[1]!.answers.hold()
    browser.jar.delete('__Host-visit')
    const slow = read(browser, servers[1]!)
    await vi.waitUntil(() => connections[1]!.answers.waiting === 1)
    connections[1]!.cut()
    connections[1]!.answers.release()
    await slow
    expect(servers[1]!.stats().nearCache).toMatchObject({ entries: 0, flushed: 1 })
  })

  it('keeps nothing whose changes cannot be told of', async () => {
    const world = await near()
    world.connections[1]!.tracking = false
    await warm(world.browser, world.servers[1]!)
    expect(await readsOf(world, 1, () => read(world.browser, world.servers[1]!))).toBe(1)
    expect(world.servers[1]!.stats().nearCache).toMatchObject({ entries: 0, untracked: 3 })
  })

  it('reads once for many requests of a session that come together, and for each that was shown more', async () => {
    const world = await near()
    const { servers, connections, browser } = world
    connections[1]!.answers.hold()
    const old = browser.copy()
    const many = Array.from({ length: 20 }, () => read(old.copy(), servers[1]!))
    await vi.waitUntil(() => connections[1]!.answers.waiting === 1)
    connections[1]!.news.hold()
    await put(browser, servers[0]!, 2)
    const newer = read(browser, servers[1]!)
    await vi.waitUntil(() => servers[1]!.stats().nearCache!.joined === 20)
    expect(connections[1]!.answers.waiting).toBe(1)
    connections[1]!.answers.release()
    expect(await Promise.all(many)).toEqual(Array.from({ length: 20 }, () => 1))
    expect(await newer).toBe(2)
  })

  it('finds a renewed session though the old one is near', async () => {
    const { servers, connections, browser } = await near()
    const other = browser.copy()
    await warm(other, servers[1]!)
    connections[1]!.news.hold()
    await renew(browser, servers[0]!)
    // Its answers came in the other order, so that it has the new id and an old floor.
    browser.jar.set('__Host-visit', other.jar.get('__Host-visit')!)
    expect(await browser.visit(servers[1]!, (session) => session.status)).toBe('live')
  })

  it('finds a renewed session though another waits for the old one', async () => {
    const { servers, connections, browser } = await near()
    const other = browser.copy()
    connections[1]!.news.hold()
    connections[1]!.answers.hold()
    const slow = read(other.copy(), servers[1]!)
    await vi.waitUntil(() => connections[1]!.answers.waiting === 1)
    await renew(browser, servers[0]!)
    browser.jar.set('__Host-visit', other.jar.get('__Host-visit')!)
    const joining = browser.visit(servers[1]!, (session) => session.status)
    await vi.waitUntil(() => servers[1]!.stats().nearCache!.joined === 1)
    connections[1]!.answers.release()
    expect([await slow, await joining]).toEqual([1, 'live'])
  })

  it('loses no change that was made on an old record', async () => {
    const { servers, connections, browser } = await near()
    const other = browser.copy()
    await warm(other, servers[1]!)
    connections[1]!.news.hold()
    await put(browser, servers[0]!, 2)
    await other.visit(servers[1]!, (session) => void (session.data['m'] = 1))
    expect(await browser.visit(servers[0]!, (session) => session.data)).toEqual({ n: 2, m: 1 })
  })
})

describe('the bounds of the near cache', () => {
  const selectors = Array.from({ length: 400 }, (_, at) => `${at}`.padStart(24, 'x') as Selector)

  async function filled(bounds: { entries: number; bytes: number; maxAge: number }, size = 300): Promise<NearCache> {
    const found = liveRecord(1, size)
    const cache = new NearCache({ ...bounds, ask: async (): Promise<Tracked> => ({ found, tracked: true }) })
    for (const selector of selectors) await cache.look(selector, 1)
    return cache
  }

  it('hold: the newest are kept', async () => {
    const byCount = await filled({ entries: 100, bytes: 10_000_000, maxAge: 60_000 })
    expect(byCount.stats.entries).toBeLessThanOrEqual(100)
    expect(byCount.stats.entries).toBeGreaterThan(80)
    expect(byCount.get(selectors.at(-1)!, 1)).toBeDefined()
    expect(byCount.get(selectors[0]!, 1)).toBeUndefined()
    const byBytes = await filled({ entries: 10_000, bytes: 200_000, maxAge: 60_000 })
    expect(byBytes.stats.bytes).toBeLessThanOrEqual(200_000)
    expect(byBytes.stats.entries).toBeGreaterThan(100)
    expect(byBytes.get(selectors.at(-1)!, 1)).toBeDefined()
  })

  it('hold for records that are larger than a segment', async () => {
    const large = await filled({ entries: 10_000, bytes: 100_000, maxAge: 60_000 }, 9_000)
    expect(large.stats.bytes).toBeLessThanOrEqual(100_000)
    expect(large.get(selectors.at(-1)!, 1)!.bytes).toEqual(liveRecord(1, 9_000))
  })

  it('let go of what is too old when something new comes', async () => {
    const cache = await filled({ entries: 10_000, bytes: 10_000_000, maxAge: 20 })
    const before = cache.stats.entries
    await new Promise((resolve) => setTimeout(resolve, 30))
    for (const selector of selectors.slice(0, 250)) await cache.look(`${selector}y` as Selector, 1)
    expect(before).toBe(400)
    expect(cache.stats.entries).toBeLessThan(500)
  })
})

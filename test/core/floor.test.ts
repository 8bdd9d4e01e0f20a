import { channel } from 'node:diagnostics_channel'
import { describe, expect, it, onTestFinished, vi } from 'vitest'

import { openFloor, sealFloor, type Floor } from '../../src/core/floor.ts'
import { createKeyring } from '../../src/core/keyring.ts'
import { beginVisit, type Manager } from '../../src/core/sessions.ts'
import { StoreUnavailableError } from '../../src/errors.ts'
import type { BaseOptions } from '../../src/types.ts'
import {
  Browser,
  deployment,
  SECRET,
  server,
  testClock,
  type TestClock,
  type TestData,
} from '../support/core-browser.ts'
import { around, gate, standstill } from '../support/paused-store.ts'
import { replicatedStore, type ReplicatedStore } from '../support/replicated-store.ts'
import { selectorOf } from '../support/stored.ts'

const OTHER = 'another secret of at least thirty-two bytes, for tests'

interface Lossy {
  readonly clock: TestClock
  readonly store: ReplicatedStore
  readonly servers: readonly Manager<TestData>[]
}

/** Two servers over a store that may lose what it acknowledged. */
async function lossy(options: BaseOptions = {}): Promise<Lossy> {
  const clock = testClock()
  const store = Object.assign(replicatedStore(clock.now), { mayLose: true })
  const servers = [server(store, clock, options), server(store, clock, options)]
  await Promise.all(servers.map((one) => one.ready()))
  return { clock, store, servers }
}

/** The floor that a browser has. */
function floorIn(browser: Browser): Floor | undefined {
  const opened = openFloor(createKeyring(SECRET, ''), browser.jar.get('__Host-visit') ?? '')
  return 'floor' in opened ? opened.floor : undefined
}

function namesOf(cookies: readonly string[]): string[] {
  return cookies.map((cookie) => cookie.slice(0, cookie.indexOf('=')))
}

const add = (browser: Browser, on: Manager<TestData>, key: string): Promise<unknown> =>
  browser.visit(on, (session) => void (session.data[key] = true), 'POST')

function losses(): unknown[] {
  const seen: unknown[] = []
  const note = (message: unknown): void => void seen.push(message)
  channel('holdfast:lost').subscribe(note)
  onTestFinished(() => {
    channel('holdfast:lost').unsubscribe(note)
  })
  return seen
}

describe('the version floor', () => {
  it('is not sent where the store keeps what it acknowledged', async () => {
    const { servers } = await deployment({}, 1)
    const browser = new Browser()
    await add(browser, servers[0]!, 'a')
    await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    expect([...browser.jar.keys()]).toEqual(['__Host-gid', '__Host-sid'])
  })

  it('is sent after each saved change, and not after reads and touches where it is right', async () => {
    const { servers, clock } = await lossy()
    const browser = new Browser()
    await add(browser, servers[0]!, 'a')
    expect(floorIn(browser)).toMatchObject({ selector: selectorOf(browser, 'gid'), version: 1, epoch: 0 })
    for (let at = 0; at < 3; at++) {
      clock.forward(4 * 60_000)
      expect((await browser.request(servers[at % 2]!, (session) => session.data)).cookies).toEqual([])
    }
    await browser.visit(servers[1]!, (session) => session.update((data) => void (data['b'] = 1)))
    expect(floorIn(browser)).toMatchObject({ version: 2 })
    await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    expect(floorIn(browser)).toMatchObject({ selector: selectorOf(browser, 'sid'), version: 3, epoch: 1 })
  })

  it('is sent by a read that sees what others have changed', async () => {
    const { servers } = await lossy()
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    const handle = await browser.visit(servers[0]!, (session) => session.handle)
    await servers[1]!.update('u1', handle!, (data) => void (data['from'] = 'outside'))
    const { stands } = floorIn(browser)!
    expect(stands).toBeGreaterThan(0)
    const { cookies } = await browser.request(servers[0]!, (session) => session.data)
    expect(namesOf(cookies)).toEqual(['__Host-visit'])
    browser.keep(cookies)
    expect(floorIn(browser)).toMatchObject({ version: 2, stands })
    expect((await browser.request(servers[1]!, (session) => session.data)).cookies).toEqual([])
  })

  it('takes the place of the visit cookie, and a form opened before that still submits', async () => {
    const { servers } = await lossy({ csrf: 'strict' })
    const browser = new Browser()
    const token = await browser.visit(servers[0]!, (session) => session.csrf.token())
    expect(floorIn(browser)).toBeUndefined()
    for (const at of [1, 0]) {
      const visit = beginVisit(servers[at]!, browser.facts('POST', { origin: 'https://shop.example' }), {})
      await visit.open()
      visit.check({ _csrf: token })
      visit.session.data[`submitted${at}`] = true
      browser.keep((await visit.settle()).cookies)
      expect(floorIn(browser)).toMatchObject({ selector: selectorOf(browser, 'gid') })
    }
    expect(await browser.visit(servers[0]!, (session) => session.data)).toEqual({ submitted0: true, submitted1: true })
  })

  it('lets parallel first requests of a visitor meet in one record, whichever answer comes last', async () => {
    for (const reversed of [false, true]) {
      const { servers } = await lossy()
      const browser = new Browser()
      await browser.visit(servers[0]!, (session) => session.csrf.token())
      const answers = await Promise.all(
        [0, 1, 2, 3].map((at) => browser.request(servers[at % 2]!, (session) => void (session.data[`k${at}`] = at))),
      )
      for (const { cookies } of reversed ? answers.toReversed() : answers) browser.keep(cookies)
      expect(await browser.visit(servers[1]!, (session) => session.data)).toEqual({ k0: 0, k1: 1, k2: 2, k3: 3 })
      expect(floorIn(browser)).toMatchObject({ version: 4 })
      expect(servers.map((one) => one.stats().lostWrites)).toEqual([0, 0])
    }
  })

  it('is cleared by a sign-out with the others', async () => {
    const { servers } = await lossy()
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    const { cookies } = await browser.request(servers[1]!, (session) => session.signOut())
    expect(namesOf(cookies).toSorted()).toEqual(['__Host-sid', '__Host-visit'])
    for (const cookie of cookies) expect(cookie).toMatch(/Max-Age=0$/)
    browser.keep(cookies)
    expect(browser.jar.size).toBe(0)
  })

  it('comes with the new session where a request signs out and stores something again', async () => {
    const { servers } = await lossy()
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    const { cookies } = await browser.request(servers[1]!, async (session) => {
      await session.signOut()
      session.data['again'] = true
    })
    expect(namesOf(cookies).toSorted()).toEqual(['__Host-gid', '__Host-sid', '__Host-visit'])
    browser.keep(cookies)
    expect([...browser.jar.keys()].toSorted()).toEqual(['__Host-gid', '__Host-visit'])
    expect(floorIn(browser)).toMatchObject({ selector: selectorOf(browser, 'gid'), version: 1 })
  })

  it('gives way to the visit cookie of a form on a page without a session', async () => {
    const { servers } = await lossy()
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    await servers[1]!.revokeUser('u1')
    const token = await browser.visit(servers[0]!, (session) => session.csrf.token())
    expect(floorIn(browser)).toBeUndefined()
    expect(await browser.visit(servers[1]!, (session) => session.csrf.verify(token))).toBe(true)
    await add(browser, servers[1]!, 'a')
    expect(floorIn(browser)).toMatchObject({ version: 1 })
    expect(await browser.visit(servers[1]!, (session) => session.csrf.verify(token))).toBe(true)
  })
})

describe('a floor that is of no use', () => {
  const genuine = createKeyring(SECRET, '')
  const foreign = createKeyring(OTHER, '')
  const spoilings: readonly (readonly [string, (browser: Browser) => string | undefined])[] = [
    ['missing', () => undefined],
    ['forged', (browser) => `${browser.jar.get('__Host-visit')?.slice(0, -3)}AAA`],
    ['garbage', () => 'x'],
    ['older', (browser) => sealFloor(genuine, { ...floorIn(browser)!, version: 1 })],
    [
      'of another visit',
      (browser) => sealFloor(genuine, { ...floorIn(browser)!, selector: 'x'.repeat(24) as never, version: 99 }),
    ],
    [
      'of a secret that this server does not have',
      (browser) => sealFloor(foreign, { ...floorIn(browser)!, version: 99 }),
    ],
  ]

  it.each(spoilings)(
    'because it is %s costs the session nothing, and the next answer brings the right one',
    async (_, spoil) => {
      const { servers, store } = await lossy()
      const browser = new Browser()
      await browser.visit(servers[0]!, (session) => session.signIn('u1'))
      await add(browser, servers[0]!, 'a')
      const value = spoil(browser)
      if (value === undefined) browser.jar.delete('__Host-visit')
      else browser.jar.set('__Host-visit', value)
      const before = store.stats().commands
      const answer = await browser.request(servers[1]!, (session) => [session.userId, { ...session.data }])
      expect(store.stats().commands - before).toBeLessThanOrEqual(3)
      expect(answer.result).toEqual(['u1', { a: true }])
      expect(namesOf(answer.cookies)).toEqual(['__Host-visit'])
      browser.keep(answer.cookies)
      expect(floorIn(browser)).toMatchObject({ selector: selectorOf(browser, 'sid'), version: 2 })
      expect(servers.map((one) => one.stats().lostWrites)).toEqual([0, 0])
      await add(browser, servers[0]!, 'b')
      expect(await browser.visit(servers[1]!, (session) => session.data)).toEqual({ a: true, b: true })
    },
  )

  it('says nothing for or against a browser that brings no id', async () => {
    const { servers, store } = await lossy()
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    browser.jar.delete('__Host-sid')
    const before = store.stats().commands
    expect(await browser.visit(servers[1]!, (session) => [session.status, session.userId])).toEqual(['none', undefined])
    expect(store.stats().commands).toBe(before)
    await add(browser, servers[1]!, 'a')
    expect(floorIn(browser)).toMatchObject({ selector: selectorOf(browser, 'gid'), version: 1 })
  })

  it('does not put out a visit cookie of a secret that this server does not have', async () => {
    const { servers, store, clock } = await lossy()
    const next = server(store, clock, {}, [OTHER, SECRET])
    await next.ready()
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    const elsewhere = new Browser()
    await elsewhere.visit(next, (session) => session.csrf.token())
    browser.jar.set('__Host-visit', elsewhere.jar.get('__Host-visit')!)
    expect((await browser.request(servers[0]!, (session) => session.userId)).cookies).toEqual([])
    browser.keep((await browser.request(next, (session) => session.userId)).cookies)
    expect(await browser.visit(servers[0]!, (session) => session.userId)).toBe('u1')
  })
})

describe('a write that the store acknowledged and lost', () => {
  it('is counted, told with handle and versions, and the session goes on with what is there', async () => {
    const { servers, store } = await lossy()
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    const handle = await browser.visit(servers[0]!, (session) => session.handle)
    await add(browser, servers[0]!, 'kept')
    store.replicates = false
    await add(browser, servers[0]!, 'lost')
    await add(browser, servers[0]!, 'lost too')
    const seen = losses()
    store.failOver()
    expect(await browser.visit(servers[1]!, (session) => [session.userId, session.data])).toEqual([
      'u1',
      { kept: true },
    ])
    expect(seen).toEqual([{ handle, shown: 4, found: 2 }])
    expect(servers[1]!.stats().lostWrites).toBe(1)
    expect(floorIn(browser)).toMatchObject({ version: 2, stands: 0 })
    await add(browser, servers[1]!, 'after')
    expect(floorIn(browser)).toMatchObject({ version: 3 })
    for (const one of servers)
      expect(await browser.visit(one, (session) => session.data)).toEqual({ kept: true, after: true })
    expect(seen).toHaveLength(1)
  })

  it('is counted once for all requests of a page, and for an answer from before that comes last', async () => {
    const { servers, store } = await lossy()
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    store.replicates = false
    const overtaken = await browser.request(servers[0]!, (session) => void (session.data['lost'] = 1))
    browser.keep(overtaken.cookies)
    store.failOver()
    const answers = await Promise.all([1, 2, 3].map(() => browser.request(servers[1]!, (session) => session.data)))
    for (const { cookies } of answers) browser.keep(cookies)
    browser.keep(overtaken.cookies)
    await browser.visit(servers[1]!, (session) => session.data)
    expect(servers[1]!.stats().lostWrites).toBe(1)
    expect(floorIn(browser)).toMatchObject({ version: 1 })
  })

  it('is noticed where it was a sign-in, which is then over', async () => {
    const { servers, store } = await lossy()
    const browser = new Browser()
    await add(browser, servers[0]!, 'guest')
    store.replicates = false
    await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    const handle = await browser.visit(servers[0]!, (session) => session.handle)
    const seen = losses()
    store.failOver()
    expect(await browser.visit(servers[1]!, (session) => session.userId)).toBeUndefined()
    expect(seen).toEqual([{ handle, shown: 2, found: 1 }])
  })

  it('is noticed by the next request where it happened under one that wrote on top of it', async () => {
    const { servers, store } = await lossy()
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    store.replicates = false
    await add(browser, servers[0]!, 'lost')
    await add(browser, servers[0]!, 'lost too')
    const seen = losses()
    await browser.visit(servers[0]!, async (session) => {
      expect(session.version).toBe(3)
      store.failOver()
      session.data['after'] = true
      await session.commit()
    })
    await browser.visit(servers[1]!, (session) => session.data)
    expect(seen).toMatchObject([{ shown: 3, found: 2 }])
  })

  it('is noticed by a request that has gone on for long and reads again', async () => {
    const { servers, store } = await lossy()
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    store.replicates = false
    const seen = losses()
    await browser.visit(servers[0]!, async (session) => {
      await session.update((data) => void (data['lost'] = 1))
      store.failOver()
      await session.reload()
      expect(session.data).toEqual({})
    })
    expect(seen).toMatchObject([{ shown: 2, found: 1 }])
  })

  it('is warned of at most once a minute, with the number since', async () => {
    const warn = vi.fn<(details: object, message: string) => void>()
    const { servers, store } = await lossy({ log: { warn, error: () => undefined } })
    const browsers = [1, 2, 3].map(() => new Browser())
    for (const browser of browsers) await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    store.replicates = false
    for (const browser of browsers) await add(browser, servers[0]!, 'lost')
    store.failOver()
    warn.mockClear()
    const warned = (): unknown[] =>
      warn.mock.calls.flatMap(([details, message]) => (message.includes('lost acknowledged') ? [details] : []))
    await browsers[0]!.visit(servers[1]!, (session) => session.data)
    await browsers[1]!.visit(servers[1]!, (session) => session.data)
    expect(warned()).toHaveLength(1)
    expect(warned()[0]).toMatchObject({ shown: 2, found: 1, lost: 1 })
    const later = performance.now() + 61_000
    vi.spyOn(performance, 'now').mockReturnValue(later)
    await browsers[2]!.visit(servers[1]!, (session) => session.data)
    expect(warned()).toHaveLength(2)
    expect(warned()[1]).toMatchObject({ lost: 2 })
  })
})

describe('what was not acknowledged, or not read from the store', () => {
  it('is no loss where too few replicas confirmed the write, which the answer said', async () => {
    const { servers, store } = await lossy({ durability: 'replicated' })
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    const seen = losses()
    store.replicates = false
    const visit = beginVisit(servers[0]!, browser.facts('POST'), {})
    await visit.open()
    visit.session.data['unconfirmed'] = true
    await expect(visit.settle()).rejects.toMatchObject({ code: 'ERR_UNCONFIRMED' })
    browser.keep(visit.farewell())
    expect(floorIn(browser)).toMatchObject({ version: 1 })
    store.failOver()
    expect(await browser.visit(servers[1]!, (session) => session.data)).toEqual({})
    expect(seen).toEqual([])
  })

  it('is no loss where this process has an older copy while the store fails, which is served to nobody who saw more', async () => {
    const { servers, store } = await lossy({ serveStale: '5m' })
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    await browser.visit(servers[0]!, (session) => session.data)
    const before = browser.copy()
    await add(browser, servers[1]!, 'a')
    const seen = losses()
    const back = around(store, 'load', () => Promise.reject(new Error('connection reset')))
    const stale = await before.request(servers[0]!, (session) => [session.status, session.version])
    expect(stale).toEqual({ result: ['stale', 1], cookies: [] })
    await expect(browser.request(servers[0]!, (session) => session.status)).rejects.toThrow(StoreUnavailableError)
    back()
    expect(seen).toEqual([])
  })
})

it('an answer whose request the store has failed brings no floor, as it brings no other cookie (I6)', async () => {
  const { servers, store } = await lossy()
  const browser = new Browser()
  await browser.visit(servers[0]!, (session) => session.signIn('u1'))
  const elsewhere = browser.copy()
  await add(elsewhere, servers[1]!, 'a')
  const broken = around(store, 'replace', () => Promise.reject(new Error('connection reset')))
  const answer = await browser.request(servers[0]!, (session) =>
    session.update((data) => void (data['b'] = 1)).catch((error: unknown) => error),
  )
  broken()
  expect(answer).toMatchObject({ result: { code: 'ERR_COMMIT_UNKNOWN' }, cookies: [] })
  await browser.visit(servers[0]!, (session) => session.data)
  expect(floorIn(browser)).toMatchObject({ version: 2 })
})

describe('a session that is not in the store at all', () => {
  async function gone(): Promise<Lossy & { browser: Browser }> {
    const made = await lossy()
    const browser = new Browser()
    made.store.replicates = false
    await browser.visit(made.servers[0]!, (session) => session.signIn('u1'))
    return { ...made, browser }
  }

  it('was lost, where neither time nor an end can have taken it', async () => {
    const { servers, clock, store, browser } = await gone()
    const handle = await browser.visit(servers[0]!, (session) => session.handle)
    clock.forward(14 * 60_000)
    const seen = losses()
    store.failOver()
    expect(await browser.visit(servers[1]!, (session) => session.status)).toBe('lapsed')
    expect(seen).toEqual([{ handle, shown: 1, found: 0 }])
  })

  it.each([
    ['the marker of an end would be gone', 16],
    ['it may have expired', 31],
  ])('may have ended in another way once %s', async (_, minutes) => {
    const { servers, clock, store, browser } = await gone()
    clock.forward(minutes * 60_000)
    const seen = losses()
    store.failOver()
    expect(await browser.visit(servers[1]!, (session) => session.status)).toBe('lapsed')
    expect(seen).toEqual([])
  })

  it('is reported neither where it was signed out of or revoked, nor where it expired', async () => {
    const { servers, clock } = await lossy({ idleTimeout: '10m' })
    const seen = losses()
    const [left, revoked, idle] = [new Browser(), new Browser(), new Browser()]
    for (const browser of [left, idle]) await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    await revoked.visit(servers[0]!, (session) => session.signIn('u2'))
    const stolen = left.copy()
    await left.visit(servers[1]!, (session) => session.signOut())
    await servers[0]!.revokeUser('u2')
    for (const browser of [stolen, revoked]) await browser.request(servers[1]!, (session) => session.data)
    clock.forward(11 * 60_000 + 1)
    for (const browser of [stolen, revoked, idle])
      expect(await browser.visit(servers[1]!, (session) => session.status)).toBe('lapsed')
    expect(seen).toEqual([])
  })
})

describe('requests that overtake each other', () => {
  it('report nothing, and lower the floor at most until the next answer', async () => {
    const { servers } = await lossy()
    const seen = losses()
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    const wait = gate()
    const slow = browser.request(servers[0]!, async (session) => {
      const { data } = session
      await wait.passed
      return { ...data }
    })
    await standstill()
    const late = await browser.request(servers[1]!, (session) => void (session.data['a'] = 1))
    await add(browser, servers[1]!, 'b')
    browser.keep(late.cookies)
    expect(floorIn(browser)).toMatchObject({ version: 2 })
    wait.open()
    browser.keep((await slow).cookies)
    expect(floorIn(browser)).toMatchObject({ version: 2 })
    await browser.visit(servers[0]!, (session) => session.data)
    expect(floorIn(browser)).toMatchObject({ version: 3 })
    expect(seen).toEqual([])
  })

  it('leave the form of a guest who signs in meanwhile, and the session, as they were without floors', async () => {
    const { servers } = await lossy()
    const browser = new Browser()
    await add(browser, servers[0]!, 'a')
    const before = browser.copy()
    await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    const late = await before.request(servers[1]!, (session) => {
      session.data['late'] = true
      return [session.status, session.csrf.token() !== '']
    })
    expect(late.result).toEqual(['lapsed', true])
    expect(namesOf(late.cookies)).toEqual(['__Host-visit'])
    browser.keep(late.cookies)
    expect(await browser.visit(servers[0]!, (session) => [session.userId, session.data])).toEqual(['u1', { a: true }])
    expect(floorIn(browser)).toMatchObject({ selector: selectorOf(browser, 'sid') })
  })
})

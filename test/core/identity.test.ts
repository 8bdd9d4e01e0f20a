import { channel } from 'node:diagnostics_channel'
import { afterEach, describe, expect, it } from 'vitest'

import { beginVisit } from '../../src/core/sessions.ts'
import { Browser, deployment, server } from '../support/core-browser.ts'

const listeners: (() => void)[] = []

/** Collects what is published while a test runs. */
function collect(name: string): unknown[] {
  const messages: unknown[] = []
  const listener = (message: unknown): void => void messages.push(message)
  channel(name).subscribe(listener)
  listeners.push(() => channel(name).unsubscribe(listener))
  return messages
}

afterEach(() => {
  for (const stop of listeners.splice(0)) stop()
})

describe('who a request speaks for', () => {
  it('is nobody where two live sessions of different identity come along, and no cookie is touched', async () => {
    const { servers } = await deployment()
    const ambiguous = collect('holdfast:ambiguous')
    const [first, second] = [new Browser(), new Browser()]
    await first.visit(servers[0]!, (session) => session.signIn('u1'))
    await second.visit(servers[0]!, (session) => session.signIn('u2'))
    const cookie = `__Host-sid=${first.jar.get('__Host-sid')}; __Host-sid=${second.jar.get('__Host-sid')}`
    const visit = beginVisit(servers[1]!, { ...first.facts(), headers: { host: 'shop.example', cookie } }, {})
    await visit.open()
    visit.session.data['x'] = 1
    expect([visit.session.status, visit.session.userId]).toEqual(['lapsed', undefined])
    expect(await visit.settle()).toEqual({ cookies: [] })
    expect(ambiguous).toHaveLength(1)
  })

  it('is the signed-in one, though the answer to a request from before came after that of the sign-in (I4)', async () => {
    const { servers } = await deployment()
    const browser = new Browser()
    const late = await browser.request(servers[0]!, (session) => void (session.data['a'] = 1))
    await browser.visit(servers[1]!, (session) => session.signIn('u1'))
    browser.keep(late.cookies)
    expect([...browser.jar.keys()]).toEqual(expect.arrayContaining(['__Host-sid', '__Host-gid']))
    for (const one of servers) expect(await browser.visit(one, (session) => session.userId)).toBe('u1')
  })

  it('is the live one of several values of a name, wherever it stands', async () => {
    const { servers } = await deployment()
    const [dead, live] = [new Browser(), new Browser()]
    await dead.visit(servers[0]!, (session) => session.signIn('u1'))
    const over = dead.copy()
    await dead.visit(servers[0]!, (session) => session.signOut())
    await live.visit(servers[0]!, (session) => session.signIn('u2'))
    for (const values of [
      [over, live],
      [live, over],
    ]) {
      const cookie = [
        '__Host-sid=garbage',
        ...values.map((browser) => `__Host-sid=${browser.jar.get('__Host-sid')}`),
      ].join('; ')
      const visit = beginVisit(servers[1]!, { ...live.facts(), headers: { host: 'shop.example', cookie } }, {})
      await visit.open()
      expect(visit.session.userId).toBe('u2')
    }
  })

  it('is unknown where the cookie names a secret that this server does not have: nothing is set, nothing cleared', async () => {
    const { store, clock, servers } = await deployment()
    const next = server(store, clock, {}, 'a secret of at least thirty-two bytes, the next')
    await next.ready()
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    const { result, cookies } = await browser.request(next, (session) => {
      session.data['x'] = 1
      session.csrf.token()
      return [session.status, session.userId]
    })
    expect(result).toEqual(['lapsed', undefined])
    expect(cookies).toEqual([])
  })

  it('reports an id that comes back after its grace, and ends the session where that is asked for', async () => {
    for (const endOnTheft of [false, true]) {
      const { servers, clock } = await deployment({ endOnTheft })
      const thefts = collect('holdfast:theft')
      const browser = new Browser()
      await browser.visit(servers[0]!, (session) => session.signIn('u1'))
      const thief = browser.copy()
      clock.forward(61_000)
      await browser.visit(servers[0]!, (session) => session.regenerateId())
      await browser.visit(servers[1]!, () => undefined)
      clock.forward(61_000)
      expect(await thief.visit(servers[1]!, (session) => session.status)).toBe('lapsed')
      expect(thefts).toHaveLength(1)
      expect(await browser.visit(servers[0]!, (session) => session.userId)).toBe(endOnTheft ? undefined : 'u1')
      for (const stop of listeners.splice(0)) stop()
    }
  })
})

describe('timers', () => {
  it('end a session after the idle timeout, never early, at most a tenth late', async () => {
    const { servers, clock } = await deployment()
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    clock.forward(30 * 60_000 - 1)
    expect(await browser.copy().visit(servers[1]!, (session) => session.userId)).toBe('u1')
    clock.forward(33 * 60_000 + 1)
    expect(await browser.visit(servers[1]!, (session) => session.status)).toBe('lapsed')
  })

  it('end a session at the absolute timeout, however busy it is', async () => {
    const { servers, clock } = await deployment({ absoluteTimeout: '2h' })
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    for (let minutes = 0; minutes < 119; minutes += 17) {
      expect(await browser.visit(servers[0]!, (session) => ((session.data['n'] = minutes), session.userId))).toBe('u1')
      clock.forward(17 * 60_000)
    }
    clock.forward(60_000)
    expect(await browser.visit(servers[1]!, (session) => session.status)).toBe('lapsed')
  })

  it('touch once per interval and server, however many requests come', async () => {
    const { servers, clock, store } = await deployment()
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => void (session.data['x'] = 1))
    clock.forward(4 * 60_000)
    let touches = 0
    const touch = store.touch.bind(store)
    store.touch = (...given) => (touches++, touch(...given))
    for (let at = 0; at < 50; at++) await browser.visit(servers[at % 2]!, (session) => session.data)
    expect(touches).toBe(2)
  })
})

describe('a lost answer', () => {
  it('of a commit is found again by its stamp, and counts once', async () => {
    const { servers, store } = await deployment({}, 1)
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => void (session.data['n'] = 0))
    const replace = store.replace.bind(store)
    let lost = 0
    store.replace = async (...given) => {
      await replace(...given)
      if (lost++ > 0) return replace(...given)
      throw new Error('connection reset')
    }
    await browser.visit(servers[0]!, (session) => session.update((data) => void (data['n'] = Number(data['n']) + 1)))
    store.replace = replace
    expect(await browser.visit(servers[0]!, (session) => session.data['n'])).toBe(1)
    expect(lost).toBe(2)
  })

  it('of a commit that never arrived is not found in another’s write, though both count up to the same number (I2)', async () => {
    const { servers, store } = await deployment()
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => void (session.data['n'] = 0))
    const replace = store.replace.bind(store)
    store.replace = async () => {
      store.replace = replace
      await browser.copy().visit(servers[1]!, (session) => void (session.data['other'] = 1))
      throw new Error('connection reset')
    }
    const request = browser.request(servers[0]!, (session) => void (session.data['n'] = 1))
    await expect(request).rejects.toMatchObject({ code: 'ERR_COMMIT_UNKNOWN' })
    expect(await browser.visit(servers[0]!, (session) => session.data)).toEqual({ n: 0, other: 1 })
  })

  it('that stays lost is an error of its own, and nobody is logged out (I6)', async () => {
    const { servers, store } = await deployment({}, 1)
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    const replace = store.replace.bind(store)
    store.replace = () => Promise.reject(new Error('connection reset'))
    const request = browser.request(servers[0]!, (session) => void (session.data['n'] = 1))
    await expect(request).rejects.toMatchObject({
      code: 'ERR_COMMIT_UNKNOWN',
      status: 503,
      headers: { 'retry-after': '1' },
    })
    store.replace = replace
    expect(await browser.visit(servers[0]!, (session) => session.userId)).toBe('u1')
  })

  it('of any kind is no reason to wait longer than the deadline (I6)', async () => {
    const { servers, store } = await deployment({ storeDeadline: '50ms' }, 1)
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    store.load = () => new Promise(() => undefined)
    const begun = performance.now()
    await expect(browser.request(servers[0]!, (session) => session.data)).rejects.toMatchObject({
      code: 'ERR_STORE_UNAVAILABLE',
    })
    expect(performance.now() - begun).toBeLessThan(1000)
    expect(await new Browser().visit(servers[0]!, (session) => session.status)).toBe('none')
  })
})

describe("a server's wall clock that jumps", () => {
  it('ends nobody: policy runs with the monotonic clock, set by the store', async () => {
    const { store, clock } = await deployment()
    const own = server(store, clock, { now: undefined })
    await own.ready()
    const browser = new Browser()
    await browser.visit(own, (session) => session.signIn('u1'))
    const real = Date.now
    Date.now = () => real() + 400 * 86_400_000
    try {
      expect(await browser.visit(own, (session) => session.userId)).toBe('u1')
    } finally {
      Date.now = real
    }
  })
})

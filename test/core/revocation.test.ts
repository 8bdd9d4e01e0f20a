import { afterEach, describe, expect, it, vi } from 'vitest'

import { beginVisit } from '../../src/core/sessions.ts'
import { HEARTBEAT } from '../../src/core/selectors.ts'
import { Browser, deployment, type Deployment } from '../support/core-browser.ts'
import { around, gate, pause, standstill } from '../support/paused-store.ts'
import { selectorOf } from '../support/stored.ts'

const HOUR = 3_600_000

afterEach(() => {
  vi.useRealTimers()
})

async function signedIn(
  options: Parameters<typeof deployment>[0] = {},
  count = 2,
): Promise<Deployment & { browser: Browser; handle: string }> {
  const made = await deployment(options, count)
  const browser = new Browser()
  await browser.visit(made.servers[0]!, (session) => session.signIn('u1'))
  const handle = await browser.visit(made.servers[0]!, (session) => session.handle)
  return { ...made, browser, handle: handle! }
}

describe('an index entry', () => {
  it('of a sign-in that is under way survives revokeUser, so that the next one ends the session (I12)', async () => {
    const { servers, store } = await deployment()
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => void (session.data['a'] = 1))
    const broken = around(store, 'replace', () => Promise.reject(new Error('connection reset')))
    await expect(browser.visit(servers[0]!, (session) => session.signIn('u1'))).rejects.toMatchObject({ status: 503 })
    broken()
    const looking = pause(store, 'load', 'after')
    const revoking = servers[1]!.revokeUser('u1')
    await looking.reached
    await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    looking.goOn()
    expect(await revoking).toMatchObject({ ended: 0 })
    expect(await browser.visit(servers[0]!, (session) => session.userId)).toBe('u1')
    expect(await servers[1]!.revokeUser('u1')).toEqual({ ended: 1, durable: true })
    expect(await browser.visit(servers[0]!, (session) => session.userId)).toBeUndefined()
  })

  it('that leads nowhere for longer than any request lasts is dropped, and not what a sign-in entered meanwhile (I12)', async () => {
    const { servers, clock, store } = await deployment()
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => session.csrf.token())
    const selector = selectorOf(browser, 'visit')
    const broken = around(store, 'create', () => Promise.reject(new Error('connection reset')))
    await expect(browser.visit(servers[0]!, (session) => session.signIn('u1'))).rejects.toMatchObject({ status: 503 })
    broken()
    clock.forward(14 * 60_000)
    expect(await servers[1]!.list('u1')).toEqual([])
    expect((await store.roll('u1')).entries).toMatchObject([{ selector }])
    clock.forward(2 * 60_000)
    const dropping = pause(store, 'withdraw', 'before')
    const listing = servers[1]!.list('u1')
    await dropping.reached
    await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    dropping.goOn()
    await listing
    expect(await servers[1]!.list('u1')).toHaveLength(1)
    clock.forward(16 * 60_000)
    await browser.visit(servers[0]!, (session) => session.signIn('u2'))
    await store.enroll('u1', selector, 3_600_000)
    clock.forward(16 * 60_000)
    expect(await servers[1]!.list('u1')).toEqual([])
    expect((await store.roll('u1')).entries).toEqual([])
  })

  it('of a user who came back to a visit that another had taken over outlives that one’s late withdrawal (I12)', async () => {
    const { servers, store } = await deployment({ storeDeadline: '30ms' })
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    const withdrawing = pause(store, 'withdraw', 'before')
    await browser.visit(servers[0]!, (session) => session.signIn('u2'))
    await browser.visit(servers[1]!, (session) => session.signIn('u1'))
    withdrawing.goOn()
    await standstill()
    expect(await servers[0]!.list('u1')).toHaveLength(1)
    expect(await servers[1]!.revokeUser('u1')).toMatchObject({ ended: 1 })
  })

  it('that a fail-over lost is no way around a revocation for longer than a touch interval, also for a session that writes all the time (I12)', async () => {
    const { servers, clock, store, browser } = await signedIn({}, 1)
    await store.withdraw('u1', selectorOf(browser, 'sid'))
    clock.forward(1000)
    expect(await servers[0]!.revokeUser('u1')).toEqual({ ended: 0, durable: true })
    for (let minute = 0; minute < 3; minute++) {
      clock.forward(60_000)
      await browser.visit(servers[0]!, (session) => void (session.data['n'] = minute))
    }
    clock.forward(60_000)
    expect(await browser.visit(servers[0]!, (session) => session.userId)).toBeUndefined()
  })
})

describe('who signs in again', () => {
  it('while a revocation goes through the sessions from before is not ended by it (I12)', async () => {
    const { servers, store, browser } = await signedIn()
    const barring = pause(store, 'bar', 'after')
    const revoking = servers[1]!.revokeUser('u1')
    await barring.reached
    await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    barring.goOn()
    expect(await revoking).toMatchObject({ ended: 0 })
    expect(await browser.visit(servers[0]!, (session) => session.userId)).toBe('u1')
  })

  it('is not ended by revoke, which was given the handle from before (I12)', async () => {
    const { servers, store, browser, handle } = await signedIn()
    const looking = pause(store, 'load', 'after')
    const revoking = servers[1]!.revoke('u1', handle)
    await looking.reached
    await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    looking.goOn()
    expect(await revoking).toMatchObject({ ended: false })
    expect(await browser.visit(servers[0]!, (session) => session.userId)).toBe('u1')
  })

  it('is not ended by a touch that finds the session from before revoked (I12)', async () => {
    const { servers, clock, store, browser } = await signedIn()
    await store.withdraw('u1', selectorOf(browser, 'sid'))
    clock.forward(1000)
    await servers[0]!.revokeUser('u1')
    clock.forward(4 * 60_000)
    const looking = pause(store, 'roll', 'after')
    await browser.copy().visit(servers[0]!, (session) => session.userId)
    await looking.reached
    const visit = beginVisit(servers[1]!, browser.facts(), {})
    await visit.open({ touch: false })
    await visit.session.signIn('u1')
    browser.keep((await visit.settle()).cookies)
    looking.goOn()
    await standstill()
    expect(await browser.visit(servers[0]!, (session) => session.userId)).toBe('u1')
  })
})

describe('a session that revokeUser spares', () => {
  it('is ended by revokeAll a moment later (I3)', async () => {
    const { servers, clock, browser, handle } = await signedIn()
    await servers[0]!.revokeUser('u1', { except: handle })
    clock.forward(1000)
    await servers[0]!.revokeAll()
    clock.forward(60_000)
    expect(await browser.visit(servers[0]!, (session) => session.userId)).toBeUndefined()
  })

  it('is not brought back where revokeAll has ended it and this server has not heard of that yet (I3)', async () => {
    const { servers, clock, browser, handle } = await signedIn()
    clock.forward(1000)
    await servers[0]!.revokeAll()
    clock.forward(1000)
    await servers[1]!.revokeUser('u1', { except: handle })
    expect(await browser.visit(servers[0]!, (session) => session.userId)).toBeUndefined()
  })

  it('keeps the time of its sign-in, and with it its absolute timeout', async () => {
    const { servers, clock, browser, handle } = await signedIn({ idleTimeout: '12h', absoluteTimeout: '12h' })
    const before = await browser.visit(servers[0]!, (session) => session.signedInAt)
    clock.forward(11 * HOUR)
    await servers[0]!.revokeUser('u1', { except: handle })
    const after = await browser.visit(servers[1]!, (session) => [session.userId, session.signedInAt])
    expect(after).toEqual(['u1', before])
    clock.forward(2 * HOUR)
    expect(await browser.visit(servers[0]!, (session) => session.userId)).toBeUndefined()
  })

  it('lives on through its touches, and is ended by the next revocation that does not spare it (I12)', async () => {
    const { servers, clock, browser, handle } = await signedIn()
    clock.forward(1000)
    await servers[0]!.revokeUser('u1', { except: handle })
    for (let step = 0; step < 3; step++) {
      clock.forward(4 * 60_000)
      expect(await browser.visit(servers[1]!, (session) => session.userId)).toBe('u1')
    }
    expect(await servers[0]!.revokeUser('u1')).toEqual({ ended: 1, durable: true })
    expect(await browser.visit(servers[1]!, (session) => session.userId)).toBeUndefined()
  })
})

describe('revokeAll', () => {
  it('reaches every server by its next heartbeat, also where the store refuses to confirm leases (I3)', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    const { servers, store, browser } = await signedIn()
    around(store, 'holdLease', () => Promise.reject(new Error('OOM command not allowed')))
    await servers[0]!.revokeAll()
    expect(await browser.copy().visit(servers[1]!, (session) => session.userId)).toBe('u1')
    await vi.advanceTimersByTimeAsync(HEARTBEAT)
    expect(await browser.visit(servers[1]!, (session) => session.userId)).toBeUndefined()
  })

  it('ends nothing that begins after it on the same server, be it within the same millisecond', async () => {
    const { servers } = await deployment({}, 1)
    await servers[0]!.revokeAll()
    const [user, guest] = [new Browser(), new Browser()]
    await user.visit(servers[0]!, (session) => session.signIn('u1'))
    await guest.visit(servers[0]!, (session) => void (session.data['a'] = 1))
    expect(await user.visit(servers[0]!, (session) => session.userId)).toBe('u1')
    expect(await guest.visit(servers[0]!, (session) => session.data)).toEqual({ a: 1 })
  })

  it('lets no request that is under way write any more (I3)', async () => {
    const { servers, clock, browser, handle } = await signedIn({}, 1)
    clock.forward(1000)
    const { result } = await browser.request(servers[0]!, async (session) => {
      await servers[0]!.revokeAll()
      session.data['late'] = 1
      return session.commit()
    })
    expect(result).toBe('gone')
    await expect(servers[0]!.update('u1', handle, (data) => void (data['late'] = 1))).rejects.toThrow(/no live session/)
  })

  it('lets no change write that waited for another when it came (I3)', async () => {
    const { servers, clock, store, browser, handle } = await signedIn({}, 1)
    clock.forward(1000)
    const writing = pause(store, 'replace', 'before')
    const first = browser.request(servers[0]!, (session) => void (session.data['first'] = 1))
    await writing.reached
    const second = browser.request(servers[0]!, (session) => ((session.data['second'] = 1), session.commit()))
    const update = servers[0]!.update('u1', handle, (data) => void (data['third'] = 1)).catch((error: unknown) => error)
    await standstill()
    await servers[0]!.revokeAll()
    writing.goOn()
    await first
    expect((await second).result).toBe('gone')
    expect(await update).toMatchObject({ name: 'SessionEndedError', reason: 'revoked' })
  })
})

describe('signOut', () => {
  it('ends the session that it has acknowledged as ended, also where its id was replaced meanwhile (I3)', async () => {
    const { servers, browser } = await signedIn()
    const wait = gate()
    const leaving = browser.request(servers[0]!, async (session) => {
      await wait.passed
      await session.signOut()
    })
    const raised = await browser.request(servers[1]!, (session) => session.regenerateId({ previous: 'refused' }))
    wait.open()
    browser.keep((await leaving).cookies)
    browser.keep(raised.cookies)
    expect(await browser.visit(servers[0]!, (session) => [session.status, session.userId])).toEqual([
      'lapsed',
      undefined,
    ])
  })

  it('of a guest ends nothing of the user who signed in to the visit meanwhile (I4)', async () => {
    const { servers } = await deployment()
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => void (session.data['a'] = 1))
    const wait = gate()
    const leaving = browser.request(servers[0]!, async (session) => {
      await wait.passed
      await session.signOut()
    })
    await browser.visit(servers[1]!, (session) => session.signIn('u1'))
    wait.open()
    await leaving
    expect(await browser.visit(servers[0]!, (session) => session.userId)).toBe('u1')
  })
})

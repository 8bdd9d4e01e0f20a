import { afterEach, describe, expect, it, vi } from 'vitest'

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
    const ending = pause(store, 'end', 'after')
    const revoking = servers[1]!.revokeUser('u1')
    await ending.reached
    await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    ending.goOn()
    expect(await revoking).toMatchObject({ ended: 0 })
    expect(await browser.visit(servers[0]!, (session) => session.userId)).toBe('u1')
    expect(await servers[1]!.revokeUser('u1')).toEqual({ ended: 1, durable: true })
    expect(await browser.visit(servers[0]!, (session) => session.userId)).toBeUndefined()
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

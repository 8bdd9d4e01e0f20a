import { describe, expect, it } from 'vitest'

import { beginVisit, type Manager } from '../../src/core/sessions.ts'
import type { Session } from '../../src/types.ts'
import { Browser, deployment, type TestData } from '../support/core-browser.ts'
import { gate } from '../support/paused-store.ts'

/** A request that stays open, as that of a socket does. */
async function opened(browser: Browser, on: Manager<TestData>): Promise<Session<TestData>> {
  const visit = beginVisit(on, browser.facts(), {})
  await visit.open()
  return visit.session
}

describe('the signal of a session', () => {
  it('is aborted by its end', async () => {
    const { servers } = await deployment({}, 1)
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    const { signal } = await opened(browser, servers[0]!)
    expect(signal.aborted).toBe(false)
    await servers[0]!.revokeUser('u1')
    expect(signal.aborted).toBe(true)
  })

  it('is not aborted by the end of a guest request that its sign-in has overtaken (I4)', async () => {
    const { servers } = await deployment({}, 1)
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => void (session.data['a'] = 1))
    const wait = gate()
    const guest = browser.request(servers[0]!, async (session) => {
      const { signal } = session
      await wait.passed
      session.data['late'] = 1
      return [await session.commit(), signal.aborted]
    })
    await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    const socket = await opened(browser, servers[0]!)
    const { signal } = socket
    wait.open()
    expect((await guest).result).toEqual(['gone', true])
    expect([socket.status, signal.aborted]).toEqual(['live', false])
    await servers[0]!.revokeUser('u1')
    expect(signal.aborted).toBe(true)
  })

  const begin: readonly (readonly [string, (session: Session<TestData>) => unknown])[] = [
    ['its first value', (session) => (session.data['a'] = 1)],
    ['its sign-in', (session) => session.signIn('u1')],
  ]

  it.each(begin)('that was taken before %s is aborted by its end', async (_, store) => {
    const { servers } = await deployment({}, 1)
    const browser = new Browser()
    const visit = beginVisit(servers[0]!, browser.facts(), {})
    await visit.open()
    const { signal } = visit.session
    await store(visit.session)
    browser.keep((await visit.settle()).cookies)
    expect(signal.aborted).toBe(false)
    await browser.visit(servers[0]!, (session) => session.signOut())
    expect(signal.aborted).toBe(true)
  })

  it('is aborted from the beginning where the session was over before', async () => {
    const { servers } = await deployment({}, 1)
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    await servers[0]!.revokeUser('u1')
    const { status, signal } = await opened(browser, servers[0]!)
    expect([status, signal.aborted]).toEqual(['lapsed', true])
  })

  it('is left alone once the request is finished', async () => {
    const { servers } = await deployment({}, 1)
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    const signal = await browser.visit(servers[0]!, (session) => session.signal)
    await servers[0]!.revokeUser('u1')
    expect(signal.aborted).toBe(false)
  })
})

import { describe, expect, it } from 'vitest'

import { beginVisit } from '../../src/core/sessions.ts'
import { Browser, deployment, server, type Deployment } from '../support/core-browser.ts'

async function signedIn(): Promise<Deployment & { browser: Browser }> {
  const made = await deployment()
  const browser = new Browser()
  await browser.visit(made.servers[0]!, (session) => session.signIn('u1'))
  return { ...made, browser }
}

describe('a session that is over', () => {
  it('makes update() throw in place of changing initial data', async () => {
    const { servers, browser } = await signedIn()
    await servers[1]!.revokeUser('u1')
    let called = false
    const late = browser.visit(servers[0]!, (session) => session.update(() => void (called = true)))
    await expect(late).rejects.toMatchObject({ name: 'SessionEndedError', status: 401 })
    expect(called).toBe(false)
  })

  it("makes regenerateId({ previous: 'refused' }) throw, so that no privilege is granted", async () => {
    const { servers, browser } = await signedIn()
    const during = browser.visit(servers[0]!, async (session) => {
      await servers[1]!.revokeUser('u1')
      await session.regenerateId({ previous: 'refused' })
    })
    await expect(during).rejects.toMatchObject({ name: 'SessionEndedError', reason: 'revoked' })
    const after = browser.visit(servers[0]!, (session) => session.regenerateId({ previous: 'refused' }))
    await expect(after).rejects.toMatchObject({ name: 'SessionEndedError' })
  })
})

describe('a request that speaks for no session', () => {
  it('because its signed-in cookie names a secret that this server does not have, falls back to no guest id', async () => {
    const { servers, store, clock } = await deployment({}, 1)
    const other = server(store, clock, {}, 'another secret of at least thirty-two bytes, for tests')
    await other.ready()
    const guest = new Browser()
    await guest.visit(servers[0]!, (session) => void (session.data['a'] = 1))
    clock.forward(61_000)
    const renewing = guest.copy()
    await renewing.visit(servers[0]!, (session) => session.regenerateId())
    const user = new Browser()
    await user.visit(other, (session) => session.signIn('u1'))
    guest.jar.set('__Host-sid', user.jar.get('__Host-sid')!)
    const answer = await guest.request(servers[0]!, (session) => {
      const { status, data } = session
      session.data['x'] = 1
      return [status, { ...data }]
    })
    expect(answer).toEqual({ result: ['lapsed', { x: 1 }], cookies: [] })
    expect(await renewing.visit(servers[0]!, (session) => session.data)).toEqual({ a: 1 })
  })

  it('because its visitor cookie was succeeded by a guest id that it does not bring, stores nothing and keeps its cookies', async () => {
    const { servers, clock } = await deployment({}, 1)
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => session.csrf.token())
    await browser.visit(servers[0]!, (session) => void (session.data['a'] = 1))
    await browser.visit(servers[0]!, () => undefined)
    clock.forward(61_000)
    const kept = browser.copy()
    kept.jar.delete('__Host-gid')
    const { dropped } = servers[0]!.stats()
    const answer = await kept.request(servers[0]!, (session) => {
      session.data['b'] = 1
      return session.status
    })
    expect(answer).toEqual({ result: 'none', cookies: [] })
    expect(servers[0]!.stats().dropped).toBe(dropped + 1)
    expect(await browser.visit(servers[0]!, (session) => session.data)).toEqual({ a: 1 })
  })

  it("because its id was superseded, may be given a visitor's cookie with its CSRF token, which undoes nothing", async () => {
    const { servers } = await deployment({}, 1)
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => void (session.data['a'] = 1))
    const before = browser.copy()
    await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    const late = await before.request(servers[0]!, (session) => [session.status, session.csrf.token() !== ''])
    expect(late.result).toEqual(['lapsed', true])
    expect(late.cookies.map((cookie) => cookie.split('=')[0])).toEqual(['__Host-visit'])
    browser.keep(late.cookies)
    expect(await browser.visit(servers[0]!, (session) => session.userId)).toBe('u1')
  })
})

describe('stats()', () => {
  it('count each idle deadline that was moved', async () => {
    const { servers, clock, browser } = await signedIn()
    const { touched } = servers[0]!.stats().commits
    clock.forward(4 * 60_000)
    const visit = beginVisit(servers[0]!, browser.facts(), {})
    await visit.open({ touch: false })
    expect(await visit.session.commit()).toBe('touched')
    await visit.session.touch()
    expect(servers[0]!.stats().commits.touched).toBe(touched + 2)
  })
})

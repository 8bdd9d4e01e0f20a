import { describe, expect, it } from 'vitest'

import type { Selector } from '../../src/core/store.ts'
import { Browser, deployment, type Deployment } from '../support/core-browser.ts'
import { hasEnded, makeUndecodable, selectorOf } from '../support/stored.ts'

/** A browser whose session's data cannot be decoded. */
async function spoiled(user?: string): Promise<Deployment & { browser: Browser; selector: Selector }> {
  const made = await deployment()
  const browser = new Browser()
  await browser.visit(made.servers[0]!, async (session) => {
    if (user !== undefined) await session.signIn(user)
    session.data['a'] = 1
  })
  const selector = selectorOf(browser, user === undefined ? 'gid' : 'sid')
  await makeUndecodable(made.store, selector)
  return { ...made, browser, selector }
}

describe('data that cannot be decoded', () => {
  it('are served as initial data, stay as they are, and log nobody out (I6)', async () => {
    const { servers, browser, store, selector } = await spoiled('u1')
    const before = await store.load(selector)
    const answer = await browser.request(servers[0]!, (session) => {
      const seen = { ...session.data }
      session.data['x'] = 1
      return seen
    })
    expect(answer).toEqual({ result: {}, cookies: [] })
    expect(await store.load(selector)).toEqual(before)
  })

  it('do not keep their session from being signed out, also after they were looked at (I3)', async () => {
    const { servers, browser, store, selector } = await spoiled('u1')
    const stolen = browser.copy()
    await browser.visit(servers[0]!, async (session) => {
      expect(session.data).toEqual({})
      await session.signOut()
    })
    expect(await hasEnded(store, selector)).toBe(true)
    expect(await stolen.visit(servers[1]!, (session) => session.userId)).toBeUndefined()
  })

  for (const user of ['u1', undefined])
    for (const carry of ['keep', 'drop'] as const)
      it(`of ${user ?? 'a guest'} let the visitor sign in (data: '${carry}')`, async () => {
        const { servers, browser } = await spoiled(user)
        await browser.visit(servers[0]!, (session) => session.signIn('u1', { data: carry }))
        const seen = await browser.visit(servers[1]!, (session) => [session.userId, session.data])
        expect(seen).toEqual(['u1', {}])
      })

  it('do not let the id from before a sign-in reach anything after it (I4)', async () => {
    const { servers, browser } = await spoiled('u1')
    const before = browser.copy()
    await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    expect(await before.visit(servers[1]!, (session) => [session.status, session.userId])).toEqual([
      'lapsed',
      undefined,
    ])
  })

  it('leave no live session outside the index when their user signs in over them (I12)', async () => {
    const { servers, browser, store, selector } = await spoiled('u1')
    const before = browser.copy()
    await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    const { entries } = await store.roll('u1')
    const indexed = entries.some((entry) => entry.selector === selector)
    expect(indexed || (await hasEnded(store, selector))).toBe(true)
    await servers[1]!.revokeUser('u1')
    for (const one of [before, browser])
      expect(await one.visit(servers[0]!, (session) => session.userId)).toBeUndefined()
  })

  it("hide none of the user's other sessions", async () => {
    const { servers } = await spoiled('u1')
    const other = new Browser()
    await other.visit(servers[0]!, async (session) => {
      await session.signIn('u1')
      session.data['b'] = 1
    })
    const listed = await servers[1]!.list('u1')
    expect(listed.map(({ data }) => data)).toEqual(expect.arrayContaining([{}, { b: 1 }]))
    expect(listed).toHaveLength(2)
  })
})

import { describe, expect, it } from 'vitest'

import type { Session } from '../../src/types.ts'
import { Browser, deployment, type Deployment, type TestData } from '../support/core-browser.ts'
import { around, gate, pause, standstill } from '../support/paused-store.ts'

type Change = (session: Session<TestData>) => Promise<unknown>

describe('a sign-in of another user in a request whose session ended on the way', () => {
  const discoveries: readonly (readonly [string, Change])[] = [
    ['a commit', (session) => ((session.data['mine'] = 1), session.commit())],
    ['an update', (session) => session.update((data) => void (data['mine'] = 1)).catch(() => undefined)],
    ['a touch', (session) => session.touch()],
    ['a reload', (session) => session.reload()],
  ]

  it.each(discoveries)("never carries the first user's data, although %s has found the end before", async (_, find) => {
    const { servers } = await deployment()
    const browser = new Browser()
    await browser.visit(servers[0]!, async (session) => {
      await session.signIn('u1')
      session.data['private'] = 'of u1'
    })
    const elsewhere = browser.copy()
    const seen = await browser.visit(servers[0]!, async (session) => {
      expect(session.data).toEqual({ private: 'of u1' })
      await elsewhere.visit(servers[1]!, (other) => other.signOut())
      await find(session)
      await session.signIn('u2')
      return [session.userId, session.data]
    })
    expect(seen).toEqual(['u2', {}])
    expect(await browser.visit(servers[1]!, (session) => session.data)).toEqual({})
  })
})

describe('a sign-in of another user in a request whose session was lost in another way', () => {
  const losses: readonly (readonly [string, (user: Browser, made: Deployment) => unknown])[] = [
    ['expired', (_, { clock }) => clock.forward(34 * 60_000)],
    ['was superseded', (user, { servers }) => user.visit(servers[1]!, raise)],
  ]
  const raise = (session: Session<TestData>): Promise<void> => session.regenerateId({ previous: 'refused' })

  it.each(losses)("never carries the first user's data: it %s", async (_, lose) => {
    const made = await deployment()
    const browser = new Browser()
    await browser.visit(made.servers[0]!, async (session) => {
      await session.signIn('u1')
      session.data['private'] = 'of u1'
    })
    const elsewhere = browser.copy()
    await browser.visit(made.servers[0]!, async (session) => {
      session.data['mine'] = 1
      await lose(elsewhere, made)
      expect(await session.commit()).toBe('gone')
      await session.signIn('u2')
    })
    const seen = await browser.visit(made.servers[1]!, (session) => [session.userId, session.data])
    expect(seen).toEqual(['u2', {}])
  })
})

describe('a sign-in of the same user in a request whose session ended on the way', () => {
  it('begins without the data that were ended (I3)', async () => {
    const { servers } = await deployment()
    const browser = new Browser()
    await browser.visit(servers[0]!, async (session) => {
      await session.signIn('u1')
      session.data['admin'] = true
    })
    await browser.visit(servers[0]!, async (session) => {
      expect(session.data).toEqual({ admin: true })
      await servers[1]!.revokeUser('u1')
      await session.signIn('u1')
    })
    expect(await browser.visit(servers[1]!, (session) => [session.userId, session.data])).toEqual(['u1', {}])
  })
})

describe('a change that is written together with a rise of the epoch', () => {
  const rises: readonly (readonly [string, Change])[] = [
    ['a sign-in', (session) => session.signIn('u1')],
    ['a rise in privilege', (session) => session.regenerateId({ previous: 'refused' })],
  ]

  it.each(rises)('is saved, and its maker does not become who made %s (I4)', async (_, rise) => {
    const { servers, store } = await deployment({}, 1)
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => void (session.data['begun'] = true))
    const first = pause(store, 'replace', 'before')
    const ahead = browser.request(servers[0]!, (session) => session.update((data) => void (data['ahead'] = true)))
    await first.reached
    const guest = browser.request(servers[0]!, async (session) => {
      await session.update((data) => void (data['guest'] = true))
      const seen = [session.userId, session.data['secret']]
      const late = await session.update((data) => void (data['late'] = true)).catch((error: unknown) => error)
      return { seen, late }
    })
    await standstill()
    const risen = browser.request(servers[0]!, async (session) => {
      session.data['secret'] = 'of u1'
      await rise(session)
      return session.data
    })
    await standstill()
    first.goOn()
    await ahead
    const { result } = await guest
    expect(result.seen).toEqual([undefined, undefined])
    expect(result.late).toMatchObject({ name: 'SessionEndedError', reason: 'superseded' })
    const answer = await risen
    expect(answer.result).toEqual({ begun: true, ahead: true, guest: true, secret: 'of u1' })
    browser.keep(answer.cookies)
    expect(await browser.visit(servers[0]!, (session) => session.data)).toEqual(answer.result)
  })
})

describe('two sign-ins of one user at the same time, as by a double click', () => {
  async function doubled(): Promise<Pick<Deployment, 'servers'> & { made: Browser[] }> {
    const { servers } = await deployment()
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => void (session.data['a'] = 1))
    const answers = await Promise.all(
      servers.map((server) => browser.request(server, (session) => session.signIn('u1'))),
    )
    const made = answers.map(({ cookies }) => {
      const after = browser.copy()
      after.keep(cookies)
      return after
    })
    return { servers, made }
  }

  const usersOf = (made: readonly Browser[], servers: Deployment['servers']): Promise<unknown[]> =>
    Promise.all(made.map((browser) => browser.visit(servers[0]!, (session) => session.userId)))

  it('both go through, and each is in the index (I12)', async () => {
    const { servers, made } = await doubled()
    expect(await usersOf(made, servers)).toEqual(['u1', 'u1'])
    expect(await servers[1]!.list('u1')).toHaveLength(2)
  })

  it('are both ended by a revocation (I12)', async () => {
    const { servers, made } = await doubled()
    expect(await servers[1]!.revokeUser('u1')).toEqual({ ended: 2, durable: true })
    expect(await usersOf(made, servers)).toEqual([undefined, undefined])
  })
})

describe('a sign-in that could not look whether its user was revoked', () => {
  it('throws, and leaves nobody signed in even where the answer goes out (I12)', async () => {
    const { servers, store } = await deployment({}, 1)
    const browser = new Browser()
    let enrolments = 0
    around(store, 'enroll', (call) => {
      enrolments++
      if (enrolments === 2) throw new Error('connection reset')
      return call()
    })
    const caught = await browser.visit(servers[0]!, (session) => session.signIn('u1').catch((error: unknown) => error))
    expect(caught).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
    expect(browser.jar.has('__Host-sid')).toBe(false)
    expect(await browser.visit(servers[0]!, (session) => session.userId)).toBeUndefined()
  })
})

describe('an id from before a sign-in', () => {
  it('can neither shorten nor prolong the session that was signed in to (I4)', async () => {
    const { servers, clock, store } = await deployment({ absoluteTimeout: '2h' })
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => void (session.data['a'] = 1))
    for (let minutes = 0; minutes < 119; minutes += 17) {
      clock.forward(17 * 60_000)
      if (minutes < 102) await browser.visit(servers[0]!, () => undefined)
    }
    let touches = 0
    const wait = gate()
    const before = browser.request(servers[0]!, async (session) => {
      await wait.passed
      await session.touch()
      return session.status
    })
    await browser.visit(servers[1]!, (session) => session.signIn('u1'))
    around(store, 'touch', (call) => (touches++, call()))
    wait.open()
    expect((await before).result).toBe('lapsed')
    expect(touches).toBe(0)
    clock.forward(20 * 60_000)
    expect(await browser.visit(servers[1]!, (session) => session.userId)).toBe('u1')
  })
})

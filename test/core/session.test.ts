import { describe, expect, it } from 'vitest'

import { SessionEndedError } from '../../src/errors.ts'
import type { Session } from '../../src/types.ts'
import { Browser, deployment, type TestData } from '../support/core-browser.ts'

describe('a visit', () => {
  it('costs no command while nothing is stored (I10)', async () => {
    const { servers, store } = await deployment()
    const before = store.stats().commands
    const browser = new Browser()
    for (const server of servers) {
      await browser.visit(server, (session) => [session.status, session.data, session.csrf.token()])
    }
    expect(store.stats().commands).toBe(before)
    expect([...browser.jar.keys()]).toEqual(['__Host-visit'])
  })

  it('is stored on one server and read on the other', async () => {
    const { servers } = await deployment()
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => (session.data['cart'] = ['apple']), 'POST')
    expect([...browser.jar.keys()]).toEqual(['__Host-gid'])
    const seen = await browser.visit(servers[1]!, (session) => ({ data: session.data, status: session.status }))
    expect(seen).toEqual({ data: { cart: ['apple'] }, status: 'live' })
  })

  it('becomes a guest by succession, and parallel first requests meet in one record (I2, I4)', async () => {
    const { servers } = await deployment()
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => session.csrf.token())
    const parallel = await Promise.all(
      [0, 1, 2, 3].map((at) =>
        browser.request(servers[at % 2]!, (session) => void (session.data[`key${at}`] = at), 'POST'),
      ),
    )
    const issued = new Set(parallel.flatMap(({ cookies }) => cookies))
    expect(issued.size).toBe(1)
    for (const answer of parallel) browser.keep(answer.cookies)
    expect(await browser.visit(servers[1]!, (session) => session.data)).toEqual({ key0: 0, key1: 1, key2: 2, key3: 3 })
  })

  it('keeps parallel changes under one object (I2)', async () => {
    const { servers } = await deployment()
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => void (session.data['a'] = 1), 'POST')
    const add = (session: Session<TestData>, key: string): void => {
      session.data['o'] = { ...(session.data['o'] as object | undefined), [key]: true }
    }
    await Promise.all(
      Array.from({ length: 20 }, (_, at) =>
        browser.visit(servers[at % 2]!, (session) => add(session, `k${at}`), 'POST'),
      ),
    )
    const kept = await browser.visit(servers[0]!, (session) => session.data['o'])
    expect(Object.keys(kept as object)).toHaveLength(20)
  })

  it('adds N for N parallel increments (I2)', async () => {
    const { servers } = await deployment()
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => void (session.data['n'] = 0), 'POST')
    await Promise.all(
      Array.from({ length: 40 }, (_, at) =>
        browser.visit(
          servers[at % 2]!,
          (session) => session.update((data) => void (data['n'] = Number(data['n']) + 1)),
          'POST',
        ),
      ),
    )
    expect(await browser.visit(servers[1]!, (session) => session.data['n'])).toBe(40)
  })
})

describe('sign-in', () => {
  it('takes a new id and handle, carries the guest along, and the id from before reaches nothing (I4)', async () => {
    const { servers } = await deployment()
    const browser = new Browser()
    const guest = await browser.visit(servers[0]!, (session) => ((session.data['cart'] = [1]), session), 'POST')
    const handle = guest.handle
    const before = browser.copy()
    await browser.visit(servers[1]!, (session) => session.signIn('u1'), 'POST')
    const after = await browser.visit(servers[0]!, (session) => session)
    expect([after.status, after.userId, after.data]).toEqual(['live', 'u1', { cart: [1] }])
    expect(after.handle).not.toBe(handle)
    const old = await before.visit(
      servers[0]!,
      (session) => ((session.data['x'] = 1), [session.status, session.userId]),
      'POST',
    )
    expect(old).toEqual(['lapsed', undefined])
    expect([...before.jar.keys()]).toEqual(['__Host-gid'])
    expect(await browser.visit(servers[0]!, (session) => session.data)).toEqual({ cart: [1] })
  })

  it('works for a visitor with nothing stored, and again when its answer was lost', async () => {
    const { servers } = await deployment()
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => session.csrf.token())
    await browser.request(servers[0]!, (session) => session.signIn('u1'), 'POST')
    await browser.visit(servers[1]!, (session) => session.signIn('u1'), 'POST')
    expect(await browser.visit(servers[0]!, (session) => session.userId)).toBe('u1')
  })

  it("never carries another user's data", async () => {
    const { servers } = await deployment()
    const browser = new Browser()
    await browser.visit(servers[0]!, async (session) => {
      await session.signIn('u1')
      session.data['private'] = true
    })
    await browser.visit(servers[1]!, (session) => session.signIn('u2'))
    expect(await browser.visit(servers[0]!, (session) => [session.userId, session.data])).toEqual(['u2', {}])
    expect(await servers[0]!.list('u1')).toEqual([])
  })
})

describe('sign-in as another user', () => {
  it("carries nothing along even where the session ends on the way (another user's data never do)", async () => {
    const { servers } = await deployment()
    const browser = new Browser()
    await browser.visit(servers[0]!, async (session) => {
      await session.signIn('u1')
      session.data['private'] = 'of u1'
    })
    const elsewhere = browser.copy()
    await browser.visit(servers[0]!, async (session) => {
      expect(session.data).toEqual({ private: 'of u1' })
      await elsewhere.visit(servers[1]!, (other) => other.signOut())
      await session.signIn('u2')
    })
    expect(await browser.visit(servers[1]!, (session) => [session.userId, session.data])).toEqual(['u2', {}])
  })
})

describe('an end', () => {
  it('is not undone by a request that was under way (I3)', async () => {
    const { servers } = await deployment()
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    const stolen = browser.copy()
    let release = (): void => undefined
    const waiting = new Promise<void>((resolve) => (release = resolve))
    const slow = browser.request(servers[0]!, async (session) => {
      await waiting
      session.data['late'] = true
    })
    await browser.visit(servers[1]!, (session) => session.signOut(), 'POST')
    release()
    const answer = await slow
    expect(answer.cookies).toEqual([])
    expect(browser.jar.size).toBe(0)
    expect(await stolen.visit(servers[0]!, (session) => [session.status, session.data])).toEqual(['lapsed', {}])
  })

  it('makes a late update throw', async () => {
    const { servers } = await deployment()
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    const other = browser.copy()
    const late = browser.request(servers[0]!, async (session) => {
      await other.visit(servers[1]!, (there) => there.signOut(), 'POST')
      await session.update((data) => (data['n'] = 1))
    })
    await expect(late).rejects.toThrow(SessionEndedError)
    await expect(late).rejects.toMatchObject({ reason: 'signed-out', status: 401 })
  })
})

describe('renewal', () => {
  it('logs nobody out: every parallel request arrives at the same next id (I4)', async () => {
    const { servers, clock } = await deployment()
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    clock.forward(61_000)
    const before = browser.copy()
    const answers = await Promise.all(
      [0, 1, 0].map((at) => browser.request(servers[at]!, (session) => session.regenerateId())),
    )
    expect(new Set(answers.flatMap(({ cookies }) => cookies)).size).toBe(1)
    for (const answer of answers.toReversed()) browser.keep(answer.cookies)
    expect(browser.jar.get('__Host-sid')).not.toBe(before.jar.get('__Host-sid'))
    expect(await browser.visit(servers[1]!, (session) => session.userId)).toBe('u1')
    expect(await before.request(servers[0]!, (session) => session.userId)).toMatchObject({ result: 'u1' })
    clock.forward(61_000)
    expect(await browser.visit(servers[0]!, (session) => session.userId)).toBe('u1')
    expect(await before.visit(servers[0]!, (session) => session.status)).toBe('lapsed')
  })

  it('comes by itself at the renewal timeout', async () => {
    const { servers, clock } = await deployment()
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    const before = browser.jar.get('__Host-sid')
    for (let step = 0; step < 4; step++) {
      clock.forward(20 * 60_000)
      expect(await browser.visit(servers[step % 2]!, (session) => session.userId)).toBe('u1')
    }
    expect(browser.jar.get('__Host-sid')).not.toBe(before)
  })
})

describe('revocation', () => {
  it('ends every session of the user but the one spared (I12)', async () => {
    const { servers } = await deployment()
    const browsers = Array.from({ length: 4 }, () => new Browser())
    for (const [at, browser] of browsers.entries())
      await browser.visit(servers[at % 2]!, (session) => session.signIn('u1'))
    const handle = await browsers[0]!.visit(servers[0]!, (session) => session.handle)
    expect(await servers[1]!.revokeUser('u1', { except: handle! })).toEqual({ ended: 3, durable: true })
    const users = await Promise.all(browsers.map((browser) => browser.visit(servers[0]!, (session) => session.userId)))
    expect(users).toEqual(['u1', undefined, undefined, undefined])
    expect(await servers[0]!.list('u1')).toHaveLength(1)
  })
})

describe('data that change while a commit is under way', () => {
  it('stay, and what others stored meanwhile stays too (I2)', async () => {
    const { servers, store } = await deployment()
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => void (session.data['list'] = []), 'POST')
    const elsewhere = browser.copy()
    await browser.visit(servers[0]!, async (session) => {
      const list = session.data['list'] as string[]
      list.push('a')
      await elsewhere.visit(servers[1]!, (other) => void (other.data['list'] as string[]).push('x'), 'POST')
      const replace = store.replace.bind(store)
      store.replace = async (...given) => {
        list.push('b')
        store.replace = replace
        return replace(...given)
      }
      await session.commit()
    })
    expect(await browser.visit(servers[1]!, (session) => session.data['list'])).toEqual(['x', 'a', 'b'])
  })
})

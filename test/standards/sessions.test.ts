/** What OWASP ASVS 7 asks of sessions and of applications, where no other test shows it; `docs/standards.md` has the list. */
import type * as crypto from 'node:crypto'

import { describe, expect, it, vi } from 'vitest'

import { beginVisit, type Manager } from '../../src/core/sessions.ts'
import { Browser, deployment, type TestData } from '../support/core-browser.ts'

/** Copies of what the system's generator gave. */
const drawn: Buffer[] = []

vi.mock('node:crypto', async (original) => {
  const actual = await original<typeof crypto>()
  const randomBytes = (size: number): Buffer => {
    const bytes = actual.randomBytes(size)
    drawn.push(Buffer.from(bytes))
    return bytes
  }
  return { ...actual, randomBytes }
})

async function signedIn(on: Manager<TestData>, user = 'u1'): Promise<Browser> {
  const browser = new Browser()
  await browser.visit(on, (session) => session.signIn(user))
  return browser
}

function idOf(browser: Browser): Buffer {
  return Buffer.from(browser.jar.get('__Host-sid') ?? browser.jar.get('__Host-visit') ?? '', 'base64url')
}

function verifierOf(browser: Browser): Buffer {
  return idOf(browser).subarray(23, 39)
}

describe('the secret half of an id', () => {
  it('is 128 bits as the generator of the system gave them, another for everybody', async () => {
    const { servers } = await deployment({}, 1)
    const seen = new Set<string>()
    for (let at = 0; at < 500; at++) {
      const visitor = new Browser()
      await visitor.visit(servers[0]!, (session) => session.csrf.token())
      for (const browser of [visitor, await signedIn(servers[0]!)]) {
        const verifier = verifierOf(browser)
        expect(verifier).toHaveLength(16)
        expect(drawn.some((bytes) => bytes.includes(verifier))).toBe(true)
        seen.add(verifier.toString('hex'))
      }
    }
    expect(seen.size).toBe(1000)
  })
})

describe('an id', () => {
  it('tells nothing of its user: it has the same length for every user id, and the user id is not in it', async () => {
    const { servers } = await deployment({}, 1)
    const users = ['ada', 'a.long.name@shop.example', '0'.repeat(255)]
    for (const user of users) {
      const id = idOf(await signedIn(servers[0]!, user))
      expect(id).toHaveLength(57)
      expect(id.includes(user)).toBe(false)
    }
  })

  it('whose session is over is never taken up again: what is stored next has another, under another key', async () => {
    const { servers } = await deployment()
    const browser = await signedIn(servers[0]!)
    const kept = browser.copy()
    const before = idOf(browser)
    await browser.visit(servers[0]!, (session) => session.signOut())
    const handle = await kept.visit(servers[1]!, async (session) => {
      expect(session.status).toBe('lapsed')
      await session.signIn('u2')
      return session.handle
    })
    expect(handle).toBeDefined()
    expect(idOf(kept).subarray(5, 23)).not.toEqual(before.subarray(5, 23))
    expect(verifierOf(kept)).not.toEqual(before.subarray(23, 39))
  })
})

describe('a user who signs in again', () => {
  it('has another id; the one before reaches nothing, on any server', async () => {
    const { servers } = await deployment()
    const browser = await signedIn(servers[0]!)
    const before = browser.copy()
    await browser.visit(servers[1]!, (session) => session.signIn('u1'))
    expect(verifierOf(browser)).not.toEqual(verifierOf(before))
    expect(await browser.visit(servers[0]!, (session) => session.userId)).toBe('u1')
    for (const server of servers)
      expect(await before.visit(server, (session) => [session.status, session.userId])).toEqual(['lapsed', undefined])
    expect(await servers[0]!.list('u1')).toHaveLength(1)
  })

  it('moves signedInAt, by which an application sees how long ago that was; nothing else moves it', async () => {
    const { servers, clock } = await deployment()
    const browser = await signedIn(servers[0]!)
    const signedInAt = (): Promise<number> => browser.visit(servers[1]!, (session) => session.signedInAt!.getTime())
    const first = await signedInAt()
    clock.forward(20 * 60_000)
    await browser.visit(servers[0]!, (session) => (session.data['a'] = 1))
    await browser.visit(servers[0]!, (session) => session.touch())
    await browser.visit(servers[0]!, (session) => session.regenerateId())
    expect(await signedInAt()).toBe(first)
    await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    expect(await signedInAt()).toBe(first + 20 * 60_000)
  })
})

describe('a rise in privilege', () => {
  it("takes another id and handle; the id from before reaches nothing, and the session's data stay", async () => {
    const { servers } = await deployment()
    const browser = await signedIn(servers[0]!)
    await browser.visit(servers[0]!, (session) => (session.data['a'] = 1))
    const before = browser.copy()
    const handle = await browser.visit(servers[0]!, (session) => session.handle)
    await browser.visit(servers[1]!, (session) => session.regenerateId({ previous: 'refused' }))
    const after = await browser.visit(servers[0]!, ({ userId, data, handle: now }) => ({ userId, data, now }))
    expect(after).toMatchObject({ userId: 'u1', data: { a: 1 } })
    expect(after.now).not.toBe(handle)
    expect(await before.visit(servers[0]!, (session) => [session.status, session.userId])).toEqual([
      'lapsed',
      undefined,
    ])
  })

  it('ends the tokens of every form from before', async () => {
    const { servers } = await deployment()
    const browser = await signedIn(servers[0]!)
    const token = await browser.visit(servers[0]!, (session) => session.csrf.token())
    expect(await browser.visit(servers[1]!, (session) => session.csrf.verify(token))).toBe(true)
    await browser.visit(servers[1]!, (session) => session.regenerateId({ previous: 'refused' }))
    expect(await browser.visit(servers[0]!, (session) => session.csrf.verify(token))).toBe(false)
  })
})

describe('the sessions of a user', () => {
  it('are listed, and each can be ended by its handle; nobody else can end them by it', async () => {
    const { servers } = await deployment()
    const [here, there] = [await signedIn(servers[0]!), await signedIn(servers[1]!)]
    const handle = (await there.visit(servers[0]!, (session) => session.handle))!
    expect((await servers[0]!.list('u1')).map((one) => one.handle)).toContain(handle)
    expect(await servers[0]!.revoke('u2', handle)).toMatchObject({ ended: false })
    expect(await there.copy().visit(servers[1]!, (session) => session.userId)).toBe('u1')
    expect(await servers[0]!.revoke('u1', handle)).toMatchObject({ ended: true })
    expect(await there.visit(servers[1]!, (session) => session.userId)).toBeUndefined()
    expect(await here.visit(servers[1]!, (session) => session.userId)).toBe('u1')
    expect(await servers[1]!.list('u1')).toHaveLength(1)
  })
})

describe('a session', () => {
  it('that stays open, as for a socket, learns by reload() that it has ended on another server', async () => {
    const { servers } = await deployment()
    const browser = await signedIn(servers[0]!)
    const visit = beginVisit(servers[0]!, browser.facts(), {})
    await visit.open()
    await visit.session.reload()
    expect([visit.session.status, visit.session.signal.aborted]).toEqual(['live', false])
    await servers[1]!.revokeUser('u1')
    await visit.session.reload()
    expect([visit.session.status, visit.session.signal.aborted]).toEqual(['lapsed', true])
  })
})

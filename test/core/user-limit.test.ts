import { channel } from 'node:diagnostics_channel'
import { describe, expect, it, onTestFinished, vi } from 'vitest'

import { LimitError } from '../../src/errors.ts'
import { beginVisit, type Manager } from '../../src/core/sessions.ts'
import { Browser, deployment, type TestData } from '../support/core-browser.ts'
import { around, pause } from '../support/paused-store.ts'
import { selectorOf } from '../support/stored.ts'

type Server = Manager<TestData>

async function signIn(on: Server, user = 'ada', browser = new Browser()): Promise<Browser> {
  await browser.visit(on, (session) => session.signIn(user))
  return browser
}

async function usersOf(on: Server, browsers: readonly Browser[]): Promise<unknown[]> {
  return Promise.all(browsers.map((browser) => browser.copy().visit(on, (session) => session.userId)))
}

async function refusalOf(on: Server, browser: Browser): Promise<unknown> {
  return browser.visit(on, (session) => session.signIn('ada').catch((error: unknown) => error))
}

function lifecycle(): unknown[] {
  const seen: unknown[] = []
  const note = (message: unknown): void => void seen.push(message)
  channel('holdfast:lifecycle').subscribe(note)
  onTestFinished(() => {
    channel('holdfast:lifecycle').unsubscribe(note)
  })
  return seen
}

describe("a sign-in beyond maxPerUser, which by default ends the user's oldest", () => {
  it('leaves the newest by sign-in, whichever was seen last, and nobody else is concerned', async () => {
    const { servers, clock } = await deployment({ maxPerUser: 3 })
    const browsers: Browser[] = []
    for (const at of [0, 1, 0]) {
      browsers.push(await signIn(servers[at]!))
      clock.forward(1000)
    }
    const other = await signIn(servers[0]!, 'bob')
    clock.forward(4 * 60_000)
    await browsers[0]!.visit(servers[1]!, (session) => void (session.data['seen'] = 'last'))
    browsers.push(await signIn(servers[1]!))
    expect(await usersOf(servers[0]!, browsers)).toEqual([undefined, 'ada', 'ada', 'ada'])
    expect(await usersOf(servers[0]!, [other])).toEqual(['bob'])
    expect(await servers[1]!.list('ada')).toHaveLength(3)
  })

  it('ends it as a revocation does, and says why', async () => {
    const { servers } = await deployment({ maxPerUser: 1 })
    const first = await signIn(servers[0]!)
    const { handle, signal } = await first.visit(servers[0]!, ({ handle: name, signal: end }) => ({
      handle: name,
      signal: end,
    }))
    const events = lifecycle()
    await first.visit(servers[1]!, async (session) => {
      await signIn(servers[1]!)
      await expect(session.update(() => undefined)).rejects.toMatchObject({ reason: 'revoked' })
    })
    expect(events).toContainEqual({ handle, what: 'revoked', why: 'maxPerUser' })
    expect(signal.aborted).toBe(false)
    expect(await first.visit(servers[0]!, (session) => session.status)).toBe('lapsed')
  })

  it('counts a session once that is signed in to again, and what has ended not at all', async () => {
    const { servers, clock } = await deployment({ maxPerUser: 2 })
    const [first, second] = [await signIn(servers[0]!), await signIn(servers[1]!)]
    clock.forward(1000)
    await signIn(servers[1]!, 'ada', first)
    expect(await usersOf(servers[0]!, [first, second])).toEqual(['ada', 'ada'])
    await first.visit(servers[0]!, (session) => session.signOut())
    const third = await signIn(servers[0]!)
    expect(await usersOf(servers[1]!, [second, third])).toEqual(['ada', 'ada'])
    clock.forward(34 * 60_000)
    const late = [await signIn(servers[0]!), await signIn(servers[1]!)]
    expect(await usersOf(servers[1]!, late)).toEqual(['ada', 'ada'])
  })

  it('is itself the one that ends where as many newer ones came while it was on its way', async () => {
    const { servers, store } = await deployment({ maxPerUser: 1 })
    const creating = pause(store, 'create', 'after')
    const slow = new Browser()
    const waiting = slow.request(servers[0]!, (session) => session.signIn('ada'))
    await creating.reached
    const newer = await signIn(servers[1]!)
    creating.goOn()
    await expect(waiting).rejects.toMatchObject({ name: 'SessionEndedError', reason: 'revoked' })
    expect(await usersOf(servers[0]!, [newer])).toEqual(['ada'])
  })
})

describe("a sign-in beyond maxPerUser with 'refuse'", () => {
  const maxPerUser = { most: 2, then: 'refuse' } as const

  it('throws a LimitError, and leaves the guest as they were and nothing in the index', async () => {
    const { servers, store } = await deployment({ maxPerUser })
    const browsers = [await signIn(servers[0]!), await signIn(servers[1]!)]
    const guest = new Browser()
    await guest.visit(servers[0]!, (session) => void (session.data['cart'] = [1]))
    const error = await refusalOf(servers[1]!, guest)
    expect(error).toBeInstanceOf(LimitError)
    expect(error).toMatchObject({ code: 'ERR_LIMIT', limit: 'maxPerUser', status: 409, headers: {} })
    expect(await guest.visit(servers[0]!, ({ status, userId, data }) => [status, userId, data])).toEqual([
      'live',
      undefined,
      { cart: [1] },
    ])
    expect(await refusalOf(servers[0]!, new Browser())).toMatchObject({ limit: 'maxPerUser' })
    expect((await store.roll('ada')).entries).toHaveLength(2)
    expect(await usersOf(servers[0]!, browsers)).toEqual(['ada', 'ada'])
  })

  it('lets in as soon as one of the others has ended', async () => {
    const { servers } = await deployment({ maxPerUser })
    const [first, second] = [await signIn(servers[0]!), await signIn(servers[1]!)]
    await first.visit(servers[1]!, (session) => session.signOut())
    await signIn(servers[0]!, 'ada', first)
    const handle = await second.visit(servers[0]!, (session) => session.handle)
    await servers[1]!.revoke('ada', handle!)
    const third = await signIn(servers[0]!)
    expect(await usersOf(servers[1]!, [first, second, third])).toEqual(['ada', undefined, 'ada'])
  })

  it('counts a session once that is signed in to again', async () => {
    const { servers } = await deployment({ maxPerUser })
    const browsers = [await signIn(servers[0]!), await signIn(servers[1]!)]
    for (const browser of browsers) await signIn(servers[0]!, 'ada', browser)
    expect(await usersOf(servers[1]!, browsers)).toEqual(['ada', 'ada'])
  })

  it('does not refuse who has a place already, while another is on the way to being refused', async () => {
    const { servers, store } = await deployment({ maxPerUser: { most: 1, then: 'refuse' } })
    const first = await signIn(servers[0]!)
    const counting = pause(store, 'roll', 'before')
    const second = refusalOf(servers[1]!, new Browser())
    await counting.reached
    await signIn(servers[0]!, 'ada', first)
    counting.goOn()
    expect(await second).toMatchObject({ limit: 'maxPerUser' })
    expect(await usersOf(servers[1]!, [first])).toEqual(['ada'])
  })

  it('takes a session that was revoked for none, be it that nobody has ended it yet', async () => {
    const { servers, store, clock } = await deployment({ maxPerUser: { most: 1, then: 'refuse' } })
    const revoked = await signIn(servers[0]!)
    await store.withdraw('ada', selectorOf(revoked, 'sid'))
    clock.forward(1000)
    await servers[0]!.revokeUser('ada')
    clock.forward(1000)
    const other = await signIn(servers[1]!)
    const visit = beginVisit(servers[0]!, revoked.facts(), {})
    await visit.open({ touch: false })
    await expect(visit.session.signIn('ada')).rejects.toMatchObject({ limit: 'maxPerUser' })
    expect(await usersOf(servers[1]!, [other])).toEqual(['ada'])
  })

  it('lets in who signs in anew because another signed in to the visit', async () => {
    const { servers, store } = await deployment({ maxPerUser: { most: 1, then: 'refuse' } })
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => void (session.data['cart'] = [1]))
    const overtaken = browser.copy()
    const storing = pause(store, 'replace', 'before')
    const late = signIn(servers[0]!, 'ada', overtaken)
    await storing.reached
    await signIn(servers[1]!, 'bob', browser)
    storing.goOn()
    await late
    expect(await usersOf(servers[1]!, [browser, overtaken])).toEqual(['bob', 'ada'])
  })

  it('gives the place of a user who signed in as another at once to the next', async () => {
    const { servers } = await deployment({ maxPerUser })
    const [first] = [await signIn(servers[0]!), await signIn(servers[1]!)]
    await signIn(servers[1]!, 'bob', first)
    const third = await signIn(servers[0]!)
    expect(await usersOf(servers[1]!, [first, third])).toEqual(['bob', 'ada'])
  })

  it('counts one whose store failed on the way for ten deadlines, and then no more', async () => {
    const { servers, store, clock } = await deployment({ maxPerUser })
    await signIn(servers[0]!)
    const broken = around(store, 'create', () => Promise.reject(new Error('connection reset')))
    expect(await refusalOf(servers[0]!, new Browser())).toMatchObject({ status: 503 })
    broken()
    clock.forward(9_000)
    expect(await refusalOf(servers[1]!, new Browser())).toMatchObject({ limit: 'maxPerUser' })
    clock.forward(2_000)
    expect(await usersOf(servers[1]!, [await signIn(servers[1]!)])).toEqual(['ada'])
  })

  it('counts again where it took so long, as in a process that stood still, that it may have been taken for such a one', async () => {
    const { servers, store, clock } = await deployment({ maxPerUser: { most: 1, then: 'refuse' } })
    const guest = new Browser()
    await guest.visit(servers[0]!, (session) => void (session.data['cart'] = [1]))
    const storing = pause(store, 'replace', 'before')
    const slow = refusalOf(servers[0]!, guest)
    await storing.reached
    const later = performance.now() + 11_000
    vi.spyOn(performance, 'now').mockReturnValue(later)
    clock.forward(11_000)
    const other = await signIn(servers[1]!)
    storing.goOn()
    expect(await slow).toMatchObject({ limit: 'maxPerUser' })
    expect(await usersOf(servers[0]!, [guest, other])).toEqual([undefined, 'ada'])
    expect(await servers[0]!.list('ada')).toHaveLength(1)
  })
})

it('without maxPerUser a user has as many sessions as they like', async () => {
  const { servers } = await deployment()
  const browsers = await Promise.all(Array.from({ length: 12 }, (_, at) => signIn(servers[at % 2]!)))
  expect(await usersOf(servers[0]!, browsers)).toEqual(browsers.map(() => 'ada'))
})

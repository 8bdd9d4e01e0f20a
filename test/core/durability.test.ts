/** What replicas have confirmed, and what becomes of ends when a replica takes over that lacks some. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'

import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'

import { handleOf } from '../../src/core/session-id.ts'
import { beginVisit, type Manager } from '../../src/core/sessions.ts'
import type { BaseOptions, Session } from '../../src/types.ts'
import { Browser, server, testClock, type TestClock, type TestData } from '../support/core-browser.ts'
import { around, pause, standstill } from '../support/paused-store.ts'
import { replicatedStore, type ReplicatedStore } from '../support/replicated-store.ts'
import { hasEnded, selectorOf } from '../support/stored.ts'

interface World {
  readonly clock: TestClock
  readonly store: ReplicatedStore
  readonly on: Manager<TestData>
  readonly browser: Browser
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
})
afterEach(() => {
  vi.useRealTimers()
})

/** Ada has signed in. */
async function world(options: BaseOptions = {}): Promise<World> {
  const clock = testClock()
  const store = replicatedStore(clock.now)
  const on = server(store, clock, options)
  await on.ready()
  const browser = new Browser()
  await browser.visit(on, (session) => session.signIn('ada'))
  return { clock, store, on, browser }
}

/** What is told on a channel from now on. */
function toldOf(channel: string): readonly unknown[] {
  const told: unknown[] = []
  const note = (message: unknown): void => void told.push(message)
  subscribe(channel, note)
  onTestFinished(() => void unsubscribe(channel, note))
  return told
}

/** A request whose answer is an error, with the cookies that go along. */
async function refused(
  on: Manager<TestData>,
  browser: Browser,
  handler: (session: Session<TestData>) => unknown,
): Promise<{ error: unknown; cookies: readonly string[] }> {
  const visit = beginVisit(on, browser.facts('POST'), {})
  await visit.open()
  const error = await (async () => handler(visit.session))().then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  const settled = await visit.settle().then(
    ({ cookies }) => ({ error, cookies }),
    (thrown: unknown) => ({ error: error ?? thrown, cookies: visit.farewell() }),
  )
  visit.finish()
  return settled
}

const UNCONFIRMED = { code: 'ERR_UNCONFIRMED', status: 503, headers: { 'retry-after': '1' } }

describe('an end', () => {
  it.each([true, false])('says whether replicas have it (%s)', async (replicates) => {
    const { store, on, browser } = await world()
    store.replicates = replicates
    const [{ handle } = { handle: '' }] = await on.list('ada')
    expect(await on.revoke('ada', handle)).toEqual({ ended: true, durable: replicates })
    await browser.visit(on, (session) => session.signIn('ada'))
    expect(await on.revokeUser('ada')).toEqual({ ended: 1, durable: replicates })
    await browser.visit(on, (session) => session.signIn('ada'))
    expect(await browser.visit(on, (session) => session.signOut())).toEqual({ durable: replicates })
    expect(await on.revokeAll()).toEqual({ durable: replicates })
  })

  it('of nothing is durable', async () => {
    const { store, on } = await world()
    store.replicates = false
    expect(await new Browser().visit(on, (session) => session.signOut())).toEqual({ durable: true })
    expect(await on.revoke('ada', 'no such handle')).toEqual({ ended: false, durable: true })
  })
})

describe('a commit', () => {
  it('asks for no replica by itself, and is a word', async () => {
    const { store, on, browser } = await world()
    store.replicates = false
    const outcome = await browser.visit(on, (session) => ((session.data['a'] = 1), session.commit()))
    expect(outcome).toBe('saved')
    expect(new Set(store.wishes)).toEqual(new Set(['primary']))
  })

  it.each([true, false])('that asks for replicas says whether they have it (%s)', async (replicates) => {
    const { store, on, browser } = await world()
    store.replicates = replicates
    const committed = await browser.visit(on, async (session) => {
      session.data['a'] = 1
      return [
        await session.commit({ durability: 'replicated' }),
        await session.update((data) => (data['b'] = 2), { durability: 'replicated' }),
        await session.commit({ durability: 'replicated' }),
      ]
    })
    expect(committed).toEqual([
      { outcome: 'saved', durable: replicates },
      { result: 2, durable: replicates },
      { outcome: 'unchanged', durable: true },
    ])
    expect(on.stats().unconfirmed).toBe(replicates ? 0 : 2)
    expect(await browser.visit(on, (session) => session.data)).toEqual({ a: 1, b: 2 })
  })

  it('refuses other words', async () => {
    const { on, browser } = await world()
    const commit = browser.visit(on, (session) => session.commit({ durability: 'twice' as 'primary' }))
    await expect(commit).rejects.toMatchObject({ code: 'ERR_OPTIONS', option: 'durability' })
  })

  it('that folds several changes asks for what the strictest of them does, and each is told what it asked', async () => {
    const { store, on, browser } = await world()
    store.replicates = false
    const first = pause(store, 'replace', 'before')
    const holding = browser.request(on, (session) => ((session.data['first'] = 1), session.commit()))
    await first.reached
    const folded = ([undefined, 'replicated', undefined] as const).map((durability, at) =>
      browser.request(on, (session): Promise<unknown> => {
        session.data[`change ${at}`] = 1
        return durability === undefined ? session.commit() : session.commit({ durability })
      }),
    )
    await standstill()
    const before = store.wishes.length
    first.goOn()
    await holding
    const outcomes = (await Promise.all(folded)).map(({ result }) => result)
    expect(outcomes).toEqual(['merged', { outcome: 'merged', durable: false }, 'merged'])
    expect(store.wishes.slice(before)).toEqual(['primary', 'replicated'])
  })

  it('whose confirmation was lost with its answer is not taken for confirmed', async () => {
    const { store, on, browser } = await world()
    const lost = pause(store, 'replace', 'after')
    const committing = browser.request(
      on,
      (session) => ((session.data['a'] = 1), session.commit({ durability: 'replicated' })),
    )
    await lost.reached
    lost.goOn(new Error('connection reset'))
    expect((await committing).result).toEqual({ outcome: 'saved', durable: false })
  })
})

describe("under durability: 'replicated'", () => {
  const REPLICATED: BaseOptions = { durability: 'replicated' }

  it('every change asks for replicas', async () => {
    const { store, on, browser } = await world(REPLICATED)
    await browser.visit(on, (session) => void (session.data['a'] = 1))
    await on.update('ada', (await on.list('ada'))[0]!.handle, (data) => void (data['b'] = 1))
    expect(new Set(store.wishes)).toEqual(new Set(['replicated']))
  })

  const changes: readonly (readonly [string, (session: Session<TestData>) => unknown])[] = [
    ['a change of data', (session) => (session.data['a'] = 1)],
    ['commit()', (session) => ((session.data['a'] = 1), session.commit())],
    ['update()', (session) => session.update((data) => (data['a'] = 1))],
  ]

  it.each(changes)('%s that is not confirmed is answered with a 503, and counts once', async (_, change) => {
    const { store, on, browser } = await world(REPLICATED)
    const handle = await browser.visit(on, (session) => session.handle)
    store.replicates = false
    const { error, cookies } = await refused(on, browser, change)
    expect([error, cookies]).toMatchObject([{ ...UNCONFIRMED, handle }, []])
    expect(await browser.request(on, (session) => session.data)).toMatchObject({ result: { a: 1 } })
    expect(on.stats().unconfirmed).toBe(1)
  })

  it('an increment that is not confirmed is not made again by the same request', async () => {
    const { store, on, browser } = await world(REPLICATED)
    store.replicates = false
    const count = (session: Session<TestData>): Promise<unknown> =>
      session.update((data) => (data['n'] = Number(data['n'] ?? 0) + 1))
    await refused(on, browser, async (session) => {
      await count(session).catch(() => undefined)
      await session.commit()
    })
    expect(await browser.request(on, (session) => session.data)).toMatchObject({ result: { n: 1 } })
  })

  it('a change of another session that is not confirmed throws', async () => {
    const { store, on } = await world(REPLICATED)
    const [{ handle } = { handle: '' }] = await on.list('ada')
    store.replicates = false
    await expect(on.update('ada', handle, (data) => void (data['a'] = 1))).rejects.toMatchObject({
      ...UNCONFIRMED,
      handle,
    })
  })

  it('a first value that is not confirmed takes its id along, so that it shows', async () => {
    const { store, on } = await world(REPLICATED)
    store.replicates = false
    const guest = new Browser()
    const { error, cookies } = await refused(on, guest, (session) => (session.data['a'] = 1))
    expect(error).toMatchObject(UNCONFIRMED)
    guest.keep(cookies)
    expect(await guest.request(on, (session) => session.data)).toMatchObject({ result: { a: 1 } })
  })

  it('a sign-in that is not confirmed is answered with a 503, loses no data, and may be repeated', async () => {
    const { store, on } = await world(REPLICATED)
    const guest = new Browser()
    await guest.visit(on, (session) => void (session.data['cart'] = ['apple']))
    store.replicates = false
    const { error, cookies } = await refused(on, guest, (session) => session.signIn('bob'))
    expect(error).toMatchObject(UNCONFIRMED)
    guest.keep(cookies)
    store.replicates = true
    await guest.visit(on, (session) => session.signIn('bob'))
    expect(await guest.visit(on, (session) => [session.userId, session.data])).toEqual(['bob', { cart: ['apple'] }])
    expect(await on.list('bob')).toHaveLength(1)
  })

  it('a renewal by itself that is not confirmed keeps its id back, and the page is served', async () => {
    const { store, on, browser, clock } = await world({ ...REPLICATED, idleTimeout: '5h' })
    clock.forward(61 * 60_000)
    store.replicates = false
    const { result, cookies } = await browser.request(on, (session) => session.userId)
    expect([result, cookies]).toEqual(['ada', []])
    store.replicates = true
    expect((await browser.request(on, (session) => session.userId)).cookies).toHaveLength(1)
  })
})

describe('a fail-over', () => {
  /** An end that the replica did not get. */
  async function failedOver(end: (on: Manager<TestData>, browser: Browser) => Promise<unknown>): Promise<World> {
    const made = await world()
    const kept = made.browser.copy()
    made.store.replicates = false
    await end(made.on, made.browser)
    made.store.replicates = true
    return { ...made, browser: kept }
  }

  const ends: readonly (readonly [string, (on: Manager<TestData>, browser: Browser) => Promise<unknown>])[] = [
    ['a sign-out', (on, browser) => browser.visit(on, (session) => session.signOut())],
    ['a revocation', async (on) => on.revoke('ada', (await on.list('ada'))[0]!.handle)],
    ['a revocation of the user', (on) => on.revokeUser('ada')],
  ]

  it.each(ends)('that lost %s does not bring the session back: it is ended again', async (_, end) => {
    const { store, on, browser } = await failedOver(end)
    const replaced = toldOf('holdfast:replaced')
    const ended = toldOf('holdfast:end')
    store.failOver()
    const handle = handleOf(selectorOf(browser, 'sid'), 1)
    expect(await browser.request(on, (session) => session.status)).toMatchObject({ result: 'lapsed' })
    await vi.advanceTimersByTimeAsync(1_100)
    const other = server(store, testClock())
    expect(await browser.request(other, (session) => session.status)).toMatchObject({ result: 'lapsed' })
    expect(on.stats().ends).toMatchObject({ pending: 0, again: 1, revived: 1 })
    expect(replaced).toEqual([{ store: 'replicated', ends: 1 }])
    expect(ended).toContainEqual({ handle, what: 'revived' })
  })

  it.each(ends)('that had %s too says of no session that it was alive', async (_, end) => {
    const { store, on, browser } = await world()
    await end(on, browser)
    const ended = toldOf('holdfast:end')
    store.failOver()
    await vi.advanceTimersByTimeAsync(1_100)
    expect(on.stats().ends).toMatchObject({ pending: 0, again: 1, revived: 0 })
    expect(ended).not.toContainEqual(expect.objectContaining({ what: 'revived' }))
  })

  it('while a sign-out is on its way to the server that is lost does not bring the session back', async () => {
    const { store, on, browser } = await world()
    const kept = browser.copy()
    const ending = pause(store, 'end', 'after')
    store.replicates = false
    const leaving = browser.visit(on, (session) => session.signOut())
    await ending.reached
    store.replicates = true
    store.failOver()
    ending.goOn()
    await leaving
    await vi.advanceTimersByTimeAsync(1_100)
    const other = server(store, testClock())
    expect(await kept.request(other, (session) => session.status)).toMatchObject({ result: 'lapsed' })
  })

  it.each(['before', 'amid'])(
    'that another process knows of already, with a sign-in there, leaves no sign-out %s its news here without effect',
    async (when) => {
      const { store, on, clock } = await world()
      store.replicates = false
      const ahead = server(store.replica, clock)
      const browser = new Browser()
      await browser.visit(ahead, (session) => session.signIn('bob'))
      const kept = browser.copy()
      await browser.visit(on, (session) => {
        if (when === 'amid') store.failOver()
        return session.signOut()
      })
      if (when === 'before') store.failOver()
      await vi.advanceTimersByTimeAsync(1_100)
      const other = server(store, clock)
      expect(await kept.request(other, (session) => session.status)).toMatchObject({ result: 'lapsed' })
    },
  )

  it('ends nothing of the users whose sessions were not ended, nor of those who signed in again', async () => {
    const { store, on, browser } = await world()
    await on.revokeUser('ada')
    await browser.visit(on, (session) => session.signIn('ada'))
    const bob = new Browser()
    await bob.visit(on, (session) => session.signIn('bob'))
    store.failOver()
    await vi.advanceTimersByTimeAsync(1_100)
    expect(await browser.visit(on, (session) => session.userId)).toBe('ada')
    expect(await bob.visit(on, (session) => session.userId)).toBe('bob')
  })

  it('whose store does not take the ends at once gets them later', async () => {
    const { store, on, browser } = await failedOver((of, leaving) => leaving.visit(of, (session) => session.signOut()))
    const selector = selectorOf(browser, 'sid')
    const broken = around(store, 'end', () => Promise.reject(new Error('LOADING')))
    store.failOver()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(on.stats().ends.pending).toBe(1)
    expect(await browser.request(on, (session) => session.status)).toMatchObject({ result: 'lapsed' })
    broken()
    await vi.advanceTimersByTimeAsync(1_100)
    expect(await hasEnded(store, selector)).toBe(true)
  })
})

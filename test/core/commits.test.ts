import { afterEach, describe, expect, it, vi } from 'vitest'

import { memoryStore } from '../../src/stores/memory.ts'
import { Browser, deployment, server, testClock } from '../support/core-browser.ts'
import { around, pause, standstill } from '../support/paused-store.ts'

afterEach(() => {
  vi.useRealTimers()
})

describe('a commit that waits behind a write whose answer is late', () => {
  const answers: readonly (readonly [string, Error | undefined])[] = [
    ['late', undefined],
    ['lost', new Error('connection reset')],
  ]

  it.each(answers)('is not told that its session is over: the store is asked (answer %s; I2, I4)', async (_, lost) => {
    const { servers, store } = await deployment()
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => void (session.data['a'] = 1))
    const answer = pause(store, 'replace', 'after')
    const first = browser.request(servers[0]!, (session) => void (session.data['first'] = 1)).catch(() => undefined)
    await answer.reached
    await browser.visit(servers[1]!, (session) => session.signIn('u1'))
    const second = browser.request(servers[0]!, async (session) => {
      session.data['second'] = session.userId
      return session.commit()
    })
    await standstill()
    answer.goOn(lost)
    await first
    expect((await second).result).not.toBe('gone')
    expect(await browser.visit(servers[1]!, (session) => session.data)).toEqual({ a: 1, first: 1, second: 'u1' })
  })

  it('is not told that its session is over, also behind the first value of all (I2, I4)', async () => {
    const { servers, store } = await deployment()
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => session.csrf.token())
    const answer = pause(store, 'create', 'after')
    const first = browser.request(servers[0]!, (session) => void (session.data['first'] = 1))
    await answer.reached
    await browser.visit(servers[1]!, async (session) => {
      session.data['a'] = 1
      await session.commit()
      await session.signIn('u1')
    })
    const second = browser.request(servers[0]!, async (session) => {
      session.data['second'] = session.userId
      return session.commit()
    })
    await standstill()
    answer.goOn()
    await first
    expect((await second).result).not.toBe('gone')
    expect(await browser.visit(servers[1]!, (session) => session.data)).toEqual({ a: 1, first: 1, second: 'u1' })
  })
})

describe('what has nothing to write, and waits behind a write whose answer is late', () => {
  it('is shown nothing older than it has seen before: the store is asked (I7)', async () => {
    const { servers, store } = await deployment()
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => void (session.data['a'] = 1))
    const answer = pause(store, 'replace', 'after')
    const first = browser.request(servers[0]!, (session) => void (session.data['first'] = 1))
    await answer.reached
    await browser.visit(servers[1]!, (session) => void (session.data['b'] = 1))
    const second = browser.request(servers[0]!, async (session) => {
      const before = { ...session.data }
      // The id is too young for that.
      await session.regenerateId()
      return [before, { ...session.data }]
    })
    await standstill()
    answer.goOn()
    await first
    const newest = { a: 1, first: 1, b: 1 }
    expect((await second).result).toEqual([newest, newest])
  })
})

describe('a store that hangs', () => {
  async function settledWithin(milliseconds: number, promise: Promise<unknown>): Promise<string> {
    let state = 'waiting'
    promise.then(
      () => (state = 'resolved'),
      (error: unknown) => (state = String((error as { code?: unknown }).code)),
    )
    await vi.advanceTimersByTimeAsync(milliseconds)
    return state
  }

  const never = (): Promise<never> => new Promise(() => undefined)

  it('at a write costs one deadline, and 50 ms at most (I6)', async () => {
    const { servers, store } = await deployment({ storeDeadline: '200ms' }, 1)
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => void (session.data['a'] = 1))
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    around(store, 'replace', never)
    const request = browser.request(servers[0]!, (session) => void (session.data['b'] = 1))
    expect(await settledWithin(250, request)).toBe('ERR_COMMIT_UNKNOWN')
  })

  it('at the repetition of a write whose answer was lost costs one deadline in all, and 50 ms at most (I6)', async () => {
    const { servers, store } = await deployment({ storeDeadline: '200ms' }, 1)
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => void (session.data['a'] = 1))
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    around(store, 'replace', never)
    const lost = pause(store, 'replace', 'before')
    const request = browser.request(servers[0]!, (session) => void (session.data['b'] = 1))
    await lost.reached
    expect(await settledWithin(150, request)).toBe('waiting')
    lost.goOn(new Error('connection reset'))
    expect(await settledWithin(100, request)).toBe('ERR_COMMIT_UNKNOWN')
  })

  it('while it opens costs a request one deadline, and 50 ms at most (I6)', async () => {
    const clock = testClock()
    const store = memoryStore({ now: clock.now })
    const browser = new Browser()
    const other = await deployment({}, 1)
    await browser.visit(other.servers[0]!, (session) => session.signIn('u1'))
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    around(store, 'open', never)
    const hanging = server(store, clock, { storeDeadline: '200ms' })
    expect(
      await settledWithin(
        250,
        browser.request(hanging, (session) => session.data),
      ),
    ).toBe('ERR_STORE_UNAVAILABLE')
  })

  it('after it was slow to open costs a request one deadline in all, and 50 ms at most (I6)', async () => {
    const { servers, store, clock } = await deployment({}, 1)
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    const opening = pause(store, 'open', 'before')
    around(store, 'load', never)
    const hanging = server(store, clock, { storeDeadline: '200ms' })
    const request = browser.request(hanging, (session) => session.data)
    expect(await settledWithin(150, request)).toBe('waiting')
    opening.goOn()
    expect(await settledWithin(100, request)).toBe('ERR_STORE_UNAVAILABLE')
  })

  it('while it opens keeps close() no longer than a deadline, and makes ready() reject', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    const clock = testClock()
    const store = memoryStore({ now: clock.now })
    around(store, 'open', never)
    const hanging = server(store, clock, { storeDeadline: '200ms' })
    expect(await settledWithin(11_000, hanging.ready())).toBe('ERR_STORE_UNAVAILABLE')
    expect(await settledWithin(250, hanging.close())).toBe('resolved')
  })
})

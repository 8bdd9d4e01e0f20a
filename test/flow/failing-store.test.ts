/** I6: a store that fails never looks like "no session". */
import { memoryStore } from 'holdfast/memory'
import { faultyStore, type Faults, type FaultyStore } from 'holdfast/testing'
import { afterAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'

import { closeConnections, type Answer, type Browser } from '../../proof/browser.ts'
import { jsonOf, upTo, who, tokenOf } from '../../proof/race/race.ts'
import { ADAPTERS, serve, type Servers } from './servers.ts'

const DEADLINE = 300
const ALLOWANCE = 50
/** Each is timed this often, and the middle one counts: the rule is about the library, not about this machine's other work. */
const TIMED = 5

const FAULTS: readonly (readonly [string, Faults, number])[] = [
  ['hangs', { fail: 'hang' }, DEADLINE],
  ['answers too late', { delay: DEADLINE * 3 }, DEADLINE],
  ['refuses', { fail: 'refuse' }, 0],
  ['takes the command and never answers', { fail: 'swallow' }, DEADLINE],
  ['takes the command and loses the answer', { fail: 'lose' }, 0],
]

afterAll(closeConnections)

describe.each(ADAPTERS)('I6 on %s', (adapter) => {
  let store: FaultyStore
  let servers: Servers
  let browser: Browser
  beforeEach(async () => {
    store = faultyStore(memoryStore())
    const options = { store, storeDeadline: `${DEADLINE}ms` } as const
    servers = await serve(adapter, [options, options])
    await Promise.all(servers.sessions.map((sessions) => sessions.ready()))
    browser = servers.browser()
    jsonOf(await browser.post(0, '/sign-in?user=ada'))
    onTestFinished(() => servers.close())
  })

  describe.each(FAULTS)('a store that %s', (_fault, faults, takes) => {
    it('is answered with 503 and Retry-After within the deadline and 50 ms, and the cookies stay', async () => {
      store.faults = faults
      const times: number[] = []
      for (const _time of upTo(TIMED)) {
        const begun = performance.now()
        const answer = await browser.send(0, 'GET', '/who')
        times.push(performance.now() - begun)
        expectUnavailable(answer)
      }
      expect(times.toSorted((left, right) => left - right)[Math.floor(TIMED / 2)]).toBeLessThanOrEqual(
        takes + ALLOWANCE,
      )
    })

    it('logs nobody out: the same cookie is signed in when the store is back', async () => {
      store.faults = faults
      browser.take(await browser.send(0, 'GET', '/who'))
      browser.take(await browser.send(0, 'POST', '/key?key=lost', { form: {} }))
      store.faults = {}
      await answersAgain(browser)
      expect((await who(browser, 0)).user).toBe('ada')
    })

    it('does not concern a visitor with nothing stored', async () => {
      store.faults = faults
      const visitor = servers.browser()
      const begun = performance.now()
      const token = tokenOf(await visitor.get(0, '/form'))
      jsonOf(await visitor.post(0, '/submit', { _csrf: token }))
      expect(performance.now() - begun).toBeLessThan(DEADLINE)
    })

    it('clears the cookies at an explicit sign-out, says the truth with 503, and ends the session when the store is back', async () => {
      const kept = browser.copy()
      store.faults = faults
      const answer = await browser.send(0, 'POST', '/sign-out', { form: {} })
      expectStatus(answer, 503)
      expect(answer.headers['retry-after']).toMatch(/^\d+$/)
      expect(browser.take(answer).setCookies.length).toBeGreaterThan(0)
      expect(browser.cookies.has('sid')).toBe(false)
      expect((await who(kept, 0)).user).toBeNull()
      store.faults = {}
      await soon(() => servers.sessions[0]?.stats().ends.pending === 0)
      expect((await who(kept, 1)).user).toBeNull()
    })
  })

  it('a change that was not acknowledged is answered with 503, and its page is not sent', async () => {
    store.faults = { fail: (operation) => (operation === 'replace' ? 'refuse' : undefined) }
    expectUnavailable(await browser.send(0, 'POST', '/key?key=lost', { form: {} }))
    store.faults = {}
    expect((await who(browser, 0)).keys).toBeUndefined()
  })

  it('a change whose answer was lost is found by its stamp and counts once', async () => {
    let lose = true
    store.faults = {
      fail: (operation) => {
        if (operation !== 'replace' || !lose) return undefined
        lose = false
        return 'lose'
      },
    }
    jsonOf(await browser.post(0, '/count'))
    store.faults = {}
    expect((await who(browser, 0)).count).toBe(1)
  })

  it('a change whose answer and whose look-up were lost is answered with 503 and counts at most once', async () => {
    let writes = 0
    store.faults = {
      fail: (operation) => {
        if (operation === 'replace') writes++
        return operation === 'replace' || (operation === 'load' && writes > 0) ? 'lose' : undefined
      },
    }
    expectUnavailable(await browser.send(0, 'POST', '/count', { form: {} }))
    store.faults = {}
    expect((await who(browser, 0)).count).toBe(1)
  })

  it('a failing store at the first stored value stores nothing, and the visitor may try again', async () => {
    store.faults = { fail: 'refuse' }
    const visitor = servers.browser()
    expectUnavailable(await visitor.send(0, 'POST', '/key?key=first', { form: {} }))
    store.faults = {}
    jsonOf(await visitor.post(0, '/key?key=first'))
    expect((await who(visitor, 0)).keys).toEqual({ first: true })
  })
})

/** Waits until the server has noticed that its store is back. */
function answersAgain(browser: Browser): Promise<void> {
  return soon(async () => (await browser.send(0, 'GET', '/who')).status === 200)
}

/** Waits for what comes when the store is back: after a wait of a second at most, and a deadline for what was under way. */
async function soon(has: () => boolean | Promise<boolean>): Promise<void> {
  const until = performance.now() + 1_000 + DEADLINE * 3 + ALLOWANCE
  while (!(await has())) {
    if (performance.now() > until) throw new Error('It did not come in time.')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

function expectStatus(answer: Answer, status: number): void {
  expect([answer.status, answer.status === status ? '' : answer.body.slice(0, 200)]).toEqual([status, ''])
}

function expectUnavailable(answer: Answer): void {
  expectStatus(answer, 503)
  expect(answer.headers['retry-after']).toMatch(/^\d+$/)
  expect(answer.setCookies).toEqual([])
}

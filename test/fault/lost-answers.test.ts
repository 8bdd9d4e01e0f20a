/** The wire to a real Redis breaks between a write and its answer. */
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'

import type { Answer } from '../../proof/browser.ts'
import { closeConnections } from '../../proof/browser.ts'
import { jsonOf, upTo, who } from '../../proof/race/race.ts'
import { ADAPTERS, serve, type Servers } from '../flow/servers.ts'
import { startLink, type Link } from '../support/link.ts'
import { startRedisServer, type RedisServer } from '../support/redis-server.ts'

const DEADLINE = 400

afterAll(closeConnections)

describe.each(ADAPTERS)('on %s', (adapter) => {
  let redis: RedisServer
  let link: Link
  let servers: Servers
  beforeEach(async () => {
    redis = await startRedisServer()
    link = await startLink({ to: redis.port })
    const store = `redis://127.0.0.1:${link.port}`
    servers = await serve(adapter, [
      { store, storeDeadline: `${DEADLINE}ms`, graceTimeout: '200ms' },
      { store: redis.url, storeDeadline: `${DEADLINE}ms`, graceTimeout: '200ms' },
    ])
    await Promise.all(servers.sessions.map((sessions) => sessions.ready()))
  })
  afterEach(async () => {
    await servers.close()
    await link.stop()
    await redis.stop()
  })

  it('I2: increments count once where they were acknowledged, 0 or 1 where the outcome is unknown, never 2', async () => {
    const browser = servers.browser()
    jsonOf(await browser.post(0, '/sign-in?user=ada'))
    let acknowledged = 0
    let unknown = 0
    for (const round of upTo(30)) {
      const sending = [0, 1].map((server) => browser.send(server, 'POST', `/count?wait=${round % 4}`, { form: {} }))
      if (round % 2 === 0) await pause(round % 5)
      link.loseAnswers()
      await pause(4)
      link.restore()
      for (const answer of await Promise.all(sending)) {
        if (answer.status === 200) acknowledged++
        else unknown += expectUnavailable(answer)
      }
      await reachable(() => browser.send(0, 'GET', '/who'))
    }
    const { count = 0, user } = await who(browser, 1)
    expect(link.lost.length).toBeGreaterThan(3)
    expect(user).toBe('ada')
    expect(count).toBeGreaterThanOrEqual(acknowledged)
    expect(count).toBeLessThanOrEqual(acknowledged + unknown)
  })

  it('I4: a renewal and a change whose answer from the store was lost log nobody out', async () => {
    for (const path of ['/renew', '/key?key=one']) {
      const browser = servers.browser()
      jsonOf(await browser.post(0, '/sign-in?user=ada'))
      await pause(250)
      link.loseAnswers()
      const answer = await browser.send(0, 'POST', path, { form: {} })
      link.restore()
      if (answer.status !== 200) expectUnavailable(answer)
      browser.take(answer)
      await reachable(() => browser.send(0, 'GET', '/who'))
      for (const server of [0, 1]) expect((await who(browser, server)).user).toBe('ada')
    }
  })

  it('I6: a silent wire is answered with 503 within the deadline and 50 ms, again and again, and nobody is logged out', async () => {
    const browser = servers.browser()
    jsonOf(await browser.post(0, '/sign-in?user=ada'))
    link.freeze()
    const times: number[] = []
    for (const _time of upTo(5)) {
      const begun = performance.now()
      expectUnavailable(await browser.send(0, 'GET', '/who'))
      times.push(performance.now() - begun)
    }
    expect(times.toSorted((left, right) => left - right)[2]).toBeLessThanOrEqual(DEADLINE + 50)
    link.restore()
    await reachable(() => browser.send(0, 'GET', '/who'))
    expect((await who(browser, 0)).user).toBe('ada')
  })

  it('I6: while Redis is gone visitors with nothing stored are served, and the rest when it is back', async () => {
    const browser = servers.browser()
    jsonOf(await browser.post(0, '/sign-in?user=ada'))
    link.cut()
    expectUnavailable(await browser.send(0, 'GET', '/who'))
    jsonOf(await servers.browser().get(0, '/form'))
    link.restore()
    await reachable(() => browser.send(0, 'GET', '/who'))
    expect((await who(browser, 0)).user).toBe('ada')
  })
})

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

function expectUnavailable(answer: Answer): number {
  expect([answer.status, answer.setCookies]).toEqual([503, []])
  expect(answer.headers['retry-after']).toMatch(/^\d+$/)
  return 1
}

/** Waits until the server has its store again. */
async function reachable(ask: () => Promise<Answer>): Promise<void> {
  for (let attempt = 0; attempt < 50; attempt++) {
    if ((await ask()).status === 200) return
    await pause(50)
  }
  throw new Error('the server did not find its store again')
}

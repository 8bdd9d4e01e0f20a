/** I2, I4 and I7 together: a browser that never rests, ids renewed all the time, answers in any order. */
import { afterAll, describe, expect, it } from 'vitest'

import { closeConnections, type Browser } from '../../proof/browser.ts'
import { jsonOf, signedIn, upTo, who } from '../../proof/race/race.ts'
import { nameOf, onSite, type Site, type Target } from '../../proof/site.ts'

const TARGETS: readonly Target[] = [
  { kind: 'holdfast', adapter: 'express', store: 'redis' },
  { kind: 'holdfast', adapter: 'fastify', store: 'lmdb' },
]

const LASTS = 4_000
const TABS = 6
/** Answers arrive so late at most; the grace time is a multiple of it. */
const DELAY_MOST = 120
const GRACE = 800

afterAll(closeConnections)

describe.each(TARGETS.map((target) => [nameOf(target), target] as const))('two processes on %s', (_name, target) => {
  it('I2, I4: six tabs at once, ids renewed by themselves, answers late and in any order: always signed in, nothing lost', async () => {
    const options = { graceTimeout: `${GRACE}ms`, renewalTimeout: `${GRACE}ms` } as const
    await onSite(target, options, async (site) => {
      const browser = await signedIn(site, 'restless')
      const ids = new Set<string | undefined>()
      const until = performance.now() + LASTS
      const acknowledged = (await Promise.all(upTo(TABS).map((tab) => surf(browser, tab, until, ids)))).flat()
      await expectKept(site, browser, acknowledged)
      expect(ids.size).toBeGreaterThan(3)
    })
  })
})

/** One tab: asks, changes, counts, on either server; takes each answer late. Answers the keys that were acknowledged. */
async function surf(browser: Browser, tab: number, until: number, ids: Set<string | undefined>): Promise<string[]> {
  const random = seeded(tab + 1)
  const acknowledged: string[] = []
  for (let step = 0; performance.now() < until; step++) {
    const key = `t${tab}s${step}`
    const [method, path] = [
      ['GET', '/who'],
      ['POST', `/key?key=${key}&wait=5`],
      ['POST', '/count?wait=5'],
    ][step % 3] as [string, string]
    const answer = await browser.send(Math.floor(random() * 2), method, path, method === 'POST' ? { form: {} } : {})
    jsonOf(answer)
    if (method === 'GET') expect(answer.body).toContain('"user":"restless"')
    if (path.startsWith('/key')) acknowledged.push(key)
    if (path.startsWith('/count')) acknowledged.push('count')
    // Not waited for: the tab goes on with the cookies that it has.
    setTimeout(() => browser.take(answer), random() * DELAY_MOST)
    ids.add(browser.cookies.get('sid'))
  }
  return acknowledged
}

async function expectKept(site: Site, browser: Browser, acknowledged: readonly string[]): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, DELAY_MOST * 2))
  for (const server of [0, 1]) {
    const { user, count, keys = {} } = await who(browser, server)
    const expected = acknowledged.filter((key) => key !== 'count')
    expect([user, count]).toEqual(['restless', acknowledged.length - expected.length])
    expect(Object.keys(keys).toSorted()).toEqual(expected.toSorted())
  }
  const { sessions } = jsonOf(await site.browser().get(0, '/sessions?user=restless')) as { sessions: number }
  expect(sessions).toBe(1)
}

/** The same numbers in every run (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed * 0x9e3779b9
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** I9 and I10: who stores nothing, and who forges, costs the store nothing. */
import { randomBytes } from 'node:crypto'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { redisStore } from 'holdfast/redis'
import { faultyStore, type FaultyStore } from 'holdfast/testing'

import { applied, closeConnections, type Browser } from '../../proof/browser.ts'
import { inLanes, jsonOf, tokenOf } from '../../proof/race/race.ts'
import { startRedisServer, type RedisServer } from '../support/redis-server.ts'
import { ADAPTERS, serve, type Servers } from './servers.ts'

const PAGE_VIEWS = 1_000
const BATCHES_MOST = 4

afterAll(closeConnections)

describe.each(ADAPTERS)('on %s and a real Redis', (adapter) => {
  let redis: RedisServer
  let store: FaultyStore
  let servers: Servers
  beforeAll(async () => {
    redis = await startRedisServer()
    // It has no faults here; it tells what was asked.
    store = faultyStore(redisStore(redis.url))
    servers = await serve(adapter, [{ store }])
    await servers.sessions[0]?.ready()
  })
  afterAll(async () => {
    await servers.close()
    await redis.stop()
  })

  /** Commands that the server processed, besides the question itself. */
  async function commandsDuring(act: () => Promise<unknown>): Promise<number> {
    for (let batch = 0; batch < BATCHES_MOST; batch++) {
      const before = await processed(redis)
      store.forget()
      await act()
      const asked = store.asked.filter((operation) => operation !== 'holdLease' && operation !== 'epoch')
      expect(asked).toEqual([])
      const commands = (await processed(redis)) - before
      // Every five seconds a process confirms its lease; a batch with a confirmation in it is counted again.
      if (store.asked.length === 0) return commands
    }
    throw new Error('a confirmation of the lease fell into every batch')
  }

  it('I10: 1 000 page views with a CSRF form leave the command counter of the store unchanged', async () => {
    const commands = await commandsDuring(() =>
      inLanes(PAGE_VIEWS, 16, async () => {
        expect(tokenOf(await servers.browser().get(0, '/form'))).toMatch(/^[\w-]{56,}$/)
      }),
    )
    expect(commands).toBe(0)
  })

  it('I10: a visitor who keeps the cookie and comes back costs nothing either', async () => {
    const browser = servers.browser()
    expect(await commandsDuring(() => inLanes(100, 1, () => browser.get(0, '/form')))).toBe(0)
    expect([...browser.cookies.keys()]).toEqual(['visit'])
  })

  it('I9: a cookie that was not minted here leaves the command counter of the store unchanged', async () => {
    const genuine = servers.browser()
    jsonOf(await genuine.post(0, '/sign-in?user=ada'))
    const value = genuine.cookies.get('sid') ?? ''
    expect(value).not.toBe('')
    const forgeries = ['sid', 'gid', 'visit'].flatMap((name) =>
      forgeriesOf(value).map((forged) => [name, forged] as const),
    )
    // Under its own name the untouched value is no forgery; under another's it is.
    const commands = await commandsDuring(() =>
      inLanes(forgeries.length, 8, async (at) => {
        const [name, forged] = forgeries[at] as readonly [string, string]
        const { user, status } = await whoWith(servers.browser(), new Map([[name, forged]]))
        expect([name, forged, user, status]).toEqual([name, forged, null, expect.stringMatching(/^(none|lapsed)$/)])
      }),
    )
    expect(commands).toBe(0)
  })

  it('I9: a genuine cookie under the name of another rank is a forgery', async () => {
    const genuine = servers.browser()
    jsonOf(await genuine.post(0, '/sign-in?user=ada'))
    const value = genuine.cookies.get('sid') ?? ''
    for (const name of ['gid', 'visit']) {
      expect(
        await commandsDuring(async () =>
          expect((await whoWith(servers.browser(), new Map([[name, value]]))).user).toBeNull(),
        ),
      ).toBe(0)
    }
  })
})

async function whoWith(
  browser: Browser,
  cookies: ReadonlyMap<string, string>,
): Promise<{ user: string | null; status: string }> {
  const answer = await browser.send(0, 'GET', '/who', { cookies })
  expect(applied(cookies, answer.setCookies).size).toBeLessThanOrEqual(cookies.size)
  return jsonOf(answer) as { user: string | null; status: string }
}

/** Every character changed, pieces swapped, lengths moved, and noise of the right length. */
function forgeriesOf(value: string): string[] {
  const changed = Array.from(
    value,
    (character, at) => value.slice(0, at) + (character === 'A' ? 'B' : 'A') + value.slice(at + 1),
  )
  const noise = Array.from({ length: 50 }, () => randomBytes(57).toString('base64url'))
  const moved = [
    value.slice(1),
    `${value}A`,
    value.slice(4) + value.slice(0, 4),
    value.toUpperCase(),
    value.split('').toReversed().join(''),
  ]
  return [...changed, ...noise, ...moved]
}

async function processed(redis: RedisServer): Promise<number> {
  const stats = await redis.cli('info', 'commandstats')
  const calls = [...stats.matchAll(/^cmdstat_([\w|-]+):calls=(\d+)/gm)]
  const ours = new Set(['info', 'ping', 'command', 'command|docs', 'client', 'config'])
  return calls.filter(([, name = '']) => !ours.has(name)).reduce((sum, [, , count]) => sum + Number(count), 0)
}

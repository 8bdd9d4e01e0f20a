/** The store behind Sentinels that have passwords, over lines that break. */
import { setTimeout as wait } from 'node:timers/promises'

import { redisStore, type RedisStoreOptions } from 'holdfast/redis'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'

import type { Store } from '../../src/core/store.ts'
import { OptionsError, StoreUnavailableError } from '../../src/errors.ts'
import { startTraffic } from '../stores/redis/traffic.ts'
import { ownTime, ownTimeOf } from '../support/own-time.ts'
import { type Sentinels, startSentinels } from '../support/redis-sentinel.ts'

const DEADLINE = 500
const SLACK = 100
/** May ask for the primary, and nothing else: neither for other Sentinels nor to be told of a new one. */
const ASKER = 'user asker on >asking -@all +auth +sentinel|get-master-addr-by-name'

let redis: Sentinels

beforeAll(async () => {
  redis = await startSentinels({
    replicas: 1,
    downAfter: 30_000,
    password: 'of-servers',
    sentinelPassword: 'of-sentinels',
    sentinelLines: [ASKER],
    links: true,
  })
})
afterAll(() => redis.stop())
beforeEach((context) => context.onTestFinished(() => redis.network.heal()))

function options(given: Partial<RedisStoreOptions> = {}): RedisStoreOptions {
  return {
    url: redis.url,
    deadline: DEADLINE,
    password: 'of-servers',
    sentinel: { password: 'of-sentinels' },
    ...given,
  }
}

function make(given: Partial<RedisStoreOptions> = {}): Store {
  const store = redisStore(options(given))
  onTestFinished(() => store.close())
  return store
}

async function open(given: Partial<RedisStoreOptions> = {}): Promise<Store> {
  const store = make(given)
  await store.open()
  return store
}

describe('Sentinels with a password of their own', () => {
  it('are asked with it', async () => {
    expect(await (await open({ name: 'own' })).nextLease()).toBe(1)
  })

  it('are asked with a function’s answer', async () => {
    const credentials = () => ({ username: 'default', password: 'of-servers' })
    const sentinel = { credentials: async () => ({ password: 'of-sentinels' }) }
    const store = redisStore({ url: redis.url, deadline: DEADLINE, credentials, sentinel })
    onTestFinished(() => store.close())
    await store.open()
  })

  it('are followed by a user who may only ask for the primary', async () => {
    const store = await open({ sentinel: { username: 'asker', password: 'asking' } })
    const before = await redis.primary()
    const traffic = await startTraffic(store)
    const after = await redis.failover()
    expect(after).not.toBe(before)
    await traffic.flows()
    expect((await traffic.stop()).slowest).toBeLessThan(DEADLINE + SLACK)
    await redis.settled()
  })

  it.each<[string, RedisStoreOptions['sentinel'], string]>([
    ['a wrong password', { password: 'wrong' }, 'option sentinel'],
    ['no password', undefined, 'option sentinel'],
  ])('%s at the Sentinels ends open at once, and says whose it is', async (_, sentinel, advice) => {
    const own = ownTime()
    const error: unknown = await make({ sentinel })
      .open()
      .catch((cause: unknown) => cause)
    expect(error).toBeInstanceOf(OptionsError)
    expect(String(error)).toContain(advice)
    expect(String(error)).not.toContain('wrong ')
    expect(own.stop()).toBeLessThan(DEADLINE)
  })

  it('a wrong password at the servers ends open at once, and says whose it is', async () => {
    const error: unknown = await make({ password: 'wrong' })
      .open()
      .catch((cause: unknown) => cause)
    expect(error).toBeInstanceOf(OptionsError)
    expect(String(error)).toContain('user and password in the URL')
  })

  it('that were not named at first are known later: the first one may go', async () => {
    const [first] = redis.url.replace(/^.*\/\//, '').split(/[,/]/)
    const store = await open({ url: `redis+sentinel://${first}/${redis.name}` })
    const primary = await redis.primary()
    redis.sentinels[0]?.pause()
    onTestFinished(() => redis.sentinels[0]?.resume())
    redis.network.wire('application', primary).cut()
    await wait(100)
    redis.network.wire('application', primary).restore()
    const begun = performance.now()
    while (!(await succeeds(store))) expect(performance.now() - begun).toBeLessThan(3_000)
  })
})

describe('a line that is half-open', () => {
  it('to the primary, which others reach: calls fail within the deadline, and go on soon after it is whole', async () => {
    const store = await open()
    let replaced = 0
    store.watch?.({ replaced: () => (replaced += 1) })
    const traffic = await startTraffic(store)
    await traffic.flows()
    const primary = await redis.primary()
    redis.network.wire('application', primary).freeze('dropped')
    await wait(1_500)
    redis.network.wire('application', primary).restore()
    expect(await ownTimeOf(() => traffic.flows())).toBeLessThan(2_000)
    const report = await traffic.stop()
    expect(report.slowest).toBeLessThan(DEADLINE + SLACK)
    expect(report.lost).toBe(0)
    // The same server, with all it had.
    expect(replaced).toBe(0)
  })
})

describe('answers that are lost, again and again', () => {
  it('I2: no write is sent a second time by itself', async () => {
    const store = await open({ name: 'leases' })
    const wire = redis.network.wire('application', await redis.primary())
    let [acknowledged, unknown, highest] = [0, 0, 0]
    const count = async (): Promise<void> => {
      try {
        highest = Math.max(highest, await store.nextLease())
        acknowledged += 1
      } catch (error) {
        if (!(error instanceof StoreUnavailableError)) throw error
        if (error.applied === 'unknown') unknown += 1
      }
    }
    for (let round = 0; round < 15; round++) {
      wire.loseAnswers(round * 20)
      await Promise.all([...Array.from({ length: 20 }, count), wait(20)])
      wire.restore()
      await wait(100)
      await Promise.all(Array.from({ length: 5 }, count))
    }
    while (!(await succeeds(store))) await wait(20)
    const last = await store.nextLease()
    expect(unknown).toBeGreaterThan(50)
    expect(last).toBeGreaterThan(acknowledged)
    expect(last).toBeLessThanOrEqual(acknowledged + unknown + 1)
    expect(highest).toBeLessThan(last)
  })
})

async function succeeds(store: Store): Promise<boolean> {
  return Promise.resolve(store.epoch()).then(
    () => true,
    () => false,
  )
}

/** The store behind Sentinels: whoever is the primary, and whatever becomes of it, is followed. */
import { setTimeout as wait } from 'node:timers/promises'

import { redisStore, type RedisStoreOptions } from 'holdfast/redis'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'

import { endedMarker, isEnded } from '../../src/core/record.ts'
import { DONE, type Store, UNCONFIRMED } from '../../src/core/store.ts'
import { OptionsError } from '../../src/errors.ts'
import { fakeSentinel } from '../stores/redis/fake-sentinel.ts'
import { LONG, newSelector, record, version } from '../stores/redis/fixture.ts'
import { startTraffic, type Traffic } from '../stores/redis/traffic.ts'
import { ownTime, ownTimeOf } from '../support/own-time.ts'
import { startRedisServer } from '../support/redis-server.ts'
import { type Sentinels, startSentinels } from '../support/redis-sentinel.ts'

const DEADLINE = 1_000
/** What I6 allows beyond the deadline, and what a busy machine adds. */
const SLACK = 100
/** How soon after the promotion the store has to go on. */
const RECOVERY = 2_000
const MARKER = endedMarker('revoked')
const VISITORS = 4

let redis: Sentinels

beforeAll(async () => {
  redis = await startSentinels({ downAfter: 1_000 })
})
afterAll(() => redis.stop())
// First, so that it comes last: when everybody is back.
beforeEach((context) => context.onTestFinished(() => redis.settled()))

interface Opened {
  readonly store: Store
  readonly traffic: Traffic
  /** How often the store told that acknowledged writes may be gone. */
  readonly told: { replaced: number }
}

/** A store with visitors, until the test is over. */
async function open(options: Partial<RedisStoreOptions> = {}): Promise<Opened> {
  const store = await openQuietly(options)
  const told = { replaced: 0 }
  store.watch?.({ replaced: () => (told.replaced += 1) })
  const traffic = await startTraffic(store, VISITORS)
  onTestFinished(async () => void (await traffic.stop()))
  await traffic.flows()
  return { store, traffic, told }
}

async function openQuietly(options: Partial<RedisStoreOptions> = {}): Promise<Store> {
  const store = redisStore({ url: redis.url, deadline: DEADLINE, ...options })
  onTestFinished(() => store.close())
  await store.open()
  return store
}

/** The primary fails, and comes back when the test is over. Settles when another one is in its place and visitors go on. */
async function failover(traffic: Traffic, how: 'kill' | 'pause'): Promise<void> {
  const before = await redis.primary()
  onTestFinished(() => (how === 'kill' ? before.start() : before.resume()))
  await before[how]()
  await redis.waitForPrimary(before)
  expect(await ownTimeOf(() => traffic.flows())).toBeLessThan(RECOVERY)
}

describe('a primary that is killed (kill -9)', () => {
  it('is replaced: visitors go on with the new one, and the store tells of it', async () => {
    const { store, traffic, told } = await open()
    const selectors = Array.from({ length: 50 }, newSelector)
    for (const selector of selectors) await store.create(selector, record(1), LONG)
    const ends = Promise.all(selectors.map(async (selector) => store.end(selector, MARKER, LONG)))
    expect(await ends).toEqual(selectors.map(() => DONE))
    await failover(traffic, 'kill')
    const report = await traffic.stop()
    console.log('killed', figures(report))
    expect(report.slowest).toBeLessThan(DEADLINE + SLACK)
    expect(told.replaced).toBe(1)
    // I3: what a replica confirmed is not lost with the primary.
    for (const selector of selectors) expect(isEnded((await store.load(selector)) ?? new Uint8Array(1))).toBe(true)
  })
})

describe('a primary that hangs (SIGSTOP)', () => {
  it('is replaced although its connections stay, and is not gone back to when it goes on', async () => {
    const { traffic, told } = await open()
    const before = await redis.primary()
    await failover(traffic, 'pause')
    before.resume()
    const resumed = performance.now()
    await wait(2_000)
    const report = await traffic.stop()
    console.log('stopped', figures(report))
    expect(report.slowest).toBeLessThan(DEADLINE + SLACK)
    expect(report.failures.filter(({ at }) => at > resumed)).toEqual([])
    expect(told.replaced).toBe(1)
  })
})

describe('a planned fail-over (SENTINEL FAILOVER)', () => {
  it('is noticed by nobody, but for changes under way when the old primary closes its connections', async () => {
    const { traffic, told } = await open()
    await redis.failover()
    await traffic.flows()
    await redis.settled()
    const report = await traffic.stop()
    console.log('planned', figures(report))
    // Sentinel has it close them (CLIENT KILL): whether such a change was made cannot be known, so it is not sent again.
    expect(report.failures.filter(({ error }) => error.applied !== 'unknown')).toEqual([])
    expect(report.failures.length).toBeLessThanOrEqual(VISITORS)
    expect(told.replaced).toBe(1)
  })
})

describe('replicas that are away', () => {
  it('leave what is to be confirmed unconfirmed, within the deadline, and nothing else waits for them', async () => {
    const { store, traffic } = await open()
    const primary = await redis.primary()
    const replicas = redis.nodes.filter((node) => node !== primary)
    const [changed, ended, made] = [newSelector(), newSelector(), newSelector()]
    await store.create(changed, record(1), LONG)
    for (const replica of replicas) replica.pause()
    onTestFinished(() => replicas.forEach((replica) => replica.resume()))
    const own = ownTime()
    const answers = await Promise.all([
      store.end(ended, MARKER, LONG),
      store.create(made, record(1), LONG, 'replicated'),
      store.replace(changed, version(1), record(2), LONG, 'replicated'),
      store.bar('ada', LONG),
      store.moveEpoch(),
    ])
    expect(own.stop()).toBeLessThan(DEADLINE)
    for (const answer of answers) expect(answer).toMatchObject({ durable: false })
    expect(await store.load(ended)).toEqual(Buffer.from(MARKER))
    // Those that come one behind the other too: each is sent within its deadline.
    const queued = Array.from({ length: 20 }, async (_, at) => {
      await wait(at * 50)
      return store.end(newSelector(), MARKER, LONG)
    })
    expect(await Promise.all(queued)).toEqual(queued.map(() => UNCONFIRMED))
    const { failures, slowest } = await traffic.stop()
    expect(failures).toEqual([])
    expect(slowest).toBeLessThan(200)
    replicas[0]?.resume()
    await expect.poll(async () => store.end(newSelector(), MARKER, LONG), { timeout: 5_000 }).toEqual(DONE)
  })
})

describe('a Sentinel', () => {
  it('that hangs keeps nobody from opening, and nobody from a new primary', async () => {
    const [first] = redis.sentinels
    first?.pause()
    onTestFinished(() => first?.resume())
    const own = ownTime()
    const { traffic } = await open()
    expect(own.stop()).toBeLessThan(DEADLINE)
    await failover(traffic, 'kill')
  })

  it('that names a replica is not believed, and another one is asked', async () => {
    const primary = await redis.primary()
    const replica = redis.nodes.find((node) => node !== primary)
    const liar = await fakeSentinel(replica?.port ?? 0)
    const url = redis.url.replace('//', `//127.0.0.1:${liar.port},`)
    await replica?.cli('config', 'resetstat')
    const { traffic } = await open({ url })
    expect(liar.asked).toBeGreaterThan(0)
    expect((await traffic.stop()).failures).toEqual([])
    // Not even read from.
    expect(await replica?.cli('info', 'commandstats')).not.toMatch(/cmdstat_(get|evalsha):calls=\d+,.*rejected_calls=0/)
  })

  it('that announces somebody else alone does not draw visitors away from the primary that serves', async () => {
    const primary = await redis.primary()
    const other = await startRedisServer()
    onTestFinished(() => other.stop())
    const liar = await fakeSentinel(primary.port)
    const { traffic, told } = await open({ url: redis.url.replace('//', `//127.0.0.1:${liar.port},`) })
    const asked = liar.asked
    liar.announce(redis.name, other.port)
    await wait(1_000)
    expect(liar.asked).toBeGreaterThan(asked)
    await traffic.flows()
    expect((await traffic.stop()).lost).toBe(0)
    expect(told.replaced).toBe(0)
    expect(await other.cli('dbsize')).toBe('0')
    expect(await other.cli('info', 'commandstats')).toContain('cmdstat_info')
  })

  it('that does not know the name ends open with an OptionsError, at once', async () => {
    const store = redisStore(redis.url.replace(/[^/]*$/, 'another'))
    onTestFinished(() => store.close())
    const own = ownTime()
    const error: unknown = await store.open().catch((cause: unknown) => cause)
    expect(error).toBeInstanceOf(OptionsError)
    expect(String(error)).toContain('with the name another')
    expect(own.stop()).toBeLessThan(500)
  })
})

describe('closing', () => {
  it('leaves no socket and no timer, also while the primary is sought', async () => {
    const left = (): string[] =>
      process
        .getActiveResourcesInfo()
        .filter((kind) => /TCP|Timeout|Immediate/.test(kind))
        .toSorted()
    const before = left()
    const store = redisStore({ url: redis.url, deadline: DEADLINE })
    await store.open()
    await store.end(newSelector(), MARKER, LONG)
    await store.close()
    const lost = redisStore({ url: redis.url.replace(/[^/]*$/, 'another'), deadline: DEADLINE })
    const opening = lost.open().catch(() => undefined)
    await lost.close()
    await opening
    expect(left().length).toBeLessThanOrEqual(before.length)
  })
})

function figures({ failures, ...counts }: { readonly failures: readonly unknown[] }): string {
  return JSON.stringify({ ...counts, failures: failures.length })
}

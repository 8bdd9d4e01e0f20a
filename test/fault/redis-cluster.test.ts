/** The store on a cluster: whoever serves a slot, and wherever it moves, is followed. */
import { setTimeout as wait } from 'node:timers/promises'

import { redisStore, type RedisStoreOptions } from 'holdfast/redis'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'

import { endedMarker, isEnded } from '../../src/core/record.ts'
import { DONE, type Store } from '../../src/core/store.ts'
import { OptionsError } from '../../src/errors.ts'
import { LONG, newSelector, record, version } from '../stores/redis/fixture.ts'
import { startTraffic, type Traffic } from '../stores/redis/traffic.ts'
import { ownTime, ownTimeOf } from '../support/own-time.ts'
import { startRedisServer } from '../support/redis-server.ts'
import { type Cluster, type ClusterNode, startCluster } from '../support/redis-cluster.ts'

const DEADLINE = 1_000
/** What I6 allows beyond the deadline, and what a busy machine adds. */
const SLACK = 100
/** How soon after the promotion the store has to go on. */
const RECOVERY = 2_000
const MARKER = endedMarker('revoked')
/** All keys under it are in one slot. */
const ONE_SLOT = 'hf{one}:'

let redis: Cluster

beforeAll(async () => {
  redis = await startCluster({ nodeTimeout: 1_000 })
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
async function open(options: Partial<RedisStoreOptions> = {}, visitors = 12): Promise<Opened> {
  const store = redisStore({ url: redis.url, deadline: DEADLINE, ...options })
  onTestFinished(() => store.close())
  const told = { replaced: 0 }
  store.watch?.({ replaced: () => (told.replaced += 1) })
  await store.open()
  const traffic = await startTraffic(store, visitors)
  onTestFinished(async () => void (await traffic.stop()))
  await traffic.flows()
  return { store, traffic, told }
}

/** Settles when visitors go on after somebody else has taken the slot over. */
async function recovered(traffic: Traffic, before: ClusterNode, slot: number): Promise<void> {
  await redis.waitForPrimaryOf(slot, before)
  expect(await ownTimeOf(() => traffic.flows())).toBeLessThan(RECOVERY)
}

/** A slot that this node serves. */
async function someSlotOf(node: ClusterNode): Promise<number> {
  for (let at = 0; ; at++) if ((await redis.primaryOf(`k${at}`)) === node) return redis.slotOf(`k${at}`)
}

describe('a primary that is killed (kill -9)', () => {
  it('is replaced: its visitors go on with the new one, those of the others have noticed nothing', async () => {
    const others = await open({ prefix: ONE_SLOT }, 4)
    const { store, traffic, told } = await open()
    const elsewhere = await redis.primaryOf(ONE_SLOT)
    const before = redis.nodes.slice(0, 3).find((node) => node !== elsewhere)!
    const slot = await someSlotOf(before)
    const selectors = Array.from({ length: 60 }, newSelector)
    for (const selector of selectors) await store.create(selector, record(1), LONG)
    const ends = await Promise.all(selectors.map(async (selector) => store.end(selector, MARKER, LONG)))
    expect(ends).toEqual(selectors.map(() => DONE))
    onTestFinished(() => before.start())
    await before.kill()
    await recovered(traffic, before, slot)
    const report = await traffic.stop()
    console.log('killed', figures(report))
    expect(report.slowest).toBeLessThan(DEADLINE + SLACK)
    expect(told.replaced).toBe(1)
    // I3: what a replica confirmed is not lost with the primary.
    for (const selector of selectors) expect(isEnded((await store.load(selector)) ?? new Uint8Array(1))).toBe(true)
    const { failures } = await others.traffic.stop()
    // On a busy machine the cluster may find one more of its nodes down, and says so of itself.
    expect(failures.filter(({ error }) => !error.message.includes('CLUSTERDOWN'))).toEqual([])
    expect(others.told.replaced).toBe(0)
  })
})

describe('a primary that hangs (SIGSTOP)', () => {
  it('is replaced although its connections stay, and is not gone back to when it goes on', async () => {
    const { traffic, told } = await open()
    const before = await redis.primaryOf(ONE_SLOT)
    const slot = await someSlotOf(before)
    onTestFinished(() => before.resume())
    before.pause()
    await recovered(traffic, before, slot)
    before.resume()
    const resumed = performance.now()
    await wait(1_000)
    const report = await traffic.stop()
    console.log('stopped', figures(report))
    expect(report.slowest).toBeLessThan(DEADLINE + SLACK)
    expect(report.failures.filter(({ at }) => at > resumed)).toEqual([])
    expect(told.replaced).toBe(1)
  })
})

describe('a planned fail-over (CLUSTER FAILOVER)', () => {
  it('is noticed by nobody, and loses nothing', async () => {
    const { traffic, told } = await open()
    await redis.failover(await redis.replicaOf(await redis.primaryOf(ONE_SLOT)))
    await traffic.flows()
    const report = await traffic.stop()
    console.log('planned', figures(report))
    expect(report.failures).toEqual([])
    expect(report.lost).toBe(0)
    expect(told.replaced).toBe(1)
  })
})

describe('a slot that moves', () => {
  it('is followed (MOVED): nobody notices, and nothing is lost', async () => {
    const { traffic } = await open({ prefix: ONE_SLOT })
    const slot = await redis.slotOf(ONE_SLOT)
    const from = await redis.primaryOf(slot)
    await redis.moveSlot(slot, await anotherThan(from))
    await traffic.flows()
    const report = await traffic.stop()
    console.log('moved', figures(report))
    expect(report.failures).toEqual([])
    expect(report.lost).toBe(0)
  })

  it('serves those who have moved, those who have not, and those who come (ASK)', async () => {
    const { store, traffic } = await open({ prefix: ONE_SLOT })
    const slot = await redis.slotOf(ONE_SLOT)
    const [moved, stays, fresh, gone] = [newSelector(), newSelector(), newSelector(), newSelector()]
    for (const selector of [moved, stays, gone]) await store.create(selector, record(1), LONG)
    const half = await redis.beginMove(slot, await anotherThan(await redis.primaryOf(slot)))
    await half.move(ONE_SLOT + moved, ONE_SLOT + gone)
    expect(await store.create(fresh, record(1), LONG)).toEqual(DONE)
    for (const selector of [moved, stays, fresh])
      expect(await store.replace(selector, version(1), record(2), LONG)).toEqual(DONE)
    expect(await store.end(gone, MARKER, LONG)).toEqual(DONE)
    expect((await half.to.cli('--scan')).split('\n')).toContain(ONE_SLOT + fresh)
    await half.finish()
    await traffic.flows()
    for (const selector of [moved, stays, fresh])
      expect(new Uint8Array((await store.load(selector)) ?? [])).toEqual(record(2))
    expect(isEnded((await store.load(gone)) ?? new Uint8Array(1))).toBe(true)
    const report = await traffic.stop()
    expect(report.failures).toEqual([])
    expect(report.lost).toBe(0)
  })
})

describe('a node', () => {
  it('that is down keeps nobody from opening: another one is asked who serves what', async () => {
    const before = await redis.primaryOf(ONE_SLOT)
    onTestFinished(() => before.start())
    await before.kill()
    await redis.waitForPrimaryOf(ONE_SLOT, before)
    const url = `redis+cluster://${[before, ...redis.nodes].map(({ port }) => `127.0.0.1:${port}`).join()}`
    const { traffic } = await open({ url })
    expect((await traffic.stop()).failures).toEqual([])
  })

  it('that hangs keeps nobody from opening', async () => {
    const before = await redis.primaryOf(ONE_SLOT)
    const replica = await redis.replicaOf(before)
    onTestFinished(() => replica.resume())
    replica.pause()
    const url = `redis+cluster://127.0.0.1:${replica.port},127.0.0.1:${before.port}`
    const { traffic } = await open({ url })
    expect((await traffic.stop()).failures).toEqual([])
  })
})

describe('a cluster', () => {
  it('that lets nobody in of that name ends open at once, with an OptionsError', async () => {
    const store = redisStore({ url: redis.url, username: 'nobody', password: 'wrong' })
    onTestFinished(() => store.close())
    const own = ownTime()
    const error: unknown = await store.open().catch((cause: unknown) => cause)
    expect(error).toBeInstanceOf(OptionsError)
    expect(String(error)).toContain('WRONGPASS')
    expect(own.stop()).toBeLessThan(500)
  })

  it('is not what a URL of one server is for, and one server is no cluster', async () => {
    const single = redisStore({ url: `redis://127.0.0.1:${redis.nodes[0]?.port}/1`, deadline: 300 })
    onTestFinished(() => single.close())
    await expect(single.open()).rejects.toThrow(/leave it out of the URL/)
    const first = redisStore({
      url: `redis://127.0.0.1:${(await anotherThan(await redis.primaryOf('hf:#'))).port}`,
      deadline: 300,
    })
    onTestFinished(() => first.close())
    await expect(first.open()).rejects.toThrow(/redis\+cluster:/)
    const one = await startRedisServer()
    onTestFinished(() => one.stop())
    const cluster = redisStore({ url: `redis+cluster://127.0.0.1:${one.port}`, deadline: 300 })
    onTestFinished(() => cluster.close())
    await expect(cluster.open()).rejects.toThrow(/redis:/)
  })
})

describe('closing', () => {
  it('leaves no socket and no timer', async () => {
    const left = (): string[] =>
      process
        .getActiveResourcesInfo()
        .filter((kind) => /TCP|Timeout|Immediate/.test(kind))
        .toSorted()
    const before = left()
    const store = redisStore({ url: redis.url, deadline: DEADLINE })
    await store.open()
    for (let count = 0; count < 20; count++) await store.end(newSelector(), MARKER, LONG)
    await store.close()
    expect(left().length).toBeLessThanOrEqual(before.length)
  })
})

async function anotherThan(node: ClusterNode): Promise<ClusterNode> {
  for (let at = 0; ; at++) {
    const other = await redis.primaryOf(`k${at}`)
    if (other !== node) return other
  }
}

function figures({ failures, ...counts }: { readonly failures: readonly unknown[] }): string {
  return JSON.stringify({ ...counts, failures: failures.length })
}

/** Whatever becomes of servers and of what connects us to them, nothing old stays that was answered as tracked. */
import { setTimeout as wait } from 'node:timers/promises'

import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'

import type { Selector, Store } from '../../src/core/store.ts'
import { StoreUnavailableError } from '../../src/errors.ts'
import { counterOf } from '../../src/testing/store-contract/harness.ts'
import { eventually, LONG, newSelector, openStore, record, server } from '../stores/redis/fixture.ts'
import { arm, clientsOf, keep, type Told, tracking, wired } from '../stores/redis/tracked.ts'
import { type Cluster, type ClusterNode, startCluster } from '../support/redis-cluster.ts'
import type { RedisServer } from '../support/redis-server.ts'
import { type Sentinels, startSentinels } from '../support/redis-sentinel.ts'

/** After so many milliseconds nothing that is old is kept any more. */
const BOUND = 1_500
/** Milliseconds of reading and writing at once, before and while something happens. */
const BUSY = 300

/** One server that reads and keeps, and another one that writes, on the same sessions. */
interface Scene {
  readonly reader: Told
  readonly writer: Store
  readonly selectors: readonly Selector[]
  /** How many answers were still kept whenever it was looked. */
  kept: number
}

/** `direct`: the way of the one who writes, if it is another one. */
async function scene(url: string, direct = url): Promise<Scene> {
  const [reader, writer] = [
    await tracking({ url, name: 'kept' }, 'idle'),
    await openStore({ url: direct, name: 'kept' }),
  ]
  const selectors = Array.from({ length: 12 }, newSelector)
  for (const selector of selectors) await writer.create(selector, record(1), LONG)
  for (const selector of selectors) await tracks(reader, selector)
  return { reader, writer, selectors, kept: 0 }
}

/** Settles when changes of it are told of: in a cluster each node has its own way. */
async function tracks({ store }: Told, selector: Selector): Promise<void> {
  await expect
    .poll(() => store.loadTracked(selector).then(({ tracked }) => tracked, unavailable), { timeout: 20_000 })
    .toBe(true)
}

/** Reads and writes at once until the time is over, whatever fails. */
async function busy({ reader, writer, selectors }: Scene, ms: number): Promise<void> {
  const until = performance.now() + ms
  const again = async (one: (selector: Selector) => Promise<void>, pause: number): Promise<void> => {
    while (performance.now() < until) {
      await one(selectors[Math.floor(Math.random() * selectors.length)]!).catch(unavailable)
      await wait(pause)
    }
  }
  await Promise.all([
    again((selector) => keep(reader, selector), 1),
    again((selector) => keep(reader, selector), 3),
    again((selector) => change(writer, selector), 2),
  ])
}

async function change(store: Store, selector: Selector): Promise<void> {
  const found = await store.load(selector)
  if (found === undefined) await store.create(selector, record(1), LONG)
  else await store.replace(selector, found.slice(1, 9), record(counterOf(found) + 1), LONG)
}

function unavailable(error: unknown): undefined {
  if (!(error instanceof StoreUnavailableError)) throw error
}

/** Something happens while sessions are read and written; then all is quiet, and what is kept has to be what is stored. */
async function survives(what: Scene, happens: () => Promise<unknown>): Promise<void> {
  const { reader, writer, selectors } = what
  await Promise.all([busy(what, 2 * BUSY), wait(Math.random() * BUSY).then(happens)])
  // What is changed last may not be read any more: somebody has to tell of it.
  for (const selector of selectors.slice(selectors.length / 2)) await eventually(() => change(writer, selector), 20_000)
  await wait(BOUND)
  for (const [selector, kept] of reader.kept) expect(await writer.load(selector)).toEqual(kept)
  what.kept += reader.kept.size
}

/** News come again, and what they spare is kept. */
async function recovers(what: Scene): Promise<void> {
  const { reader, writer, selectors } = what
  for (const selector of selectors) await tracks(reader, selector)
  for (const selector of selectors) await keep(reader, selector)
  expect(reader.kept.size).toBe(selectors.length)
  const [changed, ...others] = selectors
  await change(writer, changed!)
  await expect.poll(() => [...reader.kept.keys()].toSorted()).toEqual(others.toSorted())
}

describe('a server whose connections break again and again', () => {
  it('leaves nothing old: in every pause, what is kept is what is stored', async () => {
    const redis = await server()
    const { url, wires } = await wired(() => redis.port)
    const what = await scene(url, redis.url)
    const kill = async (flag: string): Promise<void> => {
      for (const { id, flags } of await clientsOf(redis))
        if (flags.includes(flag)) await redis.cli('client', 'kill', 'id', id)
    }
    const happenings: Record<string, () => Promise<unknown>> = {
      'nothing at all': async () => undefined,
      'the one that listens is closed': () => kill('P'),
      'the line is closed': () => kill('t'),
      'everything is deleted': () => redis.cli('flushall'),
      'the latest connection is mute': async () => wires.at(-1)?.freeze('dropped'),
      'the one before is mute': async () => wires.at(-2)?.freeze('dropped'),
      'nothing comes back any more': async () => wires.forEach((wire) => wire.drop('answers')),
      'what comes back is late': async () => wires.forEach((wire) => wire.delay({ answers: 100 })),
      'the server hangs': async () => {
        redis.pause()
        await wait(700)
        redis.resume()
      },
    }
    for (const [name, happens] of Object.entries(happenings)) {
      const { kept } = what
      await survives(what, happens)
      console.log(name, '- kept', what.kept - kept)
      for (const wire of wires) wire.restore()
      await arm(what.reader.store)
      await recovers(what)
    }
  })
})

describe('Sentinels', () => {
  let redis: Sentinels

  beforeAll(async () => {
    redis = await startSentinels({ downAfter: 1_000, links: true })
  })
  afterAll(() => redis.stop())
  // First, so that it comes last: when everybody is back.
  beforeEach((context) => context.onTestFinished(() => redis.settled()))

  it.each<[string, (before: RedisServer) => Promise<unknown>]>([
    ['is killed (kill -9)', (before) => goneUntilTheEnd(before, 'kill')],
    ['hangs (SIGSTOP)', (before) => goneUntilTheEnd(before, 'pause')],
    ['is replaced as planned', () => redis.failover()],
    [
      'cannot be reached from here',
      async () => {
        onTestFinished(() => redis.network.heal())
        redis.network.split(['application'], [await redis.primary()])
        await redis.failover()
      },
    ],
  ])('a primary that %s leaves nothing old behind', async (_, happens) => {
    const what = await scene(redis.url)
    const before = await redis.primary()
    const { untracked } = what.reader
    await survives(what, async () => {
      await happens(before)
      await redis.waitForPrimary(before)
    })
    expect(untracked.length).toBeGreaterThan(0)
    await recovers(what)
  })
})

describe('a cluster', () => {
  let redis: Cluster

  beforeAll(async () => {
    redis = await startCluster({ nodeTimeout: 1_000 })
  })
  afterAll(() => redis.stop())
  beforeEach((context) => context.onTestFinished(() => redis.settled()))

  it.each<[string, (before: RedisServer, key: string) => Promise<unknown>]>([
    ['is killed (kill -9)', (before) => goneUntilTheEnd(before, 'kill')],
    ['hangs (SIGSTOP)', (before) => goneUntilTheEnd(before, 'pause')],
    ['is replaced as planned', async (_, key) => redis.failover(await redis.replicaOf(await redis.primaryOf(key)))],
    [
      'hands over a slot',
      async (before, key) => {
        await redis.moveSlot(await redis.slotOf(key), await anotherThan(before))
      },
    ],
  ])('a primary that %s leaves nothing old behind', async (_, happens) => {
    const what = await scene(redis.url)
    const key = `hf:kept:${what.selectors[0]}`
    const before = await redis.primaryOf(key)
    const { untracked } = what.reader
    await survives(what, async () => {
      await happens(before, key)
      await redis.waitForPrimaryOf(key, before)
    })
    // Of a slot that has moved the store hears when it is sent elsewhere.
    await recovers(what)
    expect(untracked.length).toBeGreaterThan(0)
  })

  it('answers untracked what is asked for by exception (ASK), and tracked where the slot is in the end', async () => {
    const { reader, writer, selectors } = await scene(redis.url)
    const selector = selectors[0]!
    const key = `hf:kept:${selector}`
    const before = await redis.primaryOf(key)
    const move = await redis.beginMove(await redis.slotOf(key), await anotherThan(before))
    await keep(reader, selector)
    await move.move(key)
    await expect.poll(() => reader.kept.has(selector)).toBe(false)
    for (let times = 0; times < 20; times++) {
      const { found, tracked } = await eventually(() => reader.store.loadTracked(selector))
      expect([found === undefined, tracked]).toEqual([false, false])
    }
    await change(writer, selector)
    await move.finish()
    await tracks(reader, selector)
    await keep(reader, selector)
    await change(writer, selector)
    await expect.poll(() => reader.kept.has(selector)).toBe(false)
  })

  async function anotherThan(node: RedisServer): Promise<ClusterNode> {
    for (let at = 0; ; at++) {
      const other = await redis.primaryOf(`k${at}`)
      if (other !== node) return other
    }
  }
})

/** It is back when the test is over. */
async function goneUntilTheEnd(primary: RedisServer, how: 'kill' | 'pause'): Promise<void> {
  onTestFinished(() => (how === 'kill' ? primary.start() : primary.resume()))
  await primary[how]()
}

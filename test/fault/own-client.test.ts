/** What becomes of a store on a client of the application's own when servers die, hang or are replaced. */
import { redisStore, type OwnClient } from 'holdfast/redis'
import { Cluster, Redis } from 'ioredis'
import { createClient, createCluster, createSentinel } from 'redis'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'

import { endedMarker } from '../../src/core/record.ts'
import { DONE, type Store } from '../../src/core/store.ts'
import { OptionsError, StoreUnavailableError } from '../../src/errors.ts'
import { eventually, failure, LONG, newSelector, record, server, version } from '../stores/redis/fixture.ts'
import { startCluster, type Cluster as LocalCluster } from '../support/redis-cluster.ts'
import { type Sentinels, startSentinels } from '../support/redis-sentinel.ts'
import type { RedisServer } from '../support/redis-server.ts'
import { caughtUp } from '../support/replication.ts'

const DEADLINE = 500
const SLACK = 100
const MARKER = endedMarker('signed-out')

/** A client, and how it is begun and ended. */
interface Made {
  readonly client: OwnClient
  connect(): Promise<unknown>
  end(): unknown
  /** How many listen to it. */
  listeners(): number
}

function nodeRedis(port: number, options: object = { disableOfflineQueue: true }): Made {
  const client = createClient({ socket: { host: '127.0.0.1', port }, ...options })
  const listeners = (): number => client.listenerCount('error') + client.listenerCount('ready')
  return { client, connect: () => client.connect(), end: () => client.destroy(), listeners }
}

function ioredis(
  port: number,
  options: object = { enableOfflineQueue: false, autoResendUnfulfilledCommands: false },
): Made {
  const client = new Redis(port, '127.0.0.1', { lazyConnect: true, ...options })
  const listeners = (): number => client.listenerCount('error') + client.listenerCount('ready')
  return { client, connect: () => client.connect(), end: () => client.disconnect(), listeners }
}

/** A store on such a client, open; both are ended after the test. */
async function onClient(made: Made, options: object = {}): Promise<Store> {
  await made.connect()
  const opened = storeOn(made, options)
  await opened.open()
  return opened
}

function storeOn({ client, end }: Made, options: object = {}): Store {
  const opened = redisStore({ client, deadline: DEADLINE, ...options })
  onTestFinished(async () => {
    await opened.close()
    // An error between the store's end and the client's own would have no listener.
    client.on('error', () => undefined)
    await end()
  })
  return opened
}

describe.each([
  ['node-redis', nodeRedis],
  ['node-redis as it comes', (port: number) => nodeRedis(port, {})],
  ['node-redis with RESP2', (port: number) => nodeRedis(port, { RESP: 2, disableOfflineQueue: true })],
  ['ioredis', ioredis],
  ['ioredis as it comes', (port: number) => ioredis(port, {})],
])('%s', (_name, make) => {
  it('is not connected by the store, which waits for it within its deadline and says so', async () => {
    const redis = await server()
    const made = make(redis.port)
    const opened = storeOn(made)
    const { error, took } = await failure(() => opened.open())
    expect(error.message).toContain('the client is not connected')
    expect(took).toBeLessThan(DEADLINE + SLACK)
    await made.connect()
    await opened.open()
    expect(await opened.load(newSelector())).toBeUndefined()
  })

  it('stays open when the store is closed, with none of the store’s listeners left', async () => {
    const redis = await server()
    const made = make(redis.port)
    await made.connect()
    const before = made.listeners()
    const opened = redisStore({ client: made.client })
    await opened.open()
    expect(made.listeners()).toBeGreaterThan(before)
    await opened.close()
    expect(made.listeners()).toBe(before)
    expect(await (await onClientAgain(made)).nextLease()).toBe(1)
  })

  it('is ended with the store where that is asked for', async () => {
    const redis = await server()
    const made = make(redis.port)
    const opened = await onClient(made, { closeClient: true })
    await opened.close()
    await vi.waitFor(async () =>
      expect(await redis.cli('client', 'list')).toMatch(/^id=\d+ [^\n]*cmd=client\|list[^\n]*$/),
    )
  })

  it('whose server is killed: no write is taken for done, waiting is bounded, and it is used again', async () => {
    const redis = await server('--appendonly', 'yes')
    const opened = await onClient(make(redis.port))
    const selector = newSelector()
    await opened.create(selector, record(1), LONG)
    await redis.kill()
    const { error, took } = await failure(() => opened.replace(selector, version(1), record(2), LONG))
    expect(error).toBeInstanceOf(StoreUnavailableError)
    expect(took).toBeLessThan(DEADLINE + SLACK)
    await redis.start()
    const found = await eventually(() => opened.load(selector))
    expect([record(1), record(2)]).toContainEqual(new Uint8Array(found ?? []))
  })

  it('whose server hangs: the outcome of a write is unknown, within the deadline', async () => {
    const redis = await server()
    const opened = await onClient(make(redis.port))
    const selector = newSelector()
    await opened.create(selector, record(1), LONG)
    redis.pause()
    const { error, took } = await failure(() => opened.replace(selector, version(1), record(2), LONG))
    expect(error.applied).toBe('unknown')
    expect(took).toBeLessThan(DEADLINE + SLACK)
    redis.resume()
    await eventually(() => opened.load(selector))
  })

  it('that comes back tells that acknowledged writes may be gone', async () => {
    const redis = await server()
    const made = make(redis.port)
    await made.connect()
    const opened = storeOn(made)
    const replaced = vi.fn<() => void>()
    opened.watch?.({ replaced })
    await opened.open()
    await opened.nextLease()
    expect(replaced).not.toHaveBeenCalled()
    await redis.kill()
    await redis.start()
    await eventually(() => opened.load(newSelector()))
    await vi.waitFor(() => expect(replaced).toHaveBeenCalledOnce())
  })

  it('a full server is that, and its errors have nothing of what was to be stored', async () => {
    const redis = await server('--maxmemory', '100kb')
    const opened = await onClient(make(redis.port))
    const selector = newSelector()
    const { error } = await failure(() => opened.create(selector, record(1, { body: Buffer.from('a secret') }), LONG))
    expect([error.applied, error.retryAfter]).toEqual(['no', 5])
    const shown = JSON.stringify([error, error.cause], Object.getOwnPropertyNames(error.cause))
    for (const secret of ['a secret', selector]) expect(shown + String(error.stack)).not.toContain(secret)
  })
})

describe.each([
  ['createSentinel of node-redis', sentinelOfNodeRedis],
  ['ioredis with Sentinels', sentinelOfIoredis],
])('%s', (_name, make) => {
  let redis: Sentinels
  beforeAll(async () => {
    redis = await startSentinels({ replicas: 1 })
  })
  afterAll(() => redis.stop())

  it('follows a fail-over, also when a Sentinel dies with the primary: sessions are there, and what was ended stays ended', async () => {
    const opened = await onClient(make(redis), { deadline: '1s' })
    const [kept, ended] = await story(opened)
    const before = await redis.waitForPrimary()
    const [replica] = redis.nodes.filter((node) => node !== before)
    const [sentinel] = redis.sentinels
    await caughtUp(replica!, before)
    await Promise.all([before.kill(), sentinel!.kill()])
    await redis.waitForPrimary(before)
    await eventually(() => opened.nextLease(), 30_000)
    expect(new Uint8Array((await opened.load(kept)) ?? [])).toEqual(record(2, { user: 'ada' }))
    expect(new Uint8Array((await opened.load(ended)) ?? [])).toEqual(MARKER)
    await Promise.all([before.start(), sentinel!.start()])
    await redis.settled()
  })
})

describe.each([
  ['createCluster of node-redis', clusterOfNodeRedis],
  ['Cluster of ioredis', clusterOfIoredis],
])('%s', (_name, make) => {
  let redis: LocalCluster
  beforeAll(async () => {
    redis = await startCluster()
  })
  afterAll(() => redis.stop())

  it('finds each key’s node, also one that took the place of another or that a slot was moved to', async () => {
    const opened = await onClient(make(redis), { deadline: '1s' })
    const stories: (readonly [Selector, Selector])[] = []
    while (stories.length < 12) stories.push(await story(opened))
    const [[moved]] = stories as [readonly [Selector, Selector]]
    const slot = await redis.slotOf(`hf:${moved}`)
    await redis.moveSlot(slot, await redis.primaryOf((slot + 8_192) % 16_384))
    const elsewhere = (slot + 4_096) % 16_384
    const before = await redis.primaryOf(elsewhere)
    await caughtUp(await redis.replicaOf(before), before)
    await before.kill()
    await redis.waitForPrimaryOf(elsewhere, before)
    for (const [kept, ended] of stories) {
      const found = await eventually(() => opened.load(kept), 30_000)
      expect(new Uint8Array(found ?? [])).toEqual(record(2, { user: 'ada' }))
      const marker = await eventually(() => opened.load(ended), 30_000)
      expect(new Uint8Array(marker ?? [])).toEqual(MARKER)
      await eventually(() => opened.touch(kept, LONG), 30_000)
    }
    await before.start()
    await redis.settled()
  })
})

describe('a client that cannot serve is refused', () => {
  it.each<[string, string, () => object]>([
    ['nothing', 'client', () => ({ client: undefined })],
    ['no client', 'client', () => ({ client: { get: () => undefined } })],
    ['a URL beside it', 'url', () => ({ client: new Redis({ lazyConnect: true }), url: 'redis://h' })],
    ['an unknown option', 'replicas', () => ({ client: new Redis({ lazyConnect: true }), replicas: 1 })],
    ['a strange closeClient', 'closeClient', () => ({ client: new Redis({ lazyConnect: true }), closeClient: 1 })],
    [
      'reads from replicas of Sentinels',
      'client',
      () => ({ client: new Redis({ lazyConnect: true, sentinels: [{ host: 'h' }], name: 'n', role: 'slave' }) }),
    ],
    [
      'reads from replicas of a cluster',
      'client',
      () => ({ client: new Cluster([{ host: 'h' }], { lazyConnect: true, scaleReads: 'slave' }) }),
    ],
  ])('%s: by its name', (_what, option, options) => {
    try {
      redisStore(options() as { client: OwnClient })
    } catch (error) {
      expect(error).toBeInstanceOf(OptionsError)
      expect((error as OptionsError).option).toBe(option)
      return
    }
    throw new Error('was accepted')
  })
})

type Selector = ReturnType<typeof newSelector>

/** One visit that is there and one that is over. */
async function story(opened: Store): Promise<readonly [kept: Selector, ended: Selector]> {
  const [kept, ended] = [newSelector(), newSelector()]
  for (const selector of [kept, ended]) {
    expect(await opened.create(selector, record(1, { user: 'ada' }), LONG)).toEqual(DONE)
    await opened.enroll('ada', selector, LONG)
  }
  expect(await opened.replace(kept, version(1), record(2, { user: 'ada' }), LONG)).toEqual(DONE)
  expect(await opened.end(ended, MARKER, LONG, { user: 'ada' })).toEqual(DONE)
  return [kept, ended]
}

async function onClientAgain(made: Made): Promise<Store> {
  const opened = storeOn(made)
  await opened.open()
  return opened
}

function addressesOf(servers: readonly RedisServer[]): { host: string; port: number }[] {
  return servers.map(({ port }) => ({ host: '127.0.0.1', port }))
}

function sentinelOfNodeRedis({ name, sentinels }: Sentinels): Made {
  const client = createSentinel({
    name,
    sentinelRootNodes: addressesOf(sentinels),
    maxCommandRediscovers: 0,
    scanInterval: 1_000,
    nodeClientOptions: { disableOfflineQueue: true },
  })
  return { client, connect: () => client.connect(), end: () => client.destroy(), listeners: () => 0 }
}

function sentinelOfIoredis({ name, sentinels }: Sentinels): Made {
  const settings = { enableOfflineQueue: false, autoResendUnfulfilledCommands: false }
  const client = new Redis({ name, sentinels: addressesOf(sentinels), lazyConnect: true, ...settings })
  return { client, connect: () => client.connect(), end: () => client.disconnect(), listeners: () => 0 }
}

function clusterOfNodeRedis({ nodes }: LocalCluster): Made {
  const client = createCluster({
    rootNodes: addressesOf(nodes).map((socket) => ({ socket })),
    defaults: { disableOfflineQueue: true },
  })
  return { client, connect: () => client.connect(), end: () => client.destroy(), listeners: () => 0 }
}

function clusterOfIoredis({ nodes }: LocalCluster): Made {
  const redisOptions = { autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0 }
  const client = new Cluster(addressesOf(nodes), { lazyConnect: true, enableOfflineQueue: false, redisOptions })
  return { client, connect: () => client.connect(), end: () => client.disconnect(), listeners: () => 0 }
}

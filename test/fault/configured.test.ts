/** Servers and Sentinels as `redisConf` configures them: what their users may do is enough for all that happens to them. */
import { setTimeout as wait } from 'node:timers/promises'

import { redisConf, redisStore } from 'holdfast/redis'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'

import { endedMarker } from '../../src/core/record.ts'
import { DONE, type Store } from '../../src/core/store.ts'
import { eventually, LONG, newSelector, record, version } from '../stores/redis/fixture.ts'
import { until } from '../support/asking.ts'
import { type Cluster, startCluster } from '../support/redis-cluster.ts'
import { type Sentinels, startSentinels } from '../support/redis-sentinel.ts'
import { type RedisServer, startRedisServer } from '../support/redis-server.ts'
import { caughtUp } from '../support/replication.ts'

const PASSWORDS = {
  holdfast: 'the-password-of-holdfast',
  operator: 'the-password-of-the-operator',
  replication: 'the-password-of-replicas',
}
const WATCHER = 'the-password-of-sentinels'
const OPERATOR = { user: 'operator', password: PASSWORDS.operator }
/** Longer than `min-replicas-max-lag`. */
const SLOW = 30_000

describe('one server', () => {
  it('that is killed comes back with all that it acknowledged more than a moment ago, what scripts wrote included', async () => {
    const { holdfast, operator } = PASSWORDS
    await using redis = await startRedisServer({
      config: (at) => redisConf({ memory: '128mb', passwords: { holdfast, operator }, ...at }),
      as: OPERATOR,
    })
    const opened = await openStore(redis.url)
    const selectors = [newSelector(), newSelector()]
    for (const [at, selector] of selectors.entries()) {
      await opened.create(selector, record(at, { user: 'ada' }), LONG)
      await opened.enroll('ada', selector, LONG)
    }
    const { notBefore } = await opened.bar('ada', LONG)
    const lease = await opened.nextLease()
    const { epoch } = await opened.moveEpoch()
    // As `appendfsync everysec` has it.
    await wait(2_500)
    await redis.kill()
    await redis.start()
    const after = await eventually(() => opened.roll('ada'))
    expect(after.notBefore).toBe(notBefore)
    expect(new Set(after.entries.map(({ selector }) => selector))).toEqual(new Set(selectors))
    expect(new Uint8Array((await opened.load(selectors[1]!)) ?? [])).toEqual(record(1, { user: 'ada' }))
    expect([await opened.nextLease(), (await opened.epoch()).epoch]).toEqual([lease + 1, epoch])
    expect(await refused([redis])).toEqual(new Set())
  })
})

describe('two replicas and three Sentinels', () => {
  let redis: Sentinels
  beforeAll(async () => {
    const { holdfast, operator } = PASSWORDS
    redis = await startSentinels({
      config: (at) =>
        redisConf({ memory: '128mb', replicas: 2, passwords: { ...PASSWORDS, sentinel: WATCHER }, ...at }),
      sentinelConfig: (at) => redisConf({ passwords: { holdfast, operator, sentinel: WATCHER }, ...at }),
      as: OPERATOR,
    })
  })
  afterAll(() => redis.stop())

  it('Holdfast’s user asks a Sentinel for the primary, and for nothing else', async () => {
    const { port } = await redis.primary()
    for (const sentinel of redis.sentinels) {
      const answer = await application(sentinel, 'sentinel', 'get-master-addr-by-name', redis.name)
      expect(answer).toBe(`127.0.0.1\n${port}`)
    }
    const [sentinel] = redis.sentinels
    const others = [
      ['sentinel', 'failover', redis.name],
      ['sentinel', 'set', redis.name, 'quorum', '1'],
      ['sentinel', 'remove', redis.name],
      ['shutdown'],
      ['publish', '__sentinel__:hello', 'x'],
    ]
    for (const command of others) expect(await application(sentinel!, ...command)).toMatch(/^NOPERM/)
  })

  it('serve a store that finds the primary by Sentinels, over a fail-over', async () => {
    const opened = await openStore(redis.url)
    await live(opened)
    await redis.failover()
    await eventually(() => live(opened), 20_000)
    await redis.settled()
  })

  it('a primary that is cut off from its replicas takes no more writes', async () => {
    const primary = await redis.primary()
    const replicas = redis.nodes.filter((node) => node !== primary)
    for (const replica of replicas) replica.pause()
    const answer = await until('a refusal', async () => notOk(await write(primary, 'hf:alone')), SLOW)
    expect(answer).toMatch(/^NOREPLICAS/)
    for (const replica of replicas) replica.resume()
    await until('a write', async () => (await write(primary, 'hf:together')) === 'OK', SLOW)
    await redis.settled()
  })

  it('a replica takes the place of a primary that was killed, which comes back as its replica', async () => {
    const before = await redis.primary()
    await until('a write', async () => (await write(before, 'hf:before')) === 'OK')
    for (const node of redis.nodes) if (node !== before) await caughtUp(node, before)
    await before.kill()
    const after = await redis.waitForPrimary(before)
    expect(await application(after, 'get', 'hf:before')).toBe('x')
    await until('a write', async () => (await write(after, 'hf:after')) === 'OK')
    await before.start()
    await redis.settled()
    await until('the write', async () => (await application(before, 'get', 'hf:after')) === 'x')
  })

  it('a planned change of roles goes through', async () => {
    const before = await redis.primary()
    expect(await redis.failover()).not.toBe(before)
    await redis.settled()
  })

  it('nobody was refused what they needed', async () => {
    const tried = ['sentinel|failover', 'sentinel|set', 'sentinel|remove', 'shutdown', 'publish']
    const expected = tried.map((command) => `holdfast: ${command}`)
    expect(await refused([...redis.nodes, ...redis.sentinels])).toEqual(new Set(expected))
  })
})

describe('a cluster', () => {
  let redis: Cluster
  beforeAll(async () => {
    redis = await startCluster({
      config: (at) => redisConf({ memory: '128mb', passwords: PASSWORDS, ...at }),
      as: OPERATOR,
    })
  })
  afterAll(() => redis.stop())

  it('a replica takes the place of a primary that was killed, which comes back as its replica', async () => {
    const before = await redis.primaryOf('hf:{a}')
    expect(await write(before, 'hf:{a}')).toBe('OK')
    await caughtUp(await redis.replicaOf(before), before)
    await before.kill()
    const after = await redis.waitForPrimaryOf('hf:{a}', before)
    await until('the write', async () => (await application(after, 'get', 'hf:{a}')) === 'x')
    await before.start()
    await redis.settled()
    expect(await redis.replicaOf(after)).toBe(before)
  })

  it('serves a store, also while a slot moves', async () => {
    const opened = await openStore(redis.url)
    for (let at = 0; at < 10; at++) await live(opened)
    const slot = await redis.slotOf('hf:#')
    await redis.moveSlot(slot, await redis.primaryOf((slot + 8_192) % 16_384))
    await live(opened)
  })

  it('the others serve what is theirs while a shard is down', async () => {
    const lost = await redis.primaryOf('hf:{a}')
    const replica = await redis.replicaOf(lost)
    const slot = await redis.slotOf('hf:{a}')
    const other = await redis.primaryOf((slot + 8_192) % 16_384)
    const key = await keyOn(redis, other)
    await Promise.all([lost.kill(), replica.kill()])
    await until('the others notice', async () => (await other.cli('cluster', 'info')).includes('cluster_slots_fail:5'))
    expect(await write(other, key)).toBe('OK')
    await Promise.all([lost.start(), replica.start()])
    await redis.settled()
  })

  it('nobody was refused what they needed', async () => {
    expect(await refused(redis.nodes)).toEqual(new Set())
  })
})

/** What Holdfast's user is answered; of an error its text. */
async function application(server: RedisServer, ...command: string[]): Promise<string> {
  // The later of two users counts.
  const user = ['--user', 'holdfast', '--pass', PASSWORDS.holdfast]
  try {
    return await server.cli(...user, ...command)
  } catch (error) {
    return String(error)
  }
}

function write(server: RedisServer, key: string): Promise<string> {
  return application(server, 'set', key, 'x', 'px', '600000')
}

function notOk(answer: string): string | undefined {
  return answer === 'OK' ? undefined : answer
}

async function keyOn(redis: Cluster, node: RedisServer): Promise<string> {
  for (let at = 0; ; at++) {
    const key = `hf:{${at}}`
    if ((await redis.primaryOf(key)) === node) return key
  }
}

/** Who was refused what, since the servers were started. */
async function refused(servers: readonly RedisServer[]): Promise<Set<string>> {
  const logs = await Promise.all(servers.map((server) => server.cli('acl', 'log')))
  const entries = logs.flatMap((log) => [...log.matchAll(/^object\n(.*)\nusername\n(.*)$/gm)])
  return new Set(entries.map(([, object, who]) => `${who}: ${object}`))
}

/** A store in the application's hands, by Holdfast's user. Closed after the test. */
async function openStore(url: string): Promise<Store> {
  const credentials = { username: 'holdfast', password: PASSWORDS.holdfast }
  const sentinel = url.startsWith('redis+sentinel:') ? { sentinel: credentials } : {}
  const opened = redisStore({ url, ...credentials, ...sentinel })
  onTestFinished(() => opened.close())
  await opened.open()
  return opened
}

/** A visit with what it leads to, and its end: confirmed by a replica, as the store says. */
async function live(store: Store): Promise<void> {
  const selector = newSelector()
  expect(await store.create(selector, record(1, { user: 'ada' }), LONG, 'replicated')).toEqual(DONE)
  await store.enroll('ada', selector, LONG)
  expect(await store.replace(selector, version(1), record(2, { user: 'ada' }), LONG)).toEqual(DONE)
  expect(await store.touch(selector, LONG)).toBe('touched')
  expect((await store.bar('ada', LONG)).durable).toBe(true)
  expect(await store.end(selector, endedMarker('revoked'), LONG, { user: 'ada' })).toEqual(DONE)
  expect((await store.moveEpoch()).durable).toBe(true)
}

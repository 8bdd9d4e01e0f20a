/** The topologies that other tests run on do what those rely on: fail-overs, moved slots, partitions, and nothing left. */
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { redisConf } from 'holdfast/redis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { until } from '../support/asking.ts'
import { makeCertificates } from '../support/certificates.ts'
import type { Member } from '../support/network.ts'
import { type Cluster, type ClusterNode, startCluster } from '../support/redis-cluster.ts'
import { type Sentinels, startSentinels } from '../support/redis-sentinel.ts'
import type { TlsFiles } from '../support/redis-server.ts'

const LEAVER = fileURLToPath(new URL('../../build/test/programs/server-leaver.js', import.meta.url))
const PASSWORD = 'a-password-for-these-tests'
/** As `redisConf` wants them. */
const PASSWORDS = {
  holdfast: 'the-password-of-holdfast',
  operator: 'the-password-of-the-operator',
  replication: 'the-password-of-replicas',
}
const WATCHER = 'the-password-of-sentinels'
const OPERATOR = { user: 'operator', password: PASSWORDS.operator }

const folder = mkdtempSync(join(tmpdir(), 'holdfast-topologies-'))
let tls: TlsFiles

beforeAll(() => {
  const { ca, cert, key } = makeCertificates(folder)
  tls = { ca, cert, key }
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** What the application is answered, which goes through the links; `undefined` when that takes longer than half a second. */
async function asApplication(node: Member, ...command: string[]): Promise<string | undefined> {
  const asked = node.cli('-p', String(node.announced), ...command).catch(() => undefined)
  return Promise.race([asked, pause(500, undefined)])
}

function others<Node extends Member>(nodes: readonly Node[], but: Node): Node[] {
  return nodes.filter((node) => node !== but)
}

/** What is still there of them. */
function remains(servers: readonly { pid: number | undefined; directory: string }[]): (number | string)[] {
  return servers.flatMap(({ pid, directory }) => [
    ...(pid !== undefined && runs(pid) ? [pid] : []),
    ...(existsSync(directory) ? [directory] : []),
  ])
}

/** One that has ended and whose parent has not yet looked has no command line. */
function runs(pid: number): boolean {
  return existsSync(`/proc/${pid}`) && readFileSync(`/proc/${pid}/cmdline`, 'utf8') !== ''
}

describe('Sentinels', () => {
  let redis: Sentinels
  beforeAll(async () => {
    redis = await startSentinels({ links: true, password: PASSWORD, sentinelPassword: PASSWORD })
  })
  afterAll(() => redis.stop())

  it('name the primary by the address that the application uses', async () => {
    const primary = await redis.primary()
    expect(primary).toBe(redis.nodes[0])
    for (const sentinel of redis.sentinels)
      expect(await asApplication(sentinel, 'sentinel', 'get-master-addr-by-name', redis.name)).toBe(
        `127.0.0.1\n${primary.announced}`,
      )
    expect(redis.url).toMatch(/^redis\+sentinel:\/\/(127\.0\.0\.1:\d+,){2}127\.0\.0\.1:\d+\/mymaster$/)
  })

  it('put a replica in the place of a primary that is killed, which then follows it', async () => {
    const before = await redis.primary()
    await before.kill()
    const after = await redis.waitForPrimary(before)
    expect(after).not.toBe(before)
    expect(await asApplication(after, 'set', 'after', '1')).toBe('OK')
    await before.start()
    await redis.settled()
    expect(await redis.primary()).toBe(after)
    expect(await before.cli('get', 'after')).toBe('1')
  })

  it('change the primary when they are told to', async () => {
    const before = await redis.primary()
    const after = await redis.failover()
    expect(after).not.toBe(before)
    await redis.settled()
    expect(await redis.primary()).toBe(after)
  })

  it('a primary can be cut off from its replicas alone', async () => {
    const primary = await redis.primary()
    redis.network.split([primary], others(redis.nodes, primary))
    expect(await asApplication(primary, 'set', 'alone', '1')).toBe('OK')
    expect(await asApplication(primary, 'wait', '1', '200')).toBe('0')
    redis.network.heal()
    for (const replica of others(redis.nodes, primary))
      await until('the write', async () => (await replica.cli('get', 'alone')) === '1')
    expect(await redis.primary()).toBe(primary)
  })

  it('the application can be cut off from a primary alone', async () => {
    const primary = await redis.primary()
    redis.network.split(['application'], [primary])
    expect(await asApplication(primary, 'ping')).toBeUndefined()
    expect(await primary.cli('wait', '2', '1000')).toBe('2')
    expect(await redis.primary()).toBe(primary)
    redis.network.heal()
    expect(await asApplication(primary, 'ping')).toBe('PONG')
  })

  it('a primary that only the application reaches is replaced, and what it still took is gone when the line heals', async () => {
    const before = await redis.primary()
    redis.network.split([before], [...others(redis.nodes, before), ...redis.sentinels])
    const after = await redis.waitForPrimary(before)
    expect(await asApplication(before, 'set', 'doomed', '1')).toBe('OK')
    expect(await asApplication(after, 'set', 'kept', '1')).toBe('OK')
    redis.network.heal()
    await redis.settled()
    expect(await redis.primary()).toBe(after)
    expect([await before.cli('get', 'doomed'), await before.cli('get', 'kept')]).toEqual(['', '1'])
  })

  it('stand on what redisConf prints, with TLS too', async () => {
    const passwords = { ...PASSWORDS, sentinel: WATCHER }
    const { replication: _, ...ofSentinels } = passwords
    await using configured = await startSentinels({
      config: (at) => redisConf({ memory: '128mb', replicas: 2, passwords, tls, ...at }),
      sentinelConfig: (at) => redisConf({ passwords: ofSentinels, tls, ...at }),
      as: OPERATOR,
      tls,
    })
    expect(await configured.primary()).toBe(configured.nodes[0])
  })
})

describe('a cluster', () => {
  let redis: Cluster
  beforeAll(async () => {
    redis = await startCluster({ links: true, password: PASSWORD })
  })
  afterAll(() => redis.stop())

  it('has three primaries, each with a replica, and tells the application addresses that it can use', async () => {
    const primaries = redis.nodes.slice(0, 3)
    for (const primary of primaries) expect(primaries).not.toContain(await redis.replicaOf(primary))
    const first = await redis.primaryOf(0)
    const slots = await asApplication(await redis.primaryOf(16_383), 'cluster', 'slots')
    expect(slots).toContain(`0\n5460\n127.0.0.1\n${first.announced}\n${first.id}`)
  })

  it('puts the replica in the place of a primary that is killed, which then follows it', async () => {
    const before = await redis.primaryOf('a')
    const replica = await redis.replicaOf(before)
    await before.kill()
    expect(await redis.waitForPrimaryOf('a', before)).toBe(replica)
    await before.start()
    await redis.settled()
    expect(await redis.replicaOf(replica)).toBe(before)
  })

  it('changes a primary when it is told to', async () => {
    const before = await redis.primaryOf('a')
    const replica = await redis.replicaOf(before)
    await redis.failover(replica)
    expect(await redis.primaryOf('a')).toBe(replica)
    await redis.settled()
  })

  it('moves a slot, and says MOVED where it was', async () => {
    const { from, to, slot } = await move('{moved}')
    await from.cli('set', '{moved}', '1')
    await redis.moveSlot(slot, to)
    expect(await redis.primaryOf('{moved}')).toBe(to)
    expect(await to.cli('get', '{moved}')).toBe('1')
    expect(await asApplication(from, 'get', '{moved}')).toBe(`MOVED ${slot} 127.0.0.1:${to.announced}`)
  })

  it('half-way says ASK for what is not there any more, and TRYAGAIN for what is only partly there', async () => {
    const { from, to, slot } = await move('{half}')
    await from.cli('mset', '{half}1', '1', '{half}2', '2')
    const half = await redis.beginMove(slot, to)
    await half.move('{half}1')
    expect(await asApplication(from, 'get', '{half}1')).toBe(`ASK ${slot} 127.0.0.1:${to.announced}`)
    expect(await asApplication(from, 'get', '{half}2')).toBe('2')
    expect(await asApplication(from, 'mget', '{half}1', '{half}2')).toMatch(/^TRYAGAIN/)
    await half.finish()
    expect(await asApplication(to, 'mget', '{half}1', '{half}2')).toBe('1\n2')
  })

  it('a primary that only the application reaches is replaced, and stops answering', async () => {
    const before = await redis.primaryOf('a')
    const replica = await redis.replicaOf(before)
    redis.network.split([before], others(redis.nodes, before))
    await until('the replica serves', async () => (await asApplication(replica, 'set', 'a', '1')) === 'OK')
    expect(await asApplication(before, 'get', 'a')).toMatch(/^CLUSTERDOWN/)
    redis.network.heal()
    await redis.settled()
    expect(await redis.replicaOf(replica)).toBe(before)
  })

  it('stands on what redisConf prints, with TLS too', async () => {
    await using configured = await startCluster({
      config: (at) => redisConf({ memory: '128mb', passwords: PASSWORDS, tls, ...at }),
      as: OPERATOR,
      tls,
    })
    const [from, to] = [await configured.primaryOf('a'), await configured.primaryOf('b')]
    await from.cli('set', 'a', '1')
    await configured.moveSlot(await configured.slotOf('a'), to)
    expect(await to.cli('get', 'a')).toBe('1')
  })

  /** The slot of a key, whose it is, and whose it could be. */
  async function move(key: string): Promise<{ slot: number; from: ClusterNode; to: ClusterNode }> {
    const slot = await redis.slotOf(key)
    const from = await redis.primaryOf(slot)
    const to = await redis.primaryOf((slot + 16_384 / 2) % 16_384)
    return { slot, from, to }
  }
})

describe('nothing is left', () => {
  it('after stop', async () => {
    const [watched, cluster] = await Promise.all([startSentinels({ links: true }), startCluster({ links: true })])
    const all = [...watched.nodes, ...watched.sentinels, ...cluster.nodes]
    const servers = all.map(({ pid, directory }) => ({ pid, directory }))
    expect(remains(servers)).toHaveLength(2 * servers.length)
    await Promise.all([watched.stop(), cluster.stop()])
    expect(remains(servers)).toEqual([])
    await Promise.all([watched.stop(), cluster.stop()])
  })

  it('of servers that could not be started', async () => {
    const seen: string[] = []
    const config = ({ directory }: { directory: string }): string => {
      seen.push(directory)
      return 'no-such-setting yes\n'
    }
    await expect(startSentinels({ sentinelConfig: config })).rejects.toThrow('no-such-setting')
    await expect(startCluster({ config })).rejects.toThrow('no-such-setting')
    expect(seen.length).toBeGreaterThan(1)
    expect(seen.filter(existsSync)).toEqual([])
  })

  it('when the process ends without stopping them', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [LEAVER])
    const servers = JSON.parse(stdout) as { pid: number; directory: string }[]
    expect(servers).toHaveLength(12)
    await expect.poll(() => remains(servers)).toEqual([])
  })
})

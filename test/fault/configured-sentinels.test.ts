/** Servers and Sentinels as `redisConf` configures them: they find each other, and replace a primary that dies. */
import { setTimeout as wait } from 'node:timers/promises'

import { redisConf } from 'holdfast/redis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { freePort, type RedisServer, startRedisServer } from '../support/redis-server.ts'

const PASSWORDS = {
  holdfast: 'the-password-of-holdfast',
  operator: 'the-password-of-the-operator',
  replication: 'the-password-of-replicas',
  sentinel: 'the-password-of-sentinels',
}
const { holdfast, operator, sentinel } = PASSWORDS
type User = keyof typeof PASSWORDS

let primary: RedisServer
let replicas: RedisServer[]
let sentinels: RedisServer[]

beforeAll(async () => {
  const port = await freePort()
  const shared = { memory: '128mb', replicas: 2, passwords: PASSWORDS } as const
  const first = { host: '127.0.0.1', port }
  primary = await startRedisServer({ port, config: (at) => redisConf({ ...shared, ...at }) })
  replicas = await each(2, { config: (at) => redisConf({ ...shared, ...at, role: 'replica', primary: first }) })
  sentinels = await each(3, {
    args: ['--sentinel'],
    config: (at) =>
      redisConf({
        ...at,
        role: 'sentinel',
        primary: first,
        downAfter: '1s',
        failoverTimeout: '5s',
        passwords: { holdfast, operator, sentinel },
      }),
  })
})

afterAll(async () => {
  for (const server of [...sentinels, ...replicas, primary]) await server.stop()
})

describe('two replicas and three Sentinels', () => {
  it('the replicas follow', async () => {
    await until(async () => (await section(primary, 'replication')).get('connected_slaves') === '2')
    await until(() => written(primary, 'hf:before'))
    for (const replica of replicas) await until(() => kept(replica, 'hf:before'))
  })

  it('the Sentinels know each other and the replicas', async () => {
    for (const one of sentinels) await until(async () => /slaves=2,sentinels=3/.test(await as(one, 'operator', 'info')))
  })

  it('Holdfast’s user asks a Sentinel for the primary, and for nothing else', async () => {
    for (const one of sentinels) expect(await asked(one)).toBe(`127.0.0.1\n${primary.port}`)
    const others = [
      ['sentinel', 'failover', 'holdfast'],
      ['sentinel', 'set', 'holdfast', 'quorum', '1'],
      ['sentinel', 'remove', 'holdfast'],
      ['shutdown'],
      ['publish', '__sentinel__:hello', 'x'],
    ]
    for (const command of others) await expect(as(sentinels[0]!, 'holdfast', ...command)).rejects.toThrow('NOPERM')
  })

  it('a primary that is cut off from its replicas takes no more writes', async () => {
    for (const replica of replicas) replica.pause()
    const refused = await until(async () => {
      const answer = await as(primary, 'holdfast', 'set', 'hf:alone', 'x', 'px', '600000').catch(String)
      return answer === 'OK' ? undefined : answer
    })
    expect(refused).toContain('NOREPLICAS')
    for (const replica of replicas) replica.resume()
    await until(() => written(primary, 'hf:together'))
  })

  it('a replica takes the place of a primary that was killed, with what it knew', async () => {
    const before = primary.port
    await primary.kill()
    const port = await until(async () => {
      const [, now] = (await asked(sentinels[0]!)).split('\n')
      return Number(now) === before ? undefined : Number(now)
    })
    const promoted = replicas.find((replica) => replica.port === port)!
    await until(async () => (await section(promoted, 'replication')).get('role') === 'master')
    expect(await kept(promoted, 'hf:before')).toBe(true)
    await until(() => written(promoted, 'hf:after'))
  })

  it('the one that was killed comes back as a replica', async () => {
    await primary.start()
    await until(async () => (await section(primary, 'replication')).get('master_link_status') === 'up')
    await until(() => kept(primary, 'hf:after'))
  })

  it('nobody was refused a thing that they needed', async () => {
    const servers = [primary, ...replicas, ...sentinels]
    const logs = await Promise.all(servers.map((server) => as(server, 'operator', 'acl', 'log')))
    const refused = new Set(logs.flatMap((log) => Array.from(log.matchAll(/^username\n(.*)$/gm), ([, who]) => who)))
    // What this test itself tried.
    expect([...refused]).toEqual(['holdfast'])
  })
})

/** Starts so many, one after the other. */
async function each(count: number, options: Parameters<typeof startRedisServer>[0]): Promise<RedisServer[]> {
  const started: RedisServer[] = []
  while (started.length < count) started.push(await startRedisServer(options))
  return started
}

function as(server: RedisServer, user: User, ...command: string[]): Promise<string> {
  return server.cli('-e', '--user', user, '--pass', PASSWORDS[user], '--no-auth-warning', ...command)
}

/** Whether the server takes a write now. */
async function written(server: RedisServer, key: string): Promise<boolean> {
  return (await as(server, 'holdfast', 'set', key, 'x', 'px', '600000').catch(String)) === 'OK'
}

async function kept(server: RedisServer, key: string): Promise<boolean> {
  return (await as(server, 'holdfast', 'get', key).catch(String)) === 'x'
}

function asked(one: RedisServer): Promise<string> {
  return as(one, 'holdfast', 'sentinel', 'get-master-addr-by-name', 'holdfast')
}

async function section(server: RedisServer, name: string): Promise<Map<string, string>> {
  const lines = (await as(server, 'operator', 'info', name)).split(/\r?\n/)
  return new Map(lines.map((line) => [line.split(':', 1)[0] ?? '', line.slice(line.indexOf(':') + 1)]))
}

/** Asks until the answer is neither false nor undefined. */
async function until<Answer>(ask: () => Promise<Answer | false | undefined>, within = 45_000): Promise<Answer> {
  const deadline = performance.now() + within
  for (;;) {
    const answer = await ask()
    if (answer !== false && answer !== undefined) return answer
    if (performance.now() > deadline) throw new Error('it did not come about')
    await wait(100)
  }
}

/** The store's whole contract over clients of the application's own, by the user that `redisConf` gives Holdfast. */
import { setTimeout as wait } from 'node:timers/promises'

import { type OwnClient, redisConf, redisStore } from 'holdfast/redis'
import { storeContract } from 'holdfast/testing'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { COMMANDS } from '../../src/stores/redis/commands.ts'
import { type RedisServer, startRedisServer } from '../support/redis-server.ts'

const PASSWORDS = { holdfast: 'the-password-of-holdfast', operator: 'the-password-of-the-operator' }
let applications = 0

async function nodeRedis(url: string): Promise<OwnClient> {
  const client = createClient({ url, disableOfflineQueue: true })
  await client.connect()
  return client
}

async function ioredis(url: string): Promise<OwnClient> {
  const settings = { lazyConnect: true, enableOfflineQueue: false, autoResendUnfulfilledCommands: false }
  const client = new Redis(url, settings)
  await client.connect()
  return client
}

describe.each([
  ['node-redis', nodeRedis],
  ['ioredis', ioredis],
])('over %s', (name, connectClient) => {
  let server: RedisServer
  let client: OwnClient

  beforeAll(async () => {
    server = await startRedisServer({
      config: (at) => redisConf({ memory: '256mb', ...at, passwords: PASSWORDS }),
      as: { user: 'operator', password: PASSWORDS.operator },
    })
    client = await connectClient(`redis://holdfast:${PASSWORDS.holdfast}@127.0.0.1:${server.port}`)
  })

  afterAll(async () => {
    const last = redisStore({ client, closeClient: true })
    await last.open()
    await last.close()
    await server.stop()
  })

  /** An application of its own for each test, so that nothing has to be cleared away; all of them over one connection. */
  const start = () => {
    applications += 1
    const options = { client, name: `t${applications}` }
    return { connect: () => redisStore(options), advance: (ms: number) => wait(ms), destroy: () => undefined }
  }
  storeContract(`redis over ${name}`, { start, unit: 150, realTime: true, model: { runs: 5 } }, { describe, it })

  it('the client was asked for what the store needs, and for nothing else', async () => {
    const used = (await server.cli('info', 'commandstats')).matchAll(/^cmdstat_([^:]+):/gm)
    const names = Array.from(used, ([, command = '']) => command)
    // What the clients say at the start, and what this test asks.
    const others = ['auth', 'hello', 'client|setinfo', 'command', 'acl|log', 'config|get']
    expect(names.filter((command) => ![...COMMANDS, ...others].includes(command))).toEqual([])
    expect(
      COMMANDS.filter((command) => !names.includes(command) && !['info', 'client|setname'].includes(command)),
    ).toEqual([])
  })
})

/** The store's whole contract on a server as `redisConf` configures it, by a user who may do nothing else. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'

import { redisConf, redisStore } from 'holdfast/redis'
import { storeContract } from 'holdfast/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { COMMANDS, TRACKING_COMMANDS } from '../../src/stores/redis/commands.ts'
import { type RedisServer, startRedisServer } from '../support/redis-server.ts'

const PASSWORDS = { holdfast: 'the-password-of-holdfast', operator: 'the-password-of-the-operator' }
let server: RedisServer
let applications = 0

beforeAll(async () => {
  server = await startRedisServer({
    config: (at) => redisConf({ memory: '256mb', ...at, passwords: PASSWORDS }),
  })
})

afterAll(() => server.stop())

/** An application of its own for each test, so that nothing has to be cleared away. */
function start() {
  applications += 1
  const options = { url: `redis://holdfast:${PASSWORDS.holdfast}@127.0.0.1:${server.port}`, name: `t${applications}` }
  return { connect: () => redisStore(options), advance: (ms: number) => wait(ms), destroy: () => undefined }
}

storeContract(
  'redis, by a user with few rights',
  { start, unit: 150, realTime: true, model: { runs: 5 } },
  { describe, it },
)

describe('the user of the store, after all that', () => {
  it('has used each command that it may use on one server, and no other', async () => {
    const used = (await as('operator', 'info', 'commandstats')).matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)
    const names = Array.from(used, ([, name = '']) => name)
    const ofTheTest = ['auth', 'config|get']
    const may = [...COMMANDS, ...TRACKING_COMMANDS].toSorted()
    expect(names.filter((name) => !ofTheTest.includes(name)).toSorted()).toEqual(may)
  })

  it('was refused nothing', async () => {
    expect(await as('operator', 'acl', 'log')).toBe('')
  })

  it.each([
    ['get', 'other:key'],
    ['set', 'other:key', 'x'],
    ['set', 'h', 'x'],
    ['eval', "return redis.call('get', 'other:key')", '0'],
    ['eval', "return redis.call('get', KEYS[1])", '1', 'other:key'],
    ['eval', "return redis.call('keys', '*')", '0'],
    ['eval', "return redis.call('del', KEYS[1])", '1', 'hf:x'],
    ['eval', "return redis.call('publish', 'a', 'b')", '0'],
    ['del', 'hf:x'],
    ['unlink', 'hf:x'],
    ['getdel', 'hf:x'],
    ['rename', 'hf:x', 'hf:y'],
    ['copy', 'hf:x', 'hf:y'],
    ['dump', 'hf:x'],
    ['restore', 'hf:x', '0', 'x'],
    ['mget', 'hf:x', 'hf:y'],
    ['type', 'hf:x'],
    ['keys', '*'],
    ['scan', '0'],
    ['randomkey'],
    ['dbsize'],
    ['flushall'],
    ['flushdb'],
    ['swapdb', '0', '1'],
    ['select', '1'],
    ['config', 'get', '*'],
    ['config', 'set', 'appendonly', 'no'],
    ['acl', 'list'],
    ['acl', 'setuser', 'evil', 'on', 'nopass', '+@all'],
    ['acl', 'whoami'],
    ['client', 'list'],
    ['client', 'kill', 'type', 'normal'],
    ['script', 'flush'],
    ['function', 'list'],
    ['monitor'],
    ['subscribe', 'x'],
    ['publish', 'x', 'y'],
    ['replicaof', 'no', 'one'],
    ['psync', '?', '-1'],
    ['shutdown', 'nosave'],
    ['save'],
    ['bgrewriteaof'],
    ['module', 'list'],
    ['memory', 'usage', 'hf:x'],
    ['slowlog', 'get'],
    ['multi'],
  ])('may not %s %s', async (...command) => {
    await expect(as('holdfast', ...command)).rejects.toThrow(/NOPERM|The user executing the script can't/)
  })

  it('may do the same to its own keys', async () => {
    expect(await as('holdfast', 'set', 'hf:mine', 'x')).toBe('OK')
    expect(await as('holdfast', 'get', 'hf:mine')).toBe('x')
  })
})

describe('a connection', () => {
  it('without a user may do nothing', async () => {
    await expect(server.cli('-e', 'get', 'hf:x')).rejects.toThrow('NOAUTH')
    await expect(server.cli('-e', 'auth', 'default', '')).rejects.toThrow('WRONGPASS')
  })

  it('is taken from another machine too, for no user is without a password', async () => {
    // Redis counts 127.0.0.1 only as itself.
    const socket = connect({ host: '127.0.0.1', port: server.port, localAddress: '127.0.0.2' })
    socket.write(`AUTH holdfast ${PASSWORDS.holdfast}\r\n`)
    const [answer] = (await once(socket, 'data')) as [Buffer]
    socket.destroy()
    expect(answer.toString()).toBe('+OK\r\n')
  })
})

function as(user: keyof typeof PASSWORDS, ...command: string[]): Promise<string> {
  return server.cli('-e', '--user', user, '--pass', PASSWORDS[user], '--no-auth-warning', ...command)
}

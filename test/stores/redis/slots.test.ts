import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { rangesOf, redirectionOf, slotOf } from '../../../src/stores/redis/slots.ts'
import { type RedisServer, startRedisServer } from '../../support/redis-server.ts'

const ASKED = { host: 'asked', port: 1 }

describe('the slot of a key', () => {
  let redis: RedisServer

  beforeAll(async () => {
    redis = await startRedisServer({ args: ['--cluster-enabled', 'yes'] })
  })
  afterAll(() => redis.stop())

  it.each([
    'hf:#',
    'hf:@ada',
    '123456789',
    '{user1000}.following',
    'foo{}{bar}',
    'foo{{bar}}zap',
    'foo{bar}{zap}',
    'foo{bar',
    '}foo{bar}',
    '{}',
    'hf:@naïve 🙂',
    'hf:@{用}',
    'ü{a}ü',
  ])('%s: is where Redis has it', async (key) => {
    expect(slotOf(key)).toBe(Number(await redis.cli('cluster', 'keyslot', key)))
  })
})

describe('an answer to CLUSTER SLOTS', () => {
  const node = (host: string | null, port: number) => [
    host === null ? null : Buffer.from(host),
    port,
    Buffer.from('id'),
    [],
  ]

  it('has ranges with a primary and its replicas', () => {
    expect(rangesOf([[0, 5460, node('a', 1), node('b', 2), node('c', 3)]], ASKED)).toEqual([
      {
        first: 0,
        last: 5460,
        primary: { host: 'a', port: 1 },
        replicas: [
          { host: 'b', port: 2 },
          { host: 'c', port: 3 },
        ],
      },
    ])
  })

  it.each([null, '', '?'])('a node whose name is not known (%j) is reached by the name of who answered', (host) => {
    expect(rangesOf([[0, 1, node(host, 7)]], ASKED)[0]?.primary).toEqual({ host: 'asked', port: 7 })
  })

  it.each([null, 1, [[0, 1]], [[0, 'x', node('a', 1)]], [1]])('%j is none', (reply) => {
    expect(() => rangesOf(reply as never, ASKED)).toThrow(TypeError)
  })
})

describe('a redirection', () => {
  it.each([
    ['MOVED 3999 127.0.0.1:6381', { slot: 3999, to: { host: '127.0.0.1', port: 6381 } }],
    ['ASK 0 ::1:6381', { slot: 0, to: { host: '::1', port: 6381 } }],
    ['MOVED 3999 :6381', { slot: 3999, to: { host: 'asked', port: 6381 } }],
    ['MOVED 16384 a:1', undefined],
    ['MOVED', undefined],
    ['CLUSTERDOWN The cluster is down', undefined],
  ])('%s', (message, redirection) => {
    expect(redirectionOf(message, ASKED)).toEqual(redirection)
  })
})

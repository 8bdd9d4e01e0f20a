import { describe, expect, it } from 'vitest'

import { OptionsError } from '../../../src/errors.ts'
import { nameOf } from '../../../src/stores/redis/link.ts'
import { resolveRedisOptions, type RedisStoreOptions } from '../../../src/stores/redis/options.ts'

function refusal(options: unknown): OptionsError {
  try {
    resolveRedisOptions(options as RedisStoreOptions)
  } catch (error) {
    if (error instanceof OptionsError) return error
    throw error
  }
  throw new Error('was accepted')
}

/** What a URL, or options with one, say of the server. */
async function serverOf(given: string | RedisStoreOptions) {
  const { topology, access } = resolveRedisOptions(given)
  return { ...topology.endpoints[0], ...(await access.credentials()), database: access.database, tls: access.tls }
}

describe('the URL of a Redis store', () => {
  it('needs a host only', async () => {
    const { prefix, deadline, replicas, topology } = resolveRedisOptions('redis://10.0.0.5')
    expect(await serverOf('redis://10.0.0.5')).toEqual({ host: '10.0.0.5', port: 6379, database: 0, tls: undefined })
    expect({ prefix, deadline, replicas, kind: topology.kind }).toEqual({
      prefix: 'hf:',
      deadline: 1000,
      replicas: 0,
      kind: 'single',
    })
  })

  it('may have user, password, port and database, percent-encoded', async () => {
    expect(await serverOf('redis://shop:p%40ss%2Fword@cache.example:7000/3')).toMatchObject({
      host: 'cache.example',
      port: 7000,
      username: 'shop',
      password: 'p@ss/word',
      database: 3,
    })
  })

  it('may have a password alone', async () => {
    expect(await serverOf('redis://:secret@h')).not.toHaveProperty('username')
    expect(await serverOf('redis://:secret@h')).toMatchObject({ password: 'secret' })
  })

  it('may be an IPv6 address', async () => {
    expect(await serverOf('redis://[::1]:7000')).toMatchObject({ host: '::1', port: 7000 })
    expect(nameOf({ host: '::1', port: 7000 })).toBe('[::1]:7000')
  })

  it('may be a socket of this machine, with a user, a password and a database', async () => {
    const socket = { path: '/run/redis/redis.sock' }
    expect(resolveRedisOptions('unix:/run/redis/redis.sock').topology).toMatchObject({
      kind: 'unix',
      endpoints: [socket],
    })
    expect(await serverOf({ url: 'unix://shop:pw@/run/redis/redis.sock', database: 2 })).toMatchObject({
      ...socket,
      username: 'shop',
      password: 'pw',
      database: 2,
    })
  })

  it('may name Sentinels, the name of the primary, and a database', () => {
    const { topology, access, replicas } = resolveRedisOptions('redis+sentinel://shop:pw@a,b:7000,[::1]/my-primary.1/4')
    expect(topology).toMatchObject({
      kind: 'sentinel',
      name: 'my-primary.1',
      endpoints: [
        { host: 'a', port: 26_379 },
        { host: 'b', port: 7000 },
        { host: '::1', port: 26_379 },
      ],
    })
    expect(access.credentials()).toEqual({ username: 'shop', password: 'pw' })
    expect({ database: access.database, replicas }).toEqual({ database: 4, replicas: 1 })
  })

  it('may name nodes of a cluster', () => {
    const { topology, replicas } = resolveRedisOptions('redis+cluster://a,b:7000')
    expect(topology).toMatchObject({
      kind: 'cluster',
      endpoints: [
        { host: 'a', port: 6379 },
        { host: 'b', port: 7000 },
      ],
    })
    expect(replicas).toBe(1)
  })

  it.each(['rediss://h', 'rediss+sentinel://h/name', 'rediss+cluster://h'])(
    '%s means TLS, with the options of tls',
    (url) => {
      expect(resolveRedisOptions(url).access.tls).toEqual({})
      expect(resolveRedisOptions({ url, tls: { servername: 'cache' } }).access.tls).toEqual({ servername: 'cache' })
    },
  )

  it('with rediss: has certificates that can be read', () => {
    expect(refusal({ url: 'rediss://h', tls: { cert: 'nonsense' } }).option).toBe('tls')
  })

  it.each([
    '',
    'h:6379',
    'http://h',
    'redis:',
    'redis:///3',
    'redis://h/x',
    'redis://h/1/2',
    'redis://h?prefix=x',
    'redis://h#x',
    'redis://%zz@h',
    'redis://h:0',
    'redis://h:65536',
    'redis://a,b',
    'redis+sentinel://a,b',
    'redis+sentinel://a,b/',
    'redis+sentinel://a,,b/name',
    'redis+sentinel://a/na me',
    'redis+sentinel://a/name/x',
    'redis+cluster://a/0',
    'redis+clusters://a',
    'unix:relative.sock',
    'unix:',
    'unix://host/path.sock',
    5,
    undefined,
  ])('%j is refused', (url) => {
    expect(refusal({ url }).option).toBe('url')
  })

  it.each(['redis://:hunter2@h/nonsense', 'rediss+cluster://u:hunter2@h,/3', 'unix://:hunter2@x', 'redi://:hunter2@h'])(
    '%s is not repeated where it is refused, because it may have a password',
    (url) => {
      expect(refusal(url).message).not.toContain('hunter2')
    },
  )
})

describe('user and password', () => {
  it('may be options', async () => {
    expect(await serverOf({ url: 'redis://h', username: 'shop', password: 'p@ss' })).toMatchObject({
      username: 'shop',
      password: 'p@ss',
    })
  })

  it('may be asked for at each connect', () => {
    let password = 'first'
    const { access } = resolveRedisOptions({ url: 'redis://h', credentials: () => ({ username: 'shop', password }) })
    password = 'second'
    expect(access.credentials()).toEqual({ username: 'shop', password: 'second' })
    expect(access.rotating).toBe(true)
  })

  it('of the Sentinels are others', () => {
    const url = 'rediss+sentinel://shop:pw@h/name'
    const { access, sentinelAccess } = resolveRedisOptions({
      url,
      tls: { servername: 'a' },
      sentinel: { username: 'asker', password: 'other' },
    })
    expect(access.credentials()).toEqual({ username: 'shop', password: 'pw' })
    expect(sentinelAccess.credentials()).toEqual({ username: 'asker', password: 'other' })
    expect(sentinelAccess.tls).toEqual({ servername: 'a' })
    expect(resolveRedisOptions({ url, sentinel: { tls: false } }).sentinelAccess.tls).toBeUndefined()
    expect(resolveRedisOptions(url).sentinelAccess.credentials()).toEqual({})
  })

  it.each<[string, object]>([
    ['password', { url: 'redis://:pw@h', password: 'other' }],
    ['username', { url: 'redis://h', username: '' }],
    ['credentials', { url: 'redis://:pw@h', credentials: () => ({}) }],
    ['credentials', { url: 'redis://h', password: 'pw', credentials: () => ({}) }],
    ['credentials', { url: 'redis://h', credentials: { username: 'u' } }],
    ['sentinel', { url: 'redis://h', sentinel: {} }],
    ['sentinel.user', { url: 'redis+sentinel://h/n', sentinel: { user: 'u' } }],
    ['sentinel.password', { url: 'redis+sentinel://h/n', sentinel: { password: 5 } }],
    ['sentinel.tls', { url: 'redis+sentinel://h/n', sentinel: { tls: { key: 'nonsense' } } }],
  ])('%s is refused in %j', (option, options) => {
    expect(refusal(options).option).toBe(option)
  })
})

describe('the options of a Redis store', () => {
  it.each([
    ['prefix', 'hf'],
    ['prefix', 'h f:'],
    ['prefix', '@:'],
    ['prefix', ''],
    ['prefix', `${'x'.repeat(64)}:`],
    ['name', 'a:b'],
    ['name', 'x'.repeat(33)],
    ['deadline', '1 s'],
    ['deadline', 0],
    ['deadline', -1],
    ['maxPending', 0],
    ['maxPending', 1.5],
    ['tls', {}],
    ['replicas', -1],
    ['replicas', 1.5],
    ['database', -1],
    ['database', '1'],
    ['database', 1.5],
  ])('%s: %j is refused by its name', (option, value) => {
    expect(refusal({ url: 'redis://h', [option]: value }).option).toBe(option)
  })

  it('name one database, where there are any', () => {
    expect(refusal({ url: 'redis://h/1', database: 2 }).option).toBe('database')
    expect(refusal({ url: 'redis+cluster://h', database: 0 }).option).toBe('database')
    expect(refusal({ url: 'unix:/s', tls: {} }).option).toBe('tls')
  })

  it('that are unknown are refused with the near name', () => {
    expect(refusal({ url: 'redis://h', prefx: 'x:' }).message).toContain('prefix')
  })

  it('may be undefined', () => {
    const nothing = {
      prefix: undefined,
      name: undefined,
      deadline: undefined,
      maxPending: undefined,
      tls: undefined,
      credentials: undefined,
      sentinel: undefined,
    }
    const resolved = (options: string | RedisStoreOptions) => JSON.stringify(resolveRedisOptions(options))
    expect(resolved({ url: 'redis://h', ...nothing })).toEqual(resolved('redis://h'))
  })

  it('take a deadline as a duration or in milliseconds', () => {
    expect(resolveRedisOptions({ url: 'redis://h', deadline: '2s' }).deadline).toBe(2000)
    expect(resolveRedisOptions({ url: 'redis://h', deadline: 250 }).deadline).toBe(250)
  })
})

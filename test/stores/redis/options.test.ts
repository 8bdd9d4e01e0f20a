import { describe, expect, it } from 'vitest'

import { OptionsError } from '../../../src/errors.ts'
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

describe('the URL of a Redis store', () => {
  it('needs a host only', () => {
    const { address, where, prefix, deadline } = resolveRedisOptions('redis://10.0.0.5')
    expect(address).toEqual({
      host: '10.0.0.5',
      port: 6379,
      username: undefined,
      password: undefined,
      database: 0,
      tls: undefined,
    })
    expect({ where, prefix, deadline }).toEqual({ where: '10.0.0.5:6379', prefix: 'hf:', deadline: 1000 })
  })

  it('may have user, password, port and database, percent-encoded', () => {
    const { address } = resolveRedisOptions('redis://shop:p%40ss%2Fword@cache.example:7000/3')
    expect(address).toMatchObject({
      host: 'cache.example',
      port: 7000,
      username: 'shop',
      password: 'p@ss/word',
      database: 3,
    })
  })

  it('may have a password alone', () => {
    expect(resolveRedisOptions('redis://:secret@h').address).toMatchObject({ username: undefined, password: 'secret' })
  })

  it('may be an IPv6 address', () => {
    expect(resolveRedisOptions('redis://[::1]:7000')).toMatchObject({ where: '[::1]:7000', address: { host: '::1' } })
  })

  it('with rediss: means TLS, with the options of tls', () => {
    expect(resolveRedisOptions('rediss://h').address.tls).toEqual({})
    expect(resolveRedisOptions({ url: 'rediss://h', tls: { servername: 'cache' } }).address.tls).toEqual({
      servername: 'cache',
    })
  })

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
    5,
    undefined,
  ])('%j is refused', (url) => {
    expect(refusal({ url }).option).toBe('url')
  })

  it('is not repeated where it is refused, because it may have a password', () => {
    expect(refusal('redis://:hunter2@h/nonsense').message).not.toContain('hunter2')
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
  ])('%s: %j is refused by its name', (option, value) => {
    expect(refusal({ url: 'redis://h', [option]: value }).option).toBe(option)
  })

  it('that are unknown are refused with the near name', () => {
    expect(refusal({ url: 'redis://h', prefx: 'x:' }).message).toContain('prefix')
  })

  it('may be undefined', () => {
    const nothing = { prefix: undefined, name: undefined, deadline: undefined, maxPending: undefined, tls: undefined }
    expect(resolveRedisOptions({ url: 'redis://h', ...nothing })).toEqual(resolveRedisOptions('redis://h'))
  })

  it('take a deadline as a duration or in milliseconds', () => {
    expect(resolveRedisOptions({ url: 'redis://h', deadline: '2s' }).deadline).toBe(2000)
    expect(resolveRedisOptions({ url: 'redis://h', deadline: 250 }).deadline).toBe(250)
  })
})

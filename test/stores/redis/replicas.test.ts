/** Writes that a replica confirms, on real servers. */
import { describe, expect, it, onTestFinished } from 'vitest'

import { endedMarker } from '../../../src/core/record.ts'
import { DONE, UNCONFIRMED } from '../../../src/core/store.ts'
import { ask, until } from '../../support/asking.ts'
import type { RedisServer } from '../../support/redis-server.ts'
import { LONG, newSelector, openStore, record, server, version } from './fixture.ts'

const MARKER = endedMarker('revoked')

async function pair(): Promise<{ primary: RedisServer; replica: RedisServer }> {
  const primary = await server('--repl-diskless-sync-delay', '0')
  const replica = await server('--replicaof', '127.0.0.1', String(primary.port))
  // By the primary's word, which counts a replica only once that has confirmed something.
  await until('a replica that confirms', async () => {
    await ask(primary, 'set', 'something', 'to confirm')
    return /state=online,offset=[1-9]/.test(await ask(primary, 'info', 'replication'))
  })
  return { primary, replica }
}

describe('one server with a replica', () => {
  it('is asked for no confirmation unless the option replicas says so', async () => {
    const { primary, replica } = await pair()
    const opened = await openStore(primary.url)
    replica.pause()
    expect(await opened.end(newSelector(), MARKER, LONG)).toEqual(DONE)
    expect(await primary.cli('info', 'commandstats')).not.toContain('cmdstat_wait')
  })

  it('confirms with it, and everything that ends something has been written by then', async () => {
    const { primary, replica } = await pair()
    const opened = await openStore({ url: primary.url, replicas: 1 })
    const selector = newSelector()
    expect(await opened.create(selector, record(1), LONG, 'replicated')).toEqual(DONE)
    expect(await opened.replace(selector, version(1), record(2), LONG, 'replicated')).toEqual(DONE)
    expect(await opened.end(selector, MARKER, LONG)).toEqual(DONE)
    expect((await opened.bar('ada', LONG)).durable).toBe(true)
    expect((await opened.moveEpoch()).durable).toBe(true)
    expect(await replica.cli('exists', `hf:${selector}`, 'hf:@ada', 'hf:#')).toBe('3')
  })

  it('is not believed to have more replicas than it has', async () => {
    const { primary } = await pair()
    const opened = await openStore({ url: primary.url, replicas: 2, deadline: 500 })
    expect(await opened.end(newSelector(), MARKER, LONG)).toEqual(UNCONFIRMED)
  })

  // From Redis 7.2 on WAIT waits for what this connection wrote: what wrote nothing would be confirmed without being asked for.
  it('is written to by every call that is to be confirmed, also where nothing changes', async () => {
    const redis = await server()
    const stores = await Promise.all([1, 2].map(() => openStore(redis.url)))
    const selector = newSelector()
    await stores[0]!.end(selector, MARKER, LONG)
    await stores[0]!.bar('ada', LONG)
    const calls = [
      () => stores[1]!.end(selector, MARKER, LONG),
      () => stores[1]!.bar('ada', LONG),
      () => stores[1]!.moveEpoch(),
    ]
    for (const call of calls) {
      const before = await dirty(redis)
      await call()
      expect(await dirty(redis)).toBeGreaterThan(before)
    }
    // Several in the very millisecond.
    const before = await dirty(redis)
    await Promise.all(Array.from({ length: 50 }, async () => stores[1]!.bar('ada', LONG)))
    expect((await dirty(redis)) - before).toBeGreaterThanOrEqual(50)
    expect(await redis.cli('pttl', `hf:${selector}`)).not.toBe('-1')
  })

  it('confirms many at once with few questions', async () => {
    const { primary } = await pair()
    const opened = await openStore({ url: primary.url, replicas: 1, deadline: 10_000 })
    await opened.end(newSelector(), MARKER, LONG)
    await primary.cli('config', 'resetstat')
    const ends = Array.from({ length: 1_000 }, async () => opened.end(newSelector(), MARKER, LONG))
    expect(new Set(await Promise.all(ends))).toEqual(new Set([DONE]))
    const waits = Number(/cmdstat_wait:calls=(\d+)/.exec(await primary.cli('info', 'commandstats'))?.[1])
    expect(waits).toBeLessThan(20)
  })

  it('does not keep reads waiting while a replica is asked', async () => {
    const { primary, replica } = await pair()
    const opened = await openStore({ url: primary.url, replicas: 1 })
    replica.pause()
    onTestFinished(() => replica.resume())
    const answered: string[] = []
    const ending = Promise.resolve(opened.end(newSelector(), MARKER, LONG)).finally(() => answered.push('the end'))
    await opened.load(newSelector())
    answered.push('the read')
    expect(await ending).toEqual(UNCONFIRMED)
    expect(answered).toEqual(['the read', 'the end'])
  })
})

/** How many changes the server has made since it was started. */
async function dirty(redis: RedisServer): Promise<number> {
  return Number(/rdb_changes_since_last_save:(\d+)/.exec(await redis.cli('info', 'persistence'))?.[1])
}

import { beforeAll, describe, expect, it, afterAll } from 'vitest'

import { endedMarker } from '../../../src/core/record.ts'
import type { Store } from '../../../src/core/store.ts'
import { DONE } from '../../../src/core/store.ts'
import { StoreUnavailableError } from '../../../src/errors.ts'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { ask } from '../../support/asking.ts'
import { type RedisServer, startRedisServer } from '../../support/redis-server.ts'
import { failure, LONG, newSelector, record, version } from './fixture.ts'

const MARKER = endedMarker('revoked')
const kept = newSelector()
let redis: RedisServer
let full: Store

beforeAll(async () => {
  redis = await startRedisServer({ args: ['--maxmemory', '3mb', '--maxmemory-policy', 'noeviction'] })
  full = redisStore(redis.url)
  await full.open()
  await full.create(kept, record(1, { user: 'ada' }), LONG)
  await full.enroll('ada', kept, LONG)
  await fill(full)
  // Well below what is used: the memory of its clients comes and goes.
  await ask(redis, 'config', 'set', 'maxmemory', '2mb')
})

afterAll(async () => {
  await full.close()
  await redis.stop()
})

/** Stores records until there is no room for another. */
async function fill(store: Store): Promise<void> {
  for (;;) {
    try {
      await store.create(newSelector(), record(1, { body: new Uint8Array(4_096) }), LONG)
    } catch (error) {
      if (error instanceof StoreUnavailableError) return
      throw error
    }
  }
}

describe('a full server (maxmemory, noeviction)', () => {
  it.each<[string, () => unknown]>([
    ['create', () => full.create(newSelector(), record(1), LONG)],
    ['replace', () => full.replace(kept, version(1), record(2), LONG)],
    ['enroll', () => full.enroll('bob', newSelector(), LONG)],
    ['nextLease', () => full.nextLease()],
  ])('refuses %s as unavailable and not applied', async (_, call) => {
    const { error } = await failure(call)
    expect(error.message).toContain('OOM')
    expect(error.applied).toBe('no')
    expect(error.retryAfter).toBe(5)
  })

  it('I6: goes on reading', async () => {
    expect(new Uint8Array((await full.load(kept)) ?? [])).toEqual(record(1, { user: 'ada' }))
    expect(await full.remaining(kept)).toBeGreaterThan(0)
    expect((await full.roll('ada')).entries).toHaveLength(1)
    expect((await full.epoch()).epoch).toBe(0)
  })

  it('keeps sessions from expiring under those who use them', async () => {
    expect(await full.touch(kept, LONG)).toBe('touched')
  })

  it('keeps leases', async () => {
    expect(await full.holdLease(1, 'me', LONG)).toBe('me')
  })

  it('I3: ends sessions, those with a record and those without, also with an empty script cache', async () => {
    const selectors = [newSelector(), newSelector()]
    expect(await full.end(selectors[0]!, MARKER, LONG)).toEqual(DONE)
    await redis.cli('script', 'flush')
    expect(await full.end(selectors[1]!, MARKER, LONG)).toEqual(DONE)
    expect(await full.end(kept, MARKER, LONG, { user: 'ada' })).toEqual(DONE)
    expect(new Uint8Array((await full.load(kept)) ?? [])).toEqual(MARKER)
  })

  it('I12: revokes a user, withdraws, and moves the epoch', async () => {
    const { notBefore, entries } = await full.bar('ada', LONG)
    expect(notBefore).toBeGreaterThan(0)
    expect(entries).toHaveLength(1)
    await full.withdraw('ada', kept)
    expect((await full.roll('ada')).entries).toEqual([])
    expect((await full.moveEpoch()).epoch).toBeGreaterThan(0)
  })
})

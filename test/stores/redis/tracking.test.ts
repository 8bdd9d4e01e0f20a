/** Redis tells of changes of what was read: always, or it says that it may not. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { setTimeout as wait } from 'node:timers/promises'

import { describe, expect, it, onTestFinished } from 'vitest'

import { endedMarker } from '../../../src/core/record.ts'
import type { Selector } from '../../../src/core/store.ts'
import { LONG, newSelector, openStore, record, server, store, version } from './fixture.ts'
import { arm, clientsOf, listenerOf, read, readerOf, tracking, wired } from './tracked.ts'

/** What a busy machine adds. */
const SLACK = 300
/** Longer than anything takes to be told of. */
const A_WHILE = 100

describe('before the first tracked load', () => {
  it('nothing is opened for it, and nothing asked', async () => {
    const redis = await server()
    const { store: idle } = await tracking(redis.url, 'idle')
    await idle.create(newSelector(), record(1), LONG)
    await idle.load(newSelector())
    await wait(A_WHILE)
    expect(await clientsOf(redis)).toHaveLength(1)
    expect(await redis.cli('info', 'commandstats')).not.toMatch(/cmdstat_client\|tracking|subscribe/)
  })

  it('and that one does not wait for it: the first answers are not tracked, later ones are', async () => {
    const redis = await server()
    const { store: fresh, untracked } = await tracking(redis.url, 'idle')
    const selector = newSelector()
    await fresh.create(selector, record(1), LONG)
    expect(await fresh.loadTracked(selector)).toEqual({ found: Buffer.from(record(1)), tracked: false })
    expect(await arm(fresh)).toBeGreaterThan(1)
    expect(await fresh.loadTracked(selector)).toEqual({ found: Buffer.from(record(1)), tracked: true })
    expect(untracked).toEqual([])
    expect((await readerOf(redis)).redir).toBe((await listenerOf(redis)).id)
  })
})

describe('what was read', () => {
  it('is told of once when it changes, whoever changes it, and again only when it was read again', async () => {
    const redis = await server()
    const { store: one, changed } = await tracking(redis.url)
    const other = await openStore(redis.url)
    const selector = newSelector()
    await one.create(selector, record(1), LONG)
    await read(one, selector)
    await other.replace(selector, version(1), record(2), LONG)
    await other.replace(selector, version(2), record(3), LONG)
    await expect.poll(() => changed.filter((told) => told === selector)).toHaveLength(1)
    await read(one, selector)
    await one.end(selector, endedMarker('revoked'), LONG)
    await expect.poll(() => changed.filter((told) => told === selector)).toHaveLength(2)
    await wait(A_WHILE)
    expect(changed.filter((told) => told === selector)).toHaveLength(2)
  })

  it('is told of when nothing was there and something is, when it is touched, and when it expires', async () => {
    const redis = await server()
    const { store: one, changed } = await tracking(redis.url)
    const other = await openStore(redis.url)
    const [absent, touched, short] = [newSelector(), newSelector(), newSelector()]
    await other.create(touched, record(1), LONG)
    await other.create(short, record(1), 300)
    for (const selector of [absent, touched, short]) await read(one, selector)
    await other.create(absent, record(1), LONG)
    await other.touch(touched, LONG * 2)
    await expect.poll(() => changed).toEqual(expect.arrayContaining([absent, touched, short]))
  })

  it('is told of when the server can remember no more of it', async () => {
    const redis = await server('--tracking-table-max-keys', '10')
    const { store: one, changed } = await tracking(redis.url)
    const selectors = Array.from({ length: 50 }, newSelector)
    for (const selector of selectors) await read(one, selector)
    await expect
      .poll(() => selectors.filter((selector) => changed.includes(selector)).length)
      .toBeGreaterThanOrEqual(40)
  })

  it('is all that is told of: of other keys, those of other applications too, nothing is', async () => {
    const redis = await server()
    const { store: one, changed, untracked } = await tracking(redis.url)
    const other = await openStore({ url: redis.url, name: 'other' })
    const selector = newSelector()
    await one.enroll('ada', selector, LONG)
    await one.roll('ada')
    await one.nextLease()
    await one.epoch()
    await one.moveEpoch()
    await other.create(selector, record(1), LONG)
    await one.bar('ada', LONG)
    await redis.cli('set', `hf:other:${selector}`, 'x')
    await redis.cli('set', 'hf:short', 'x')
    await wait(A_WHILE)
    expect([changed, untracked]).toEqual([[], []])
  })

  it('may all be old after FLUSHALL, and FLUSHDB of any database', async () => {
    const redis = await server()
    const { store: one, untracked } = await tracking(redis.url)
    await read(one, newSelector())
    await redis.cli('flushall')
    await expect.poll(() => untracked.length).toBe(1)
    await read(one, newSelector())
    await redis.cli('-n', '1', 'set', 'a', 'b')
    await redis.cli('-n', '1', 'flushdb')
    await expect.poll(() => untracked.length).toBe(2)
  })

  it('is not touched by SCRIPT FLUSH', async () => {
    const redis = await server()
    const { store: one, changed, untracked } = await tracking(redis.url)
    const selector = newSelector()
    await one.create(selector, record(1), LONG)
    await read(one, selector)
    await redis.cli('script', 'flush')
    await one.replace(selector, version(1), record(2), LONG)
    await expect.poll(() => changed).toEqual([selector])
    expect(untracked).toEqual([])
  })
})

describe('a channel that breaks', () => {
  it('because the connection that listens is closed: is told of, and made anew over the same line', async () => {
    const redis = await server()
    const { store: one, changed, untracked } = await tracking(redis.url)
    const before = await readerOf(redis)
    await redis.cli('client', 'kill', 'id', (await listenerOf(redis)).id)
    await expect.poll(() => untracked.length).toBe(1)
    await arm(one)
    const after = await readerOf(redis)
    expect([after.id, after.redir]).toEqual([before.id, (await listenerOf(redis)).id])
    // R: the one that it redirects to is gone.
    expect(after.flags).not.toContain('R')
    await expectNews(one, changed)
    expect(untracked).toHaveLength(1)
  })

  it('because the line is closed: is told of, and made anew over the next one', async () => {
    const redis = await server()
    const { store: one, changed, untracked } = await tracking(redis.url)
    await redis.cli('client', 'kill', 'id', (await readerOf(redis)).id)
    await expect.poll(() => untracked.length).toBe(1)
    await arm(one)
    await expectNews(one, changed)
    expect(untracked).toHaveLength(1)
    expect(await clientsOf(redis)).toHaveLength(2)
  })

  it.each([
    ['the connection that listens', 1, 1_000],
    ['the line', 0, 1_000],
    ['the connection that listens, with a short deadline', 1, 300],
    ['the line, with a short deadline', 0, 300],
  ] as const)('because nothing passes on %s any more: is told of soon', { retry: 2 }, async (_, number, deadline) => {
    const redis = await server()
    const { url, wires } = await wired(() => redis.port)
    const { store: one, changed, untracked } = await tracking({ url, deadline })
    const frozen = performance.now()
    wires[number]?.freeze('dropped')
    await expect.poll(() => untracked.length, { interval: 5, timeout: 3_000 }).toBe(1)
    expect(untracked[0]! - frozen).toBeLessThan(Math.min(deadline, 850) + SLACK)
    await arm(one)
    await expectNews(one, changed)
  })

  it('because the server hangs (SIGSTOP): is told of soon, and made anew when it goes on', { retry: 2 }, async () => {
    const redis = await server()
    const { store: one, changed, untracked } = await tracking(redis.url)
    const paused = performance.now()
    redis.pause()
    await expect.poll(() => untracked.length, { interval: 5, timeout: 3_000 }).toBe(1)
    expect(untracked[0]! - paused).toBeLessThan(850 + SLACK)
    redis.resume()
    await arm(one)
    await expectNews(one, changed)
  })

  it('because the server is killed (kill -9): is told of at once, and made anew when it is back', async () => {
    const redis = await server()
    const { store: one, changed, untracked } = await tracking(redis.url)
    await redis.kill()
    await expect.poll(() => untracked.length).toBe(1)
    await redis.start()
    await arm(one)
    await expectNews(one, changed)
  })

  it('because the store is closed: is told of', async () => {
    const redis = await server()
    const { store: one, untracked } = await tracking(redis.url)
    await one.close()
    expect(untracked).toHaveLength(1)
    await expect.poll(() => clientsOf(redis)).toEqual([])
  })

  it('is not taken for broken because this process was busy', { retry: 2 }, async () => {
    const redis = await server()
    const { store: one, changed, untracked } = await tracking(redis.url)
    for (let times = 0; times < 8; times++) {
      const until = performance.now() + 700
      while (performance.now() < until);
      // Now and then in the very turn in which the ends are asked.
      await wait(times % 2 === 0 ? 300 : 350)
    }
    expect(untracked).toEqual([])
    await expectNews(one, changed)
  })
})

describe('where nobody may be told', () => {
  it.each([
    ['a user who may not redirect', ['-client|tracking']],
    ['a user who may not listen', ['resetchannels']],
    ['a user who may not ask for numbers', ['-client|id']],
    ['a user who may not ask whether it is still so', ['-client|getredir']],
    ['a server that does not say which one it is', ['-info']],
  ])('%s: loads are answered, untracked, and that is said once', async (_, rights) => {
    const redis = await server()
    await redis.cli('acl', 'setuser', 'shop', 'on', '>pw', '~hf:*', '&*', '+@all', ...rights)
    const said = heard()
    const { store: one, untracked } = await tracking(`redis://shop:pw@127.0.0.1:${redis.port}`, 'idle')
    const selector = newSelector()
    await one.create(selector, record(1), LONG)
    await one.loadTracked(selector)
    await expect.poll(() => said.length, { timeout: 3_000 }).toBe(1)
    for (let times = 0; times < 5; times++) {
      await wait(50)
      expect(await one.loadTracked(selector)).toEqual({ found: Buffer.from(record(1)), tracked: false })
    }
    expect(said).toMatchObject([{ store: 'redis', operation: 'loadTracked' }])
    expect(untracked).toEqual([])
  })

  it('two servers behind one address: nothing is tracked, for another one would be told', async () => {
    const [redis, other] = [await server(), await server()]
    const { url } = await wired((number) => (number === 0 ? redis.port : other.port))
    const { store: one } = await tracking(url, 'idle')
    await expect(arm(one, 1_000)).rejects.toThrow('not told of')
    expect(await redis.cli('info', 'commandstats')).not.toContain('client|tracking')
  })

  it("the application's own client: there is no such method", async () => {
    const redis = await server()
    const { Redis } = await import('ioredis')
    const client = new Redis(redis.port)
    onTestFinished(() => client.disconnect())
    const { redisStore } = await import('holdfast/redis')
    expect(redisStore({ client }).loadTracked).toBeUndefined()
    expect(store(redis.url).loadTracked).toBeDefined()
  })
})

/** Everything that stores say of failures, until the test is over. */
function heard(): unknown[] {
  const said: unknown[] = []
  const listener = (message: unknown): void => void said.push(message)
  subscribe('holdfast:store', listener)
  onTestFinished(() => void unsubscribe('holdfast:store', listener))
  return said
}

/** Changes are told of now. */
async function expectNews(one: Parameters<typeof read>[0], changed: readonly Selector[]): Promise<void> {
  const selector = newSelector()
  await one.create(selector, record(1), LONG)
  await read(one, selector)
  await one.replace(selector, version(1), record(2), LONG)
  await expect.poll(() => changed).toContain(selector)
}

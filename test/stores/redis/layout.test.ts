import { connect } from 'node:net'

import { beforeEach, describe, expect, it, vi } from 'vitest'

import { endedMarker } from '../../../src/core/record.ts'
import type { Selector, Store } from '../../../src/core/store.ts'
import { DONE } from '../../../src/core/store.ts'
import { STANDING_QUESTION } from '../../../src/stores/redis/standing.ts'
import type { RedisServer } from '../../support/redis-server.ts'
import { LONG, newSelector, openStore, record, server, version } from './fixture.ts'

const MARKER = endedMarker('signed-out')
let redis: RedisServer
let opened: Store

beforeEach(async () => {
  redis = await server()
  opened = await openStore(redis.url)
})

/** Every method, on one visit from its first stored value to its end. */
function methods(store: Store, selector: Selector): Record<string, () => unknown> {
  return {
    create: () => store.create(selector, record(1, { user: 'ada' }), LONG),
    load: () => store.load(selector),
    remaining: () => store.remaining(selector),
    replace: () => store.replace(selector, version(1), record(2, { user: 'ada' }), LONG),
    'replace of another version': () => store.replace(selector, version(1), record(2), LONG),
    touch: () => store.touch(selector, LONG),
    enroll: () => store.enroll('ada', selector, LONG),
    roll: () => store.roll('ada'),
    bar: () => store.bar('ada', LONG),
    'withdraw up to a moment': () => store.withdraw('ada', selector, 1),
    withdraw: () => store.withdraw('ada', selector),
    'end of another user': () => store.end(selector, MARKER, LONG, { user: 'bob' }),
    end: () => store.end(selector, MARKER, LONG, { user: 'ada' }),
    nextLease: () => store.nextLease(),
    holdLease: () => store.holdLease(1, 'me', LONG),
    epoch: () => store.epoch(),
    moveEpoch: () => store.moveEpoch(),
  }
}

async function all(calls: Record<string, () => unknown>): Promise<void> {
  for (const call of Object.values(calls)) await call()
}

describe('commands', () => {
  it('every method is one command, counted as it is sent', async () => {
    await all(methods(opened, newSelector()))
    for (const [name, call] of Object.entries(methods(opened, newSelector()))) {
      const before = opened.stats().commands
      const seen = await seenBy(redis, call)
      expect({
        name,
        sent: opened.stats().commands - before,
        seen: seen.filter(({ source }) => source !== 'lua').length,
      }).toEqual({ name, sent: 1, seen: 1 })
    }
  })

  it('every script touches the one key that it names, as the server saw it', async () => {
    const seen = await seenBy(redis, () => all(methods(opened, newSelector())))
    expect(seen.filter(({ source }) => source === 'lua').length).toBeGreaterThan(20)
    let named: string | undefined
    for (const { source, words } of seen) {
      if (/^eval/i.test(words[0] ?? '')) named = words[3]
      else if (source === 'lua' && words[0] !== 'TIME') expect(words[1]).toBe(named)
    }
  })

  it('requests of the same turn leave together', async () => {
    await opened.load(newSelector())
    const before = await reads()
    await Promise.all(Array.from({ length: 100 }, async () => opened.load(newSelector())))
    expect((await reads()) - before).toBeLessThan(10)
  })

  it('a flushed script cache is not noticed: the script is sent whole, once', async () => {
    const selector = newSelector()
    await opened.create(selector, record(1), LONG)
    await opened.replace(selector, version(1), record(2), LONG)
    await redis.cli('script', 'flush')
    const before = opened.stats().commands
    expect(await opened.replace(selector, version(2), record(3), LONG)).toEqual(DONE)
    expect(await opened.replace(selector, version(3), record(4), LONG)).toEqual(DONE)
    expect(opened.stats().commands - before).toBe(3)
  })
})

describe('keys', () => {
  it('I12: every key expires, the lease counter aside', async () => {
    const [first, second] = [newSelector(), newSelector()]
    await all(methods(opened, first))
    await opened.create(second, record(1), LONG)
    await opened.enroll('bob', second, LONG)
    await opened.bar('carol', LONG)
    const lasting: string[] = []
    for (const key of await keys()) if ((await redis.cli('pttl', key)) === '-1') lasting.push(key)
    expect(lasting).toEqual(['hf:#'])
    expect(await keys()).toHaveLength(7)
  })

  it('two applications in one database do not meet, by name or by prefix', async () => {
    const shop = await openStore({ url: redis.url, name: 'shop' })
    const other = await openStore({ url: redis.url, prefix: 'other:' })
    const selector = newSelector()
    const stores = [opened, shop, other]
    for (const [at, store] of stores.entries()) expect(await store.create(selector, record(at), LONG)).toEqual(DONE)
    await shop.enroll('ada', selector, LONG)
    expect((await opened.roll('ada')).entries).toEqual([])
    expect((await other.bar('ada', LONG)).entries).toEqual([])
    expect(await Promise.all(stores.map(async (store) => store.nextLease()))).toEqual([1, 1, 1])
    await opened.moveEpoch()
    expect((await shop.epoch()).epoch).toBe(0)
    await other.end(selector, MARKER, LONG)
    expect(new Uint8Array((await shop.load(selector)) ?? [])).toEqual(record(1))
  })

  it('a user whose id looks like another key meets only that user', async () => {
    for (const user of ['#', '@', '!', '', 'shop:@ada', newSelector(), '{}', 'a b', 'naïve 🙂']) {
      const selector = newSelector()
      await opened.enroll(user, selector, LONG)
      expect((await opened.roll(user)).entries.map((entry) => entry.selector)).toEqual([selector])
    }
    expect(await opened.nextLease()).toBe(1)
  })

  it('the key and value of a record are bytes that come back as they were', async () => {
    const selector = newSelector()
    const body = Uint8Array.from({ length: 256 }, (_, at) => at)
    await opened.create(selector, record(1, { body }), LONG)
    expect(new Uint8Array((await opened.load(selector)) ?? [])).toEqual(record(1, { body }))
  })
})

async function keys(): Promise<string[]> {
  return (await redis.cli('--scan')).split('\n').filter((key) => key !== '')
}

async function reads(): Promise<number> {
  return Number(/total_reads_processed:(\d+)/.exec(await redis.cli('info', 'stats'))?.[1])
}

interface Seen {
  /** `lua`, or the client's address. */
  readonly source: string
  readonly words: readonly string[]
}

/** What the server saw of commands while `run` ran. */
async function seenBy({ port }: RedisServer, run: () => unknown): Promise<Seen[]> {
  const socket = connect(port, '127.0.0.1')
  let text = ''
  socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk))
  socket.write('MONITOR\r\n')
  await vi.waitUntil(() => text.includes('+OK'))
  await run()
  await redis.cli('echo', 'over')
  await vi.waitUntil(() => text.includes('"over"'))
  socket.destroy()
  const lines = text.split('\r\n').flatMap((entry) => {
    const [, source, rest] = /^\+[\d.]+ \[\d+ ([^\]]+)\] (.*)$/.exec(entry) ?? []
    if (source === undefined || rest === undefined) return []
    return [{ source, words: Array.from(rest.matchAll(/"((?:[^"\\]|\\.)*)"/g), ([, word]) => word ?? '') }]
  })
  // Besides what is called for, the store asks now and then how the server stands.
  return lines.filter(({ words }) => words[0] !== 'echo' && words[0] !== STANDING_QUESTION[0])
}

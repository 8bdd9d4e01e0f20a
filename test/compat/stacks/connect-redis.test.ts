/** connect-redis, and the drop-in for it, on a real Redis: what is stored, for how long, and servers of both kinds side by side. */
import type { ErrorRequestHandler, Express } from 'express'
import { RedisStore as DropIn } from 'holdfast/connect-redis'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'

import { loadPeer } from '../../../proof/peers.ts'
import { startRedisServer, type RedisServer } from '../../support/redis-server.ts'
import { implementations, PEERS, type TestedStore } from '../express-session/implementations.ts'
import { middlewareOf, serve, sessionOf, shown, stacks, type Serving, type Stack } from './stack.ts'

interface Client {
  connect(): Promise<unknown>
  destroy(): void
  on(event: string, listener: (error: unknown) => void): unknown
  readonly isReady: boolean
}

interface Redis extends TestedStore {
  all(): Promise<readonly { readonly id: string }[]>
  ids(): Promise<readonly string[]>
  length(): Promise<number>
  clear(): Promise<void>
}

const { createClient } = await loadPeer<{ createClient(options: object): Client }>('redis', PEERS)
type MakeStore = new (options: object) => Redis

const { RedisStore } = await loadPeer<{ RedisStore: MakeStore }>('connect-redis', PEERS)
const stores = [
  { kind: 'connect-redis 9.0.0', Store: RedisStore },
  { kind: 'holdfast/connect-redis', Store: DropIn as unknown as MakeStore },
]

let redis: RedisServer
let client: Client

beforeAll(async () => {
  redis = await startRedisServer()
  client = createClient({ url: redis.url, disableOfflineQueue: true, socket: { reconnectStrategy: () => 20 } })
  client.on('error', () => undefined)
  await client.connect()
})

afterAll(async () => {
  client.destroy()
  await redis.stop()
})

beforeEach(() => redis.cli('flushall'))

async function open(
  { Store = RedisStore, ...stack }: Stack & { readonly Store?: MakeStore },
  options: object = {},
  storing: object = {},
): Promise<Serving & { store: Redis }> {
  const store = new Store({ client, ...storing })
  const app: Express = stack.express()
  app.use(middlewareOf(stack, { store, ...options }))
  app.get('/count', (request, response) => {
    const mine = sessionOf(request)
    mine['count'] = Number(mine['count'] ?? 0) + 1
    response.send(String(mine['count']))
  })
  app.get('/forget-at-once', (request, response) => {
    sessionOf(request)['count'] = 0
    sessionOf(request).cookie.maxAge = -1_000
    response.send('forgotten')
  })
  app.get('/out', (request, response) => {
    sessionOf(request).destroy(() => response.send('out'))
  })
  app.get('/', (request, response) => {
    response.send(shown(request, 'count'))
  })
  // Express knows error handlers by their four parameters.
  const failed: ErrorRequestHandler = (error: Error, _request, response, _next) => {
    response.status(500).send(error.message)
  }
  app.use(failed)
  return { ...(await serve(app)), store }
}

async function keys(): Promise<string[]> {
  return (await redis.cli('keys', '*')).trim().split('\n').filter(Boolean)
}

const combinations = stacks.flatMap((stack) => stores.map((store) => ({ ...stack, ...store })))

describe.each(combinations)('$framework, $name, $kind', (stack) => {
  test('a session is JSON under sess: and its id, for as long as its cookie', async () => {
    await using shop = await open(stack, { cookie: { maxAge: 90_500 } })
    const browser = shop.browser()
    await browser.ask('/count')
    const [key] = await keys()
    const id = decodeURIComponent(browser.cookie).slice('connect.sid=s:'.length).split('.')[0]!
    expect(key).toBe(`sess:${id}`)
    const stored = JSON.parse(await redis.cli('get', key!)) as { cookie: { originalMaxAge: number } }
    expect(stored).toMatchObject({ count: 1, cookie: { httpOnly: true, path: '/' } })
    // The original looks at the clock twice.
    expect([90_500, stack.differs({ original: 90_499, dropIn: 90_500 })]).toContain(stored.cookie.originalMaxAge)
    expect([90, 91]).toContain(Number(await redis.cli('ttl', key!)))
  })

  test('a day, where the cookie has no age; prefix and ttl are the store’s own', async () => {
    await using shop = await open(stack)
    await shop.browser().ask('/count')
    const [key] = await keys()
    expect(Number(await redis.cli('ttl', key!))).toBeGreaterThan(86_390)
    await redis.cli('flushall')
    await using other = await open(stack, {}, { prefix: 'shop:', ttl: 50 })
    await other.browser().ask('/count')
    const [own] = await keys()
    expect(own).toMatch(/^shop:[\w-]{32}$/)
    expect(Number(await redis.cli('ttl', own!))).toBeLessThanOrEqual(50)
  })

  test('a visit that changes nothing moves its end', async () => {
    await using shop = await open(stack, { cookie: { maxAge: 90_000 } })
    const browser = shop.browser()
    await browser.ask('/count')
    const [key] = await keys()
    await redis.cli('expire', key!, '10')
    expect((await browser.ask('/')).text).toBe('1')
    expect(Number(await redis.cli('ttl', key!))).toBeGreaterThan(80)
  })

  test('an age below nothing ends it, and so does destroy()', async () => {
    await using shop = await open(stack, { cookie: { maxAge: 90_000 } })
    const browser = shop.browser()
    await browser.ask('/count')
    await browser.ask('/forget-at-once')
    expect(await keys()).toEqual([])
    await browser.ask('/count')
    expect((await keys()).length).toBe(1)
    await browser.ask('/out')
    expect(await keys()).toEqual([])
  })

  test('all, ids, length and clear are the store’s as ever', async () => {
    await using shop = await open(stack)
    for (let visitor = 0; visitor < 3; visitor++) await shop.browser().ask('/count')
    const { store } = shop
    expect([await store.length(), (await store.ids()).length, (await store.all()).length]).toEqual([3, 3, 3])
    await store.clear()
    expect(await keys()).toEqual([])
  })

  test('a Redis that is away is an error, and no visitor loses a session', async () => {
    await using shop = await open(stack)
    const browser = shop.browser()
    await browser.ask('/count')
    client.destroy()
    expect((await browser.ask('/count')).status).toBe(500)
    await client.connect()
    await vi.waitFor(() => expect(client.isReady).toBe(true))
    expect((await browser.ask('/count')).text).toBe('2')
  })
})

test.each(stores)(
  'servers of both kinds serve the same visitors, one visit here and one there: $kind on the new ones',
  async ({ Store }) => {
    const [original, dropIn] = stacks.filter(({ framework }) => framework === 'Express 5') as [Stack, Stack]
    expect([original.name, dropIn.name]).toEqual(implementations.map(({ name }) => name))
    await using old = await open(original, { cookie: { maxAge: 90_000 } })
    await using now = await open({ ...dropIn, Store }, { cookie: { maxAge: 90_000 } })
    const browser = old.browser()
    const texts: string[] = []
    for (const { origin } of [old, now, old, now]) texts.push((await browser.ask('/count', { at: origin })).text)
    expect(texts).toEqual(['1', '2', '3', '4'])
    await browser.ask('/out', { at: now.origin })
    expect(await keys()).toEqual([])
  },
)

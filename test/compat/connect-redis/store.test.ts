/** The drop-in for connect-redis and connect-redis itself, call by call, with both clients; and where they differ. */
import { EventEmitter } from 'node:events'
import { Redis } from 'ioredis'
import { RedisStore as DropIn, type RedisStoreOptions } from 'holdfast/connect-redis'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

import { loadPeer } from '../../../proof/peers.ts'
import { startCluster } from '../../support/redis-cluster.ts'
import { startRedisServer, type RedisServer } from '../../support/redis-server.ts'
import { PEERS } from '../express-session/implementations.ts'
import { middlewareOf, serve, sessionOf, stacks, type Serving } from '../stacks/stack.ts'

type Done = (error?: unknown, value?: unknown) => void

interface Store extends EventEmitter {
  [member: string]: unknown
  get(id: string, done?: Done): Promise<unknown>
  set(id: string, session: object, done?: Done): Promise<unknown>
  touch(id: string, session: object, done?: Done): Promise<unknown>
  destroy(id: string, done?: Done): Promise<unknown>
  clear(done?: Done): Promise<unknown>
  length(done?: Done): Promise<number>
  ids(done?: Done): Promise<string[]>
  all(done?: Done): Promise<{ id: string }[]>
}

type MakeStore = new (options: Omit<RedisStoreOptions, 'client'> & { client: object }) => Store

interface NodeRedis {
  connect(): Promise<unknown>
  destroy(): void
}

const peers = await loadPeer<{
  createClient(options: object): NodeRedis
  createCluster(options: object): NodeRedis
}>('redis', PEERS)
const { RedisStore } = await loadPeer<{ RedisStore: MakeStore }>('connect-redis', PEERS)
const Ours = DropIn as unknown as MakeStore

let redis: RedisServer
const clients: Record<string, object> = {}

beforeAll(async () => {
  redis = await startRedisServer()
  const client = peers.createClient({ url: redis.url })
  await client.connect()
  clients['node-redis'] = client
  clients['ioredis'] = new Redis(redis.port)
})

afterAll(async () => {
  ;(clients['node-redis'] as NodeRedis).destroy()
  ;(clients['ioredis'] as Redis).disconnect()
  await redis.stop()
})

beforeEach(() => redis.cli('flushall'))

const stores: { name: string; Store: MakeStore; client: string }[] = [
  { name: 'connect-redis 9.0.0', Store: RedisStore, client: 'node-redis' },
  { name: 'holdfast/connect-redis', Store: Ours, client: 'node-redis' },
  { name: 'holdfast/connect-redis', Store: Ours, client: 'ioredis' },
]

/** A session as a store is given it, `seconds` before its end. */
function visit(seconds?: number, more: object = {}): object {
  const expires = seconds === undefined ? null : new Date(Date.now() + seconds * 1000)
  return { cookie: { originalMaxAge: null, expires }, ...more }
}

async function ttl(id: string): Promise<number> {
  return Number(await redis.cli('ttl', id))
}

describe.each(stores)('$name on $client', ({ Store, client }) => {
  const make = (options: Omit<RedisStoreOptions, 'client'> = {}): Store =>
    new Store({ client: clients[client]!, ...options })

  it('has the public fields, with their defaults', () => {
    const { prefix, scanCount, ttl: life, disableTTL, disableTouch, serializer } = make()
    expect({ prefix, scanCount, ttl: life, disableTTL, disableTouch, serializer }).toEqual({
      prefix: 'sess:',
      scanCount: 100,
      ttl: 86_400,
      disableTTL: false,
      disableTouch: false,
      serializer: JSON,
    })
    expect(make()['client']).toBe(clients[client])
    expect(make({ prefix: '' })['prefix']).toBe('')
    expect(make({ scanCount: 0, ttl: 0 })).toMatchObject({ scanCount: 100, ttl: 86_400 })
    expect(make()).toBeInstanceOf(EventEmitter)
  })

  it('answers promises, and callbacks with the error first', async () => {
    const store = make()
    expect(await store.get('one')).toBeNull()
    expect(await store.set('one', visit(60, { name: 'Ada' }))).toBeNull()
    expect(await store.get('one')).toMatchObject({ name: 'Ada' })
    const called = (call: (done: Done) => unknown): Promise<unknown[]> =>
      new Promise((resolve) => call((...values) => resolve(values)))
    expect(await called((done) => store.set('two', visit(60), done))).toEqual([null, null])
    expect(await called((done) => store.get('none', done))).toEqual([null, null])
    expect((await called((done) => store.get('one', done)))[1]).toMatchObject({ name: 'Ada' })
    expect(await called((done) => store.touch('one', visit(60), done))).toEqual([null, null])
    expect(await called((done) => store.length(done))).toEqual([null, 2])
    expect(((await called((done) => store.ids(done)))[1] as string[]).toSorted()).toEqual(['one', 'two'])
    expect(await called((done) => store.destroy('two', done))).toEqual([null, null])
    expect(await called((done) => store.all(done))).toEqual([
      null,
      [expect.objectContaining({ id: 'one', name: 'Ada' })],
    ])
    expect(await called((done) => store.clear(done))).toEqual([null, null])
    expect(await store.ids()).toEqual([])
    expect(await store.all()).toEqual([])
    expect(await store.length()).toBe(0)
  })

  it('keeps a session until its end, rounded up to seconds; one that has none for its ttl; none that is over', async () => {
    const store = make()
    await store.set('one', visit(10.2))
    expect(await ttl('sess:one')).toBe(11)
    await store.set('two', visit())
    expect(await ttl('sess:two')).toBe(86_400)
    await make({ ttl: 20 }).set('three', visit())
    expect(await ttl('sess:three')).toBe(20)
    await make({ ttl: (session) => Number(session['life']) }).set('four', visit(10, { life: 33 }))
    expect(await ttl('sess:four')).toBe(33)
    await store.set('one', visit(-1))
    expect(await redis.cli('exists', 'sess:one')).toBe('0')
    await make({ disableTTL: true }).set('five', visit(10))
    expect(await ttl('sess:five')).toBe(-1)
  })

  it('moves the end of a session that is used', async () => {
    const store = make()
    await store.set('one', visit(10))
    await store.touch('one', visit(50))
    expect(await ttl('sess:one')).toBe(50)
    await make({ disableTouch: true }).touch('one', visit(90))
    await make({ disableTTL: true }).touch('one', visit(90))
    expect(await ttl('sess:one')).toBe(50)
    await store.touch('none', visit(50))
    expect(await redis.cli('exists', 'sess:none')).toBe('0')
  })

  it('finds its own keys, however many there are, and no others', async () => {
    const [store, other] = [make({ prefix: 'shop:', scanCount: 10 }), make({ prefix: 'desk:' })]
    await Promise.all(Array.from({ length: 250 }, (_, at) => store.set(`v${at}`, visit(60))))
    await other.set('mine', visit(60))
    expect([await store.length(), (await store.ids()).length, (await store.all()).length]).toEqual([250, 250, 250])
    await store.clear()
    expect([await store.length(), await other.ids()]).toEqual([0, ['mine']])
  })

  it('writes and reads as its serializer does', async () => {
    const serializer = {
      stringify: (session: object) => `v1 ${JSON.stringify(session)}`,
      parse: async (text: string) => JSON.parse(text.slice(3)) as never,
    }
    const store = make({ serializer })
    await store.set('one', visit(60, { name: 'Ada' }))
    expect(await redis.cli('get', 'sess:one')).toMatch(/^v1 \{/)
    expect(await store.get('one')).toMatchObject({ name: 'Ada' })
  })

  it('hands on what Redis or the serializer complains of', async () => {
    const store = make()
    await redis.cli('lpush', 'sess:odd', 'x')
    await expect(store.get('odd')).rejects.toThrow('WRONGTYPE')
    const [error] = await new Promise<unknown[]>((resolve) => void store.get('odd', (...values) => resolve(values)))
    expect(error).toMatchObject({ message: expect.stringContaining('WRONGTYPE') as string })
    await redis.cli('set', 'sess:bad', '{')
    await expect(store.get('bad')).rejects.toThrow(SyntaxError)
    const circle: Record<string, unknown> = { cookie: {} }
    circle['circle'] = circle
    await expect(store.set('circle', circle)).rejects.toThrow(TypeError)
  })
})

it('finds and ends the sessions of a cluster, on all of its nodes', { timeout: 60_000 }, async () => {
  await using cluster = await startCluster()
  const client = peers.createCluster({
    rootNodes: cluster.nodes.map(({ port }) => ({ url: `redis://127.0.0.1:${port}` })),
  })
  await client.connect()
  try {
    const store = new Ours({ client })
    await Promise.all(Array.from({ length: 40 }, (_, at) => store.set(`v${at}`, visit(60))))
    expect([await store.length(), (await store.all()).length]).toEqual([40, 40])
    await store.clear()
    expect(await store.length()).toBe(0)
  } finally {
    client.destroy()
  }
})

/** Two servers, each with a store of its own, as two processes have it. */
async function two(stack: (typeof stacks)[number], Store: MakeStore): Promise<[Serving, Serving]> {
  const start = async (): Promise<Serving> => {
    const app = stack.express()
    app.use(middlewareOf(stack, { store: new Store({ client: clients['node-redis']! }), cookie: { maxAge: 90_000 } }))
    app.get('/in', (request, response) => {
      sessionOf(request)['count'] = 1
      response.send('in')
    })
    app.get('/slow', (request, response) => {
      setTimeout(() => {
        sessionOf(request)['count'] = 2
        response.send('changed')
      }, 300)
    })
    app.get('/out', (request, response) => {
      sessionOf(request).destroy(() => response.send('out'))
    })
    app.get('/saved-twice', (request, response) => {
      const mine = sessionOf(request)
      mine['count'] = 1
      mine.save(() => {
        setTimeout(() => {
          mine['count'] = 2
          response.send('saved twice')
        }, 300)
      })
    })
    return await serve(app)
  }
  return [await start(), await start()]
}

describe.each(stacks)(
  'a session that is ended on one server while a request on another changes it: $framework, $name',
  (stack) => {
    /** What is left in Redis. */
    async function left(Store: MakeStore): Promise<string> {
      const [one, other] = await two(stack, Store)
      await using first = one
      await using second = other
      const browser = first.browser()
      await browser.ask('/in')
      const slow = browser.copy().ask('/slow')
      await new Promise((resolve) => setTimeout(resolve, 100))
      expect((await browser.ask('/out', { at: second.origin })).text).toBe('out')
      expect((await slow).status).toBe(200)
      return (await redis.cli('keys', '*')).trim()
    }

    it('stays ended', async () => {
      expect(await left(Ours)).toBe('')
    })

    it('comes back with connect-redis', async () => {
      expect(await left(RedisStore)).toMatch(/^sess:/)
    })

    it('stays ended where the request had made and saved it itself', async () => {
      const [one, other] = await two(stack, Ours)
      await using first = one
      await using second = other
      const saved = first.browser().ask('/saved-twice')
      const idOf = async (): Promise<string> => (await redis.cli('keys', 'sess:*')).trim()
      let key = ''
      while (key === '') key = await idOf()
      await redis.cli('del', key)
      expect((await saved).text).toBe('saved twice')
      expect(await idOf()).toBe('')
      expect(second.origin).not.toBe(first.origin)
    })
  },
)

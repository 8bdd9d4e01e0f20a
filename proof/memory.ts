/**
 * What one session takes in Redis, by `used_memory` over many of them, made over HTTP by Holdfast and by
 * express-session with connect-redis: `node build/proof/memory.js [--sessions 100000] [--json]`.
 *
 * Everything counts: the key, its expiry, the tables that find it, what the allocator rounds up.
 */
import { Agent, request } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'

import { createSessions, type Selector, type Sessions } from 'holdfast'
import { holdfast } from 'holdfast/express'
import { redisStore } from 'holdfast/redis'
import express, { type Express } from 'express'

import { type RedisServer, startRedisServer } from '../test/support/redis-server.ts'
import { installPeers, loadPeer } from './peers.ts'
import { tableOf } from './table.ts'

const TYPICAL = { name: 'Ada Lovelace', roles: ['admin', 'dev'], cart: [{ sku: 'A-12345', n: 2 }] }
const TARGET = 300
/** How many sign-ins go on at once, and after how many the index is measured apart. */
const PARALLEL = 32
const BATCH = 1_000
const LIFETIME = 12 * 3_600_000
/** A renewed session keeps the hash of the verifier before: measured over one in so many. */
const RENEWED_SHARE = 10
/** An id that is younger than the grace time is not renewed again. */
const GRACE = '1s'
const GRACE_OVER = 3_000

/** One line of the table: bytes for each session, and how long the stored value is. */
interface Measured {
  readonly what: string
  readonly bytes: number
  readonly value?: number
}

/** An application that answers `POST /sign-in/<user>`; Holdfast's `/renew` and `/look` too. */
interface Application {
  readonly app: Express
  close(): Promise<void>
}

const { values } = parseArgs({
  options: { sessions: { type: 'string', default: '100000' }, json: { type: 'boolean', default: false } },
})
await main(Number(values.sessions))

async function main(sessions: number): Promise<void> {
  if (!Number.isInteger(sessions) || sessions < BATCH || sessions > 100_000)
    throw new Error(`--sessions: ${BATCH} to 100000`)
  installPeers()
  const mine = await onServer((redis) => measureHoldfast(redis, sessions))
  const theirs = await onServer((redis) => measureExpressSession(redis, sessions))
  const [session] = mine.measured
  process.stdout.write(
    values.json
      ? `${JSON.stringify({ sessions, redis: mine.version, measured: [...mine.measured, ...theirs.measured] })}\n`
      : table(sessions, mine.version, [...mine.measured, ...theirs.measured]),
  )
  process.exitCode = session !== undefined && session.bytes < TARGET ? 0 : 1
}

function table(sessions: number, version: string, measured: readonly Measured[]): string {
  const rows = measured.map(({ what, bytes, value }) => [
    what,
    bytes.toFixed(1),
    value === undefined ? '' : String(value),
  ])
  return `${tableOf([['', 'bytes of Redis memory each', 'of these the value'], ...rows])}\n\n${sessions} sessions, Redis ${version}, used_memory, key included. Target: under ${TARGET}.\n`
}

async function onServer(
  measure: (redis: RedisServer) => Promise<Measured[]>,
): Promise<{ measured: Measured[]; version: string }> {
  await using redis = await startRedisServer()
  const version = /redis_version:(\S+)/.exec(await redis.cli('info', 'server'))?.[1] ?? '?'
  return { measured: await measure(redis), version }
}

async function measureHoldfast(redis: RedisServer, count: number): Promise<Measured[]> {
  const { app, close } = await holdfastApplication(redis.url)
  const visits = await listening(app)
  await visits.signIn(['warmup'])
  const before = await usedMemory(redis)
  const cookies: string[] = []
  for (const users of batches(count)) {
    cookies.push(...(await visits.signIn(users)))
    await withoutIndex(redis, users)
  }
  const session = ((await usedMemory(redis)) - before) / count
  const value = await valueLength(redis)
  const renewed = await measureRenewal(redis, visits, cookies.slice(0, Math.floor(count / RENEWED_SHARE)))
  const index = await measureIndex(redis, count)
  visits.close()
  await close()
  return [
    { what: 'Holdfast: a session', bytes: session, value },
    { what: 'Holdfast: the same after its id was renewed', bytes: session + renewed },
    { what: "Holdfast: its entry in the user's index, each user with one", bytes: index },
  ]
}

async function measureRenewal(redis: RedisServer, visits: Visits, cookies: readonly string[]): Promise<number> {
  await wait(GRACE_OVER)
  const before = await usedMemory(redis)
  await visits.renew(cookies)
  for (const users of batches(cookies.length)) await withoutIndex(redis, users)
  return ((await usedMemory(redis)) - before) / cookies.length
}

/** So that the index is no part of a session's figure; it is put back, and measured, at the end. */
async function withoutIndex(redis: RedisServer, users: readonly string[]): Promise<void> {
  await redis.cli('del', ...users.map((user) => `hf:@${user}`))
}

async function measureIndex(redis: RedisServer, count: number): Promise<number> {
  const selectors = (await redis.cli('--scan', '--pattern', 'hf:????????????????????????')).split('\n')
  const store = redisStore(redis.url)
  await store.open()
  const before = await usedMemory(redis)
  for (const users of batches(count)) {
    await Promise.all(
      users.map(async (user) => store.enroll(user, selectors.pop()?.slice('hf:'.length) as Selector, LIFETIME)),
    )
  }
  const used = await usedMemory(redis)
  await store.close()
  return (used - before) / count
}

async function measureExpressSession(redis: RedisServer, count: number): Promise<Measured[]> {
  const { app, close } = await expressSessionApplication(redis.url)
  const visits = await listening(app)
  await visits.signIn(['warmup'])
  const before = await usedMemory(redis)
  for (const users of batches(count)) await visits.signIn(users)
  const session = ((await usedMemory(redis)) - before) / count
  const value = await valueLength(redis)
  visits.close()
  await close()
  return [{ what: 'express-session + connect-redis: the same session', bytes: session, value }]
}

/** User ids of one length: `u00000` to `u99999`. */
function* batches(count: number): Generator<string[]> {
  for (let start = 0; start < count; start += BATCH) {
    yield Array.from({ length: Math.min(BATCH, count - start) }, (_, at) => `u${String(start + at).padStart(5, '0')}`)
  }
}

async function holdfastApplication(store: string): Promise<Application> {
  const secret = 'a secret of this proof, which nobody needs to keep'
  const sessions: Sessions<Partial<typeof TYPICAL>> = createSessions({ secret, store, graceTimeout: GRACE })
  await sessions.ready()
  const app = express()
  app.use(holdfast(sessions))
  app.post('/sign-in/:user', async (req, res) => {
    const session = sessions.of(req)
    Object.assign(session.data, structuredClone(TYPICAL))
    await session.signIn(req.params.user)
    res.end()
  })
  app.post('/renew', async (req, res) => {
    await sessions.of(req).regenerateId()
    res.end()
  })
  app.post('/look', (req, res) => void res.json(sessions.of(req).data))
  return { app, close: () => sessions.close() }
}

async function expressSessionApplication(url: string): Promise<Application> {
  const { default: session } = await loadPeer<{ default: (options: object) => express.RequestHandler }>(
    'express-session',
  )
  const { createClient } = await loadPeer<{
    createClient(options: { url: string }): { connect(): Promise<unknown>; close(): Promise<void> }
  }>('redis')
  const { RedisStore } = await loadPeer<{ RedisStore: new (options: object) => object }>('connect-redis')
  const client = createClient({ url })
  await client.connect()
  const app = express()
  app.use(session({ store: new RedisStore({ client }), secret: 'no secret', resave: false, saveUninitialized: false }))
  app.post('/sign-in/:user', (req, res) => {
    Object.assign((req as unknown as { session: object }).session, { user: req.params.user, ...TYPICAL })
    res.end()
  })
  return { app, close: () => client.close() }
}

interface Visits {
  /** Signs every user in, each in a browser of their own. Answers the browsers' cookies. */
  signIn(users: readonly string[]): Promise<string[]>
  /** Renews every session's id, and presents the new one. */
  renew(cookies: readonly string[]): Promise<void>
  close(): void
}

async function listening(app: Express): Promise<Visits> {
  const server = app.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  const agent = new Agent({ keepAlive: true, maxSockets: PARALLEL })
  return {
    signIn: (users) => Promise.all(users.map((user) => post(agent, port, `/sign-in/${user}`))),
    renew: async (cookies) => {
      const renewed = await Promise.all(cookies.map((cookie) => post(agent, port, '/renew', cookie)))
      await Promise.all(renewed.map((cookie) => post(agent, port, '/look', cookie)))
    },
    close: () => {
      agent.destroy()
      server.close()
    },
  }
}

/** Answers the cookies that came back, as the browser would send them. */
function post(agent: Agent, port: number, path: string, cookie?: string): Promise<string> {
  const headers = { 'sec-fetch-site': 'same-origin', ...(cookie === undefined ? {} : { cookie }) }
  return new Promise((resolve, reject) => {
    const call = request({ agent, port, host: '127.0.0.1', method: 'POST', path, headers }, (response) => {
      response.resume().once('end', () => {
        if (response.statusCode !== 200) return reject(new Error(`${path} answered ${response.statusCode}`))
        resolve((response.headers['set-cookie'] ?? []).map((line) => line.split(';', 1)[0]).join('; '))
      })
    })
    call.once('error', reject)
    call.end()
  })
}

/** `used_memory`, without the buffers of connections, which come and go. */
async function usedMemory(redis: RedisServer): Promise<number> {
  const memory = await redis.cli('info', 'memory')
  const field = (name: string): number => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(memory)?.[1])
  return field('used_memory') - field('mem_clients_normal')
}

/** The length of one stored session. */
async function valueLength(redis: RedisServer): Promise<number> {
  for (;;) {
    const key = await redis.cli('randomkey')
    if ((await redis.cli('type', key)) === 'string') return Number(await redis.cli('strlen', key))
  }
}

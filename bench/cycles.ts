/**
 * What an action cycle costs besides its session: trips to the store, commands and time, on a real Redis and on LMDB:
 * `npm run bench:cycles -- [--rounds N] [--json]`.
 *
 * A trip is whatever is asked for at once. They are counted by the clock, over a wire on which each takes 50 ms.
 */
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'

import { createSessions, type Session, type Store } from 'holdfast'
import { type CycleSession, defineCycle } from 'holdfast/cycle'
import { lmdbStore } from 'holdfast/lmdb'
import { attach } from 'holdfast/node'
import { redisStore } from 'holdfast/redis'

import { Browser, closeConnections, SITE_HOST } from '../proof/browser.ts'
import { tableOf } from '../proof/table.ts'
import { startLink } from '../test/support/link.ts'
import { startRedisServer } from '../test/support/redis-server.ts'
import { median, percentile } from './statistics.ts'

interface Order {
  readonly items: readonly string[]
  to?: string
}

/** What the acts of one kind took: milliseconds, one by one, and commands. */
interface Taken {
  readonly times: number[]
  readonly commands: number[]
}
type ByAct = Map<string, Taken>
/** Runs an act, and notes what it took. */
type Measure = <Result>(name: string, act: () => Promise<Result>) => Promise<Result>

/** Milliseconds that a trip takes where they are counted. */
const TRIP = 50
const WARM_UP = 20
const ROUNDS_COUNTED = 5

const order = defineCycle<Order | undefined, string>('order', { steps: ['address'] })
const vote = defineCycle<undefined, string>('vote')

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '500' }, json: { type: 'boolean', default: false } },
})
await main(Number(values.rounds))

async function main(rounds: number): Promise<void> {
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds: a number')
  await using redis = await startRedisServer()
  await using wire = await startLink({ to: redis.port })
  const counted = await measure(redisStore(`redis://127.0.0.1:${wire.port}`), ROUNDS_COUNTED, () =>
    wire.delay(TRIP / 2),
  )
  const onRedis = await measure(redisStore(redis.url), rounds)
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-bench-'))
  try {
    const onLmdb = await measure(lmdbStore({ path: folder }), rounds)
    const lines = [...counted].map(([act, { times, commands }]) => ({
      act,
      // A busy machine makes some of them late, and none early.
      trips: Math.floor(Math.min(...times) / TRIP),
      commands: median(commands),
      redis: msOf(onRedis.get(act)),
      lmdb: msOf(onLmdb.get(act)),
    }))
    process.stdout.write(values.json ? `${JSON.stringify({ rounds, lines })}\n` : `${asTable(lines)}\n`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
    closeConnections()
  }
}

interface Milliseconds {
  readonly median: number
  readonly p99: number
}
interface Line {
  readonly act: string
  readonly trips: number
  readonly commands: number
  readonly redis: Milliseconds
  readonly lmdb: Milliseconds
}

function asTable(lines: readonly Line[]): string {
  const ms = (time: Milliseconds): string => `${time.median.toFixed(2)}, ${time.p99.toFixed(2)}`
  return tableOf([
    ['besides the session itself', 'trips', 'commands', 'Redis, ms: median, p99', 'LMDB, ms: median, p99'],
    ...lines.map(({ act, trips, commands, redis, lmdb }) => [
      act,
      String(trips),
      String(commands),
      ms(redis),
      ms(lmdb),
    ]),
  ])
}

function msOf(taken: Taken | undefined): Milliseconds {
  const times = taken?.times ?? []
  return { median: median(times), p99: percentile(times, 0.99) }
}

/** Sends a signed-in visitor through as many cycles, one after the other; `begin` is called when they are measured. */
async function measure(store: Store, rounds: number, begin?: () => void): Promise<ByAct> {
  const sessions = createSessions({
    secret: 'a secret for the measurement of cycles',
    store,
    origin: `https://${SITE_HOST}`,
  })
  await sessions.ready()
  const byAct: ByAct = new Map()
  const timed: Measure = async (name, act) => {
    const taken = byAct.get(name) ?? { times: [], commands: [] }
    byAct.set(name, taken)
    const before = { time: performance.now(), commands: store.stats().commands }
    const result = await act()
    taken.times.push(performance.now() - before.time)
    taken.commands.push(store.stats().commands - before.commands)
    return result
  }
  const server = createServer((request, response) => {
    const serve = async (): Promise<void> => {
      const session = await attach(sessions, request, response)
      if (request.url === '/sign-in') await session.signIn('ada')
      else await goThrough(session, timed)
      response.end()
    }
    serve().catch((error: unknown) => response.destroy(error as Error))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    const browser = new Browser([`http://127.0.0.1:${(server.address() as AddressInfo).port}`])
    await browser.post(0, '/sign-in', {})
    for (let round = 0; round < Math.min(WARM_UP, rounds); round++) await browser.post(0, '/', {})
    byAct.clear()
    begin?.()
    for (let round = 0; round < rounds; round++) await browser.post(0, '/', {})
    return byAct
  } finally {
    server.close()
    server.closeAllConnections()
    await sessions.close()
  }
}

async function goThrough(session: Session & CycleSession, timed: Measure): Promise<void> {
  const { token } = await timed('begin, with a state', () => order.begin(session, { items: ['A-12345'] }))
  await timed('load', () => order.load(session, token))
  const go = (state: Order | undefined): Order => ({ items: state?.items ?? [], to: 'Bob' })
  await timed('step', () => order.step(session, token, go, 'address'))
  await timed('finish', () => order.finish(session, token, () => 'paid'))
  await timed('the same submission once more', () => order.finish(session, token, () => 'paid'))
  const later = await timed('begin, without a state', () => order.begin(session))
  await timed('its first step', () => order.step(session, later.token, go, 'address'))
  await order.finish(session, later.token, () => 'paid')
  const ballot = await vote.begin(session)
  await timed('finish, where nothing was stored before', () => vote.finish(session, ballot.token, () => 'cast'))
}

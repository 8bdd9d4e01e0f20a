/**
 * `npm run bench:redis`: what a session in Redis costs, beside what each framework's users have for it now. Reading,
 * changing, and the commands that each request sends.
 */
import { startRedisServer, type RedisServer } from '../test/support/redis-server.ts'
import { countCommands } from './commands.ts'
import { pin, STORE_CORE, STORE_PINNING } from './cores.ts'
import { type Options, readOptions } from './options.ts'
import { installBenchPeers, versionOfPeer } from './peers.ts'
import { type Comparison, conditionsOf, print, runComparison, type Part } from './program.ts'

const FASTIFY = 'Fastify'
const FASTIFY_HOLDFAST = 'Fastify + Holdfast on Redis'
const FASTIFY_PEER = 'Fastify + @fastify/session, connect-redis'
const FASTIFY_PEER_STILL = 'Fastify + @fastify/session, rolling: false'
const EXPRESS = 'Express'
const EXPRESS_HOLDFAST = 'Express + Holdfast on Redis'
const EXPRESS_PEER = 'Express + express-session, connect-redis'

const options = readOptions()
if (options !== undefined) await main(options)

async function main(chosen: Options): Promise<void> {
  installBenchPeers()
  const parts: Part[] = []
  for (const comparison of [fastifyReading, fastifyChanging, expressReading])
    parts.push(await onRedis(({ url }) => runComparison(comparison(url), chosen)))
  parts.push(await onRedis((redis) => countCommands(redis, withSessions(redis.url))))
  print(parts, [...conditionsOf(chosen), ...(await peersLines())], chosen)
}

async function onRedis<Result>(use: (redis: RedisServer) => Promise<Result>): Promise<Result> {
  await using redis = await startRedisServer()
  pin(redis.pid, STORE_CORE)
  return await use(redis)
}

function fastifyReading(store: string): Comparison {
  const { bare, holdfast, peer } = onFastify(store)
  const still = { name: FASTIFY_PEER_STILL, setup: { ...peer.setup, rolling: false } }
  return {
    title: '1. Fastify: a page that reads the session of a signed-in visitor',
    work: 'read',
    contenders: [bare, holdfast, peer, still],
    peer: peer.name,
    targets: [
      { of: holdfast.name, over: bare.name, least: 0.55, stretch: 0.65 },
      { of: holdfast.name, over: peer.name, least: 3.5 },
    ],
    notes: [
      'Holdfast: no cache; every request reads Redis. It keeps a visitor alive by a command once in a tenth of the idle timeout.',
      '@fastify/session as its README has it: it saves the session and sends its cookie with every response, which is how it',
      'keeps a visitor alive. With rolling: false it does neither, and ends a session a day after its last change, visited or not.',
    ],
  }
}

function fastifyChanging(store: string): Comparison {
  const { bare, holdfast, peer } = onFastify(store)
  return {
    title: '2. Fastify: a form post that changes the session of a signed-in visitor, once',
    work: 'change',
    contenders: [bare, holdfast, peer],
    peer: peer.name,
    targets: [{ of: holdfast.name, over: peer.name, least: 2.5 }],
    notes: [
      'Bare Fastify stores nothing. Holdfast checks where the post comes from, and saves by compare-and-set before it answers;',
      'the peer checks nothing, and overwrites. Every change that was answered was there afterwards, by both.',
    ],
  }
}

function expressReading(store: string): Comparison {
  const { bare, holdfast, peer } = onExpress(store)
  return {
    title: '3. Express 5: a page that reads the session of a signed-in visitor',
    work: 'read',
    contenders: [bare, holdfast, peer],
    peer: peer.name,
    targets: [{ of: holdfast.name, over: peer.name, least: 1.8 }],
    notes: [
      'express-session as the README of connect-redis has it, with resave: false and saveUninitialized: false: it keeps a visitor',
      'alive by an EXPIRE with every request.',
    ],
  }
}

function onFastify(store: string) {
  return {
    bare: { name: FASTIFY, setup: { framework: 'fastify', sessions: 'bare' } },
    holdfast: { name: FASTIFY_HOLDFAST, setup: { framework: 'fastify', sessions: 'holdfast', store } },
    peer: { name: FASTIFY_PEER, setup: { framework: 'fastify', sessions: '@fastify/session', store } },
  } as const
}

function onExpress(store: string) {
  return {
    bare: { name: EXPRESS, setup: { framework: 'express', sessions: 'bare' } },
    holdfast: { name: EXPRESS_HOLDFAST, setup: { framework: 'express', sessions: 'holdfast', store } },
    peer: { name: EXPRESS_PEER, setup: { framework: 'express', sessions: 'express-session', store } },
  } as const
}

/** Who sends commands, with Holdfast first on each framework. */
function withSessions(store: string) {
  const [fastify, express] = [onFastify(store), onExpress(store)]
  return [fastify.holdfast, fastify.peer, express.holdfast, express.peer]
}

async function peersLines(): Promise<string[]> {
  const version = await onRedis(async (redis) => /redis_version:(\S+)/.exec(await redis.cli('info', 'server'))?.[1])
  const peers = ['@fastify/session', 'express-session', 'connect-redis', 'redis']
  return [
    `All: the same routes, data and load; cookies HttpOnly, Secure, SameSite=Lax. ${peers.map((peer) => `${peer} ${versionOfPeer(peer)}`).join(', ')}.`,
    `Redis ${version}, over TCP, nothing kept on disk; ${STORE_PINNING}.`,
  ]
}

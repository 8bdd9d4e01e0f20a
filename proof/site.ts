/** An application on two server processes with one store: what the races run against. */
import { fork, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

import type { Durability } from 'holdfast'

import { startCluster } from '../test/support/redis-cluster.ts'
import { startSentinels } from '../test/support/redis-sentinel.ts'
import { startRedisServer } from '../test/support/redis-server.ts'
import type { ExpressSessionSetup } from './app/express-session.ts'
import type { HoldfastSetup } from './app/holdfast.ts'
import { Browser } from './browser.ts'
import { PROJECT } from './peers.ts'

/** What is raced: Holdfast by adapter and store; or express-session with connect-redis, and what takes its place. */
export type Target =
  | {
      readonly kind: 'holdfast'
      readonly adapter: 'express' | 'fastify'
      readonly store: 'lmdb' | 'redis' | 'sentinel' | 'cluster'
    }
  | ({ readonly kind: 'express-session' } & Pick<ExpressSessionSetup, 'by' | 'keeping'>)

export interface SiteOptions {
  readonly csrf?: 'auto' | 'strict'
  readonly graceTimeout?: HoldfastSetup['graceTimeout']
  readonly renewalTimeout?: HoldfastSetup['renewalTimeout']
  readonly maxPerUser?: HoldfastSetup['maxPerUser']
}

export interface Site {
  readonly kind: Target['kind']
  /** The store's URL. */
  readonly store: string
  /** The origins of the two servers. */
  readonly servers: readonly [string, string]
  browser(): Browser
  close(): Promise<void>
}

/** The secret of every site. */
export const SECRET = 'a secret of the proofs, for no other use: 5ca1ab1e'
const STARTING_MOST = 20_000
const STOPPING_MOST = 5_000

/** A short name, such as `fastify/redis`. */
export function nameOf(target: Target): string {
  if (target.kind === 'holdfast') return `${target.adapter}/${target.store}`
  return target.by === 'original' ? 'express-session' : `drop-in/${target.keeping}`
}

/** Starts the store and two server processes. */
export async function openSite(target: Target, options: SiteOptions = {}): Promise<Site> {
  const store = await openStore(target)
  const setup = setupOf(target, store.url, options)
  const started = await Promise.allSettled([startServer(setup), startServer(setup)])
  const servers = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  const close = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.stop()))
    await store.close()
  }
  const [first, second] = servers
  if (first === undefined || second === undefined) {
    await close()
    throw new Error(`${nameOf(target)} did not start`, {
      cause: started.find((one) => one.status === 'rejected')?.reason,
    })
  }
  const origins = [first.origin, second.origin] as const
  return { kind: target.kind, store: store.url, servers: origins, browser: () => new Browser(origins), close }
}

/** Two server processes on a store that runs already. */
export interface SiteOn {
  readonly servers: readonly [string, string]
  /** Bytes that both processes have in memory. */
  memory(): Promise<number>
  close(): Promise<void>
}

export async function openSiteOn(store: string, durability: Durability): Promise<SiteOn> {
  const setup = {
    ...setupOf({ kind: 'holdfast', adapter: 'fastify', store: 'redis' }, store, {}),
    durability,
    quiet: true,
  }
  const [first, second] = [await startServer(setup), await startServer(setup)]
  return {
    servers: [first.origin, second.origin],
    memory: async () => (await first.memory()) + (await second.memory()),
    close: async () => {
      await Promise.all([first.stop(), second.stop()])
    },
  }
}

/** Opens a site for the time of one call. */
export async function onSite<Result>(
  target: Target,
  options: SiteOptions,
  use: (site: Site) => Promise<Result>,
): Promise<Result> {
  const site = await openSite(target, options)
  try {
    return await use(site)
  } finally {
    await site.close()
  }
}

function setupOf(target: Target, store: string, options: SiteOptions): HoldfastSetup | ExpressSessionSetup {
  if (target.kind === 'express-session') return { ...target, store, secret: SECRET }
  const { csrf = 'auto', graceTimeout = '60s', renewalTimeout = '1h' } = options
  const { maxPerUser } = options
  const times = { graceTimeout, renewalTimeout }
  return { kind: 'holdfast', adapter: target.adapter, store, secret: SECRET, csrf, maxPerUser, ...times }
}

async function openStore(target: Target): Promise<{ url: string; close(): Promise<void> }> {
  if (target.kind === 'express-session' || target.store === 'redis') {
    const redis = await startRedisServer()
    return { url: redis.url, close: () => redis.stop() }
  }
  if (target.store !== 'lmdb') {
    const redis = await (target.store === 'sentinel' ? startSentinels() : startCluster())
    return { url: redis.url, close: () => redis.stop() }
  }
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-race-'))
  const remove = (): void => rmSync(folder, { recursive: true, force: true })
  process.once('exit', remove)
  return {
    url: `lmdb:${folder}`,
    close: async () => {
      process.removeListener('exit', remove)
      remove()
    },
  }
}

async function startServer(
  setup: HoldfastSetup | ExpressSessionSetup,
): Promise<{ origin: string; memory(): Promise<number>; stop(): Promise<void> }> {
  const child = fork(path.join(PROJECT, 'build/proof/server.js'), [JSON.stringify(setup)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    execArgv: [],
    // On loopback names the cookies go without HTTPS, but not in production.
    env: { ...process.env, NODE_ENV: 'development' },
  })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const port = await portOf(child)
  return {
    origin: `http://127.0.0.1:${port}`,
    memory: () =>
      new Promise((resolve) => {
        child.once('message', ({ memory }: { memory: number }) => resolve(memory))
        child.send('memory')
      }),
    stop: async () => {
      if (child.connected) child.disconnect()
      const stuck = setTimeout(() => child.kill('SIGKILL'), STOPPING_MOST)
      await ended
      clearTimeout(stuck)
    },
  }
}

function portOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => {
      child.kill('SIGKILL')
      reject(new Error(`a server did not start within ${STARTING_MOST} ms`))
    }, STARTING_MOST)
    child.once('message', (message: { port: number }) => {
      clearTimeout(late)
      resolve(message.port)
    })
    child.once('exit', (code) => {
      clearTimeout(late)
      reject(new Error(`a server ended with ${code} before it listened`))
    })
  })
}

/** What visitors come to: two servers behind a balancer, over one store. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

import { type Link, startLink } from '../../test/support/link.ts'
import { freePort } from '../../test/support/redis-server.ts'
import { startBalancer } from '../balancer.ts'
import { type Deployment as RedisDeployment, deploy as deployRedis } from '../failover/deployment.ts'
import type { Effect, Promises, StoreName, Target } from '../history/history.ts'
import { type Listener, SiteProcess } from './site-process.ts'

export interface DeploymentOptions {
  readonly store: StoreName
  readonly target: Target
  readonly durability: 'primary' | 'replicated'
  /** Whether each server of a Sentinels' topology or a cluster is in a network namespace of its own. */
  readonly namespaces?: boolean | undefined
  readonly promises: Promises
  /** Told of what servers report. */
  readonly listener: Listener
  /** For the servers' Node, such as those that load a mutant. */
  readonly options?: readonly string[]
}

export interface Deployed {
  readonly store: StoreName
  /** The balancer's origin. */
  readonly url: string
  readonly servers: readonly SiteProcess[]
  /** Where the store is not LMDB. */
  readonly redis?: RedisDeployment
  /** From each server to the one Redis, where it is alone; else none. */
  readonly lines: readonly Link[]
  /** Where it is. */
  readonly lmdb?: { readonly directory: string }
  /** What the ends of cycles have done. */
  effects(): readonly Effect[]
  stop(): Promise<void>
}

const NAMES = ['A', 'B'] as const
export const SECRET = 'a secret of the proofs, for no other use: cafed00d'
/**
 * All that there are: of two, a planned fail-over may promote the one that has not heard of what the other has confirmed.
 */
const REPLICAS: Readonly<Record<StoreName, number>> = { lmdb: 0, redis: 0, sentinel: 2, cluster: 1 }
/** Milliseconds of a cycle's final step. */
export const LEASE = 2_000

/** Starts all of it. */
export async function deploy(options: DeploymentOptions): Promise<Deployed> {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-proof-'))
  const remove = (): void => rmSync(folder, { recursive: true, force: true })
  process.once('exit', remove)
  const closers: (() => unknown)[] = [() => process.removeListener('exit', remove), remove]
  const stop = async (): Promise<void> => {
    for (const closer of closers.splice(0).toReversed()) await closer()
  }
  try {
    const redis =
      options.store === 'lmdb'
        ? undefined
        : await deployRedis(formOf(options.store), options.namespaces === true ? 'namespaces' : 'gates')
    if (redis !== undefined) closers.push(() => redis.stop())
    const to = redis?.form === 'single' ? redis.link.port : undefined
    const lines = to === undefined ? [] : await Promise.all(NAMES.map(() => startLink({ to })))
    closers.push(() => Promise.all(lines.map((line) => line.stop())))
    const directory = path.join(folder, 'store')
    const ledger = path.join(folder, 'ledger')
    const ports = [await freePort(), await freePort()]
    const servers = NAMES.map((name, at) => {
      const settings = {
        name,
        target: options.target,
        port: ports[at] ?? 0,
        store: urlOf(lines[at]) ?? redis?.url ?? `lmdb:${directory}`,
        durability: options.durability,
        configuration: 'usual' as const,
        ...(options.durability === 'replicated' && { replicas: REPLICAS[options.store] }),
        secrets: [SECRET],
        ledger,
        grace: options.promises.grace,
        staleness: options.promises.staleness,
        lease: LEASE,
        version: 1,
      }
      return new SiteProcess(settings, options.listener, options.options ?? [])
    })
    closers.push(() => Promise.all(servers.map((server) => server.stop())))
    for (const server of servers) await server.start()
    const balancer = await startBalancer(ports, folder, 'closed', 'unsent')
    closers.push(() => balancer.close())
    return {
      store: options.store,
      url: balancer.origin,
      servers,
      lines,
      ...(redis === undefined ? { lmdb: { directory } } : { redis }),
      effects: () => linesOf(ledger),
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

function urlOf(line: Link | undefined): string | undefined {
  return line && `redis://127.0.0.1:${line.port}`
}

function formOf(store: Exclude<StoreName, 'lmdb'>): 'single' | 'sentinel' | 'cluster' {
  return store === 'redis' ? 'single' : store
}

/** Where nothing was ever done there is no file. */
function linesOf(ledger: string): Effect[] {
  let text = ''
  try {
    text = readFileSync(ledger, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Effect]))
}

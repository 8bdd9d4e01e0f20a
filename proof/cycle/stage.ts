/** What the proof runs on: a store, the ledger, two servers, the balancer before them. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import { freePort, startRedisServer } from '../../test/support/redis-server.ts'
import { startBalancer } from '../balancer.ts'
import { start, type Running } from '../process.ts'
import type { Entry } from './ledger.ts'
import type { Setup } from './server.ts'

export type StoreName = 'lmdb' | 'redis'

/** Milliseconds. */
export const LEASE = 2_000
/** How long a server stands still: longer than the lease, and than servers' clocks may differ by. */
export const HALT: number = LEASE + 1_500
/** Short, so that there are visitors who have to ask again. */
const PATIENCE = 500

const SECRET = 'a secret of the proofs, for no other use: 0ddba11c'

export interface Stage {
  /** Where visitors go. */
  readonly origin: string
  /** Kills a server with -9 and starts another in its place; settles when that serves. */
  replaceServer(at: number): Promise<void>
  /** Lets a server stand still for so many milliseconds, with SIGSTOP; it goes on as if nothing had been. */
  haltServer(at: number, ms: number): Promise<void>
  /** All that the ledger has. */
  entries(): Promise<readonly (Entry & { readonly number: number })[]>
  close(): Promise<void>
}

/** `work`: how long a final step works at most before its effect, and again after it, in milliseconds. */
export async function openStage(store: StoreName, work: number): Promise<Stage> {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-cycles-'))
  const remove = (): void => rmSync(folder, { recursive: true, force: true })
  process.once('exit', remove)
  const closers: (() => unknown)[] = [() => process.removeListener('exit', remove), remove]
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).toReversed()) await closer()
  }
  try {
    const redis = store === 'redis' ? await startRedisServer() : undefined
    if (redis !== undefined) closers.push(() => redis.stop())
    const ledger = await start('cycle/ledger', path.join(folder, 'ledger'))
    closers.push(() => ledger.stop())
    const origin = `http://127.0.0.1:${ledger.port}/`
    const setup = { store: redis?.url ?? `lmdb:${path.join(folder, 'store')}`, secret: SECRET, ledger: origin, work }
    const ports = [await freePort(), await freePort()]
    const open = (at: number): Promise<Running> =>
      start('cycle/server', JSON.stringify(setupOf(at, ports[at] ?? 0, setup)))
    const servers = [await open(0), await open(1)]
    closers.push(() => Promise.all(servers.map((server) => server.stop())))
    const balancer = await startBalancer(ports, folder, 'closed')
    closers.push(() => balancer.close())
    return {
      origin: balancer.origin,
      replaceServer: async (at) => {
        await servers[at]?.kill()
        servers[at] = await open(at)
      },
      haltServer: async (at, ms) => {
        servers[at]?.pause()
        await pause(ms)
        servers[at]?.resume()
      },
      entries: async () => (await (await fetch(origin)).json()) as (Entry & { readonly number: number })[],
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

function setupOf(at: number, port: number, rest: Pick<Setup, 'store' | 'secret' | 'ledger' | 'work'>): Setup {
  return { name: 'AB'[at] ?? '', port, lease: `${LEASE}ms`, patience: `${PATIENCE}ms`, ...rest }
}

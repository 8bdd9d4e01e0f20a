/** Where a contender's sessions are: for each its own, empty at the start, gone at the end. */
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

import { type RedisServer, startRedisServer } from '../test/support/redis-server.ts'
import { pin, STORE_CORE } from './cores.ts'

/** `nothing`: a bare server. `process`: the peer's own memory. `cookie`: the browser has the whole session. */
export type Keeping = 'nothing' | 'process' | 'memory' | 'lmdb' | 'redis' | 'cookie'

export interface SessionStore {
  /** What the application is told; `undefined` where there is nothing to tell. */
  readonly url: string | undefined
  /** Where it is a server. */
  readonly redis?: RedisServer
  /** Microseconds of processor time that a server of its own has used so far; 0 where there is none. */
  processor(): Promise<number>
  /** Bytes that the sessions take, in a server or on disk; `undefined` where they are in the process or in the browser. */
  bytes(): Promise<number | undefined>
  /** How many keys there are, where that can be asked. */
  keys(): Promise<number | undefined>
  stop(): Promise<void>
}

/** Starts what is needed to keep sessions there. */
export async function startStore(keeping: Keeping): Promise<SessionStore> {
  if (keeping === 'redis') return redisStore(await startRedisServer())
  if (keeping === 'lmdb') return lmdbStore()
  return {
    url: keeping === 'memory' ? 'memory:' : undefined,
    processor: async () => 0,
    bytes: async () => undefined,
    keys: async () => undefined,
    stop: async () => {},
  }
}

/** Keeps nothing on disk. */
function redisStore(redis: RedisServer): SessionStore {
  pin(redis.pid, STORE_CORE)
  const field = async (section: string, name: string): Promise<number> =>
    Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(await redis.cli('info', section))?.[1])
  return {
    url: redis.url,
    redis,
    processor: async () => 1e6 * ((await field('cpu', 'used_cpu_user')) + (await field('cpu', 'used_cpu_sys'))),
    // Without the buffers of connections, which come and go.
    bytes: async () => (await field('memory', 'used_memory')) - (await field('memory', 'mem_clients_normal')),
    keys: async () => Number(await redis.cli('dbsize')),
    stop: () => redis.stop(),
  }
}

function lmdbStore(): SessionStore {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-bench-'))
  const remove = (): void => rmSync(folder, { recursive: true, force: true })
  process.once('exit', remove)
  return {
    url: `lmdb:${folder}`,
    processor: async () => 0,
    // What is allocated: the file is as long as its map.
    bytes: async () =>
      readdirSync(folder).reduce((sum, file) => sum + statSync(path.join(folder, file)).blocks * 512, 0),
    keys: async () => undefined,
    stop: async () => {
      remove()
      process.off('exit', remove)
    },
  }
}

/** The version of a Redis, for the report. */
export async function versionOf(redis: RedisServer): Promise<string> {
  return /redis_version:(\S+)/.exec(await redis.cli('info', 'server'))?.[1] ?? '?'
}

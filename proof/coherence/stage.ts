/** What the proof runs on: one Redis, the proxy before it, four servers, and the balancer before them. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

import type { SessionsStats } from 'holdfast'

import { startRedisServer } from '../../test/support/redis-server.ts'
import { startBalancer } from '../balancer.ts'
import { importing } from '../mutants/importing.ts'
import { start } from '../process.ts'
import type { Counts, Order } from './proxy.ts'
import type { Setup } from './server.ts'

const SERVERS = 4
const SECRET = 'a secret of the proofs, for no other use: c0ffee42'

type OneNear = NonNullable<SessionsStats['nearCache']>

/** What the near caches of all servers have done. */
export interface Near extends Pick<OneNear, 'hits' | 'flushed'> {
  /** How often each was asked. */
  readonly asked: readonly number[]
}

export interface Stage {
  /** Where browsers go, and then each server for those who want a certain one. */
  readonly origins: readonly string[]
  /** Tells the proxy what is to happen to news. */
  order(order: Order): Promise<Counts>
  /** Has Redis close every connection on which somebody listens. Answers how many there were. */
  killChannels(): Promise<number>
  near(): Promise<Near>
  close(): Promise<void>
}

/** `mutant`: what is taken out of the servers. */
export async function openStage(maxAge: Setup['maxAge'], mutant?: string): Promise<Stage> {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-coherence-'))
  const remove = (): void => rmSync(folder, { recursive: true, force: true })
  process.once('exit', remove)
  const closers: (() => unknown)[] = [() => process.removeListener('exit', remove), remove]
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).toReversed()) await closer()
  }
  try {
    const redis = await startRedisServer()
    closers.push(() => redis.stop())
    const proxy = await start('coherence/proxy', String(redis.port))
    closers.push(() => proxy.stop())
    const argument = JSON.stringify({ maxAge, store: `redis://127.0.0.1:${proxy.port}`, secret: SECRET })
    const options = mutant === undefined ? [] : importing(mutant)
    const servers = await Promise.all(
      Array.from({ length: SERVERS }, () => start('coherence/server', argument, options)),
    )
    closers.push(() => Promise.all(servers.map((server) => server.stop())))
    const ports = servers.map(({ port }) => port)
    const balancer = await startBalancer(ports, folder, 'kept')
    closers.push(() => balancer.close())
    return {
      origins: [balancer.origin, ...ports.map((port) => `http://127.0.0.1:${port}`)],
      order: (order) => proxy.ask(order),
      killChannels: async () => Number(await redis.cli('client', 'kill', 'type', 'pubsub')),
      near: async () => sumOf(await Promise.all(servers.map((server) => server.ask<OneNear>('near')))),
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

function sumOf(all: readonly OneNear[]): Near {
  const sum = (key: 'hits' | 'flushed'): number => all.reduce((total, one) => total + one[key], 0)
  return {
    hits: sum('hits'),
    flushed: sum('flushed'),
    asked: all.map(({ hits, joined, reads }) => hits + joined + reads),
  }
}

export function since(before: Near, now: Near): Near {
  return {
    hits: now.hits - before.hits,
    flushed: now.flushed - before.flushed,
    asked: now.asked.map((count, server) => count - (before.asked[server] ?? 0)),
  }
}

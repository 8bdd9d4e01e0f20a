/** A rolling deploy under load: two old servers are replaced one by one by new ones, and back, while visitors go on. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

import { freePort, startRedisServer } from '../../test/support/redis-server.ts'
import { startBalancer } from '../balancer.ts'
import { start, type Running } from '../process.ts'
import type { Setup } from './server.ts'
import { type Met, newMet, Visitor } from './visitor.ts'

export interface Deploy {
  readonly visitors: number
  /** Whether new servers keep the old records up to date. */
  readonly mirror: boolean
}

type Kind = Setup['kind']

/** Which kinds serve, one stage after the other. */
const STAGES: readonly (readonly [Kind, Kind])[] = [
  ['old', 'old'],
  ['new', 'old'],
  ['new', 'new'],
  ['new', 'old'],
  ['old', 'old'],
]
const AT_ONCE = 24

export async function runDeploy({ visitors: count, mirror }: Deploy): Promise<Met> {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-adoption-'))
  const remove = (): void => rmSync(folder, { recursive: true, force: true })
  process.once('exit', remove)
  const closers: (() => unknown)[] = [() => process.removeListener('exit', remove), remove]
  try {
    const redis = await startRedisServer()
    closers.push(() => redis.stop())
    const ports = [await freePort(), await freePort()]
    const open = (kind: Kind, at: number): Promise<Running> =>
      start('adoption/server', JSON.stringify({ kind, port: ports[at] ?? 0, redis: redis.url, mirror } satisfies Setup))
    const servers: Running[] = []
    closers.push(() => Promise.all(servers.map((server) => server.stop())))
    let serving: readonly Kind[] = STAGES[0] ?? []
    for (const [at, kind] of serving.entries()) servers.push(await open(kind, at))
    const balancer = await startBalancer(ports, folder, 'closed', 'unsent')
    closers.push(() => balancer.close())

    const met = newMet()
    const visitors = Array.from({ length: count }, (_, at) => new Visitor(`v${at}`, balancer.origin, met, seeded(at)))
    await each(visitors, (visitor, at) => visitor.begin(at % 2 === 0))
    for (const stage of STAGES) {
      const busy = new Shift(visitors)
      for (const [at, kind] of stage.entries()) {
        if (serving[at] === kind) continue
        await servers[at]?.stop()
        servers[at] = await open(kind, at)
      }
      serving = stage
      // While servers were replaced, and once more each after that.
      await busy.end()
      await each(visitors, (visitor) => visitor.act())
    }
    return met
  } finally {
    for (const closer of closers.toReversed()) await closer()
  }
}

/** Visitors who go on, in turn, until it ends. */
class Shift {
  #over = false
  readonly #running: Promise<unknown>

  constructor(visitors: readonly Visitor[]) {
    const waiting = [...visitors]
    const work = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined && !this.#over; next = waiting.shift()) {
        await next.act()
        waiting.push(next)
      }
    }
    this.#running = Promise.all(Array.from({ length: AT_ONCE }, work))
  }

  async end(): Promise<void> {
    this.#over = true
    await this.#running
  }
}

async function each(visitors: readonly Visitor[], go: (visitor: Visitor, at: number) => Promise<void>): Promise<void> {
  const waiting = visitors.entries()
  const work = async (): Promise<void> => {
    for (const [at, visitor] of waiting) await go(visitor, at)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
}

/** Numbers from 0 to 1 that are the same in each run (a linear congruential generator). */
function seeded(seed: number): () => number {
  let state = (seed * 2_654_435_761 + 12_345) >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

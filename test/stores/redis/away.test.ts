/** Whoever is to answer is away for long, and visitors keep coming. */
import { setTimeout as wait } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

import { describe, expect, it } from 'vitest'

import { StoreUnavailableError } from '../../../src/errors.ts'
import { freePort } from '../../support/redis-server.ts'
import { LONG, newSelector, record, server, store } from './fixture.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const DEADLINE = 300
const SECONDS = 2
/** Calls in each round, and milliseconds between rounds. */
const CROWD = 500
const PAUSE = 10

async function nobody(): Promise<string> {
  const [a, b] = [await freePort(), await freePort()]
  return `127.0.0.1:${a},127.0.0.1:${b}`
}

async function hanging(): Promise<string> {
  const redis = await server()
  redis.pause()
  return redis.url
}

describe('I13: while nobody answers for seconds', () => {
  it.each<[string, () => Promise<string>]>([
    ['one server that is not there', async () => `redis://${(await nobody()).split(',')[0]}`],
    ['one server that hangs', hanging],
    ['Sentinels that are not there', async () => `redis+sentinel://${await nobody()}/name`],
    ['a cluster that is not there', async () => `redis+cluster://${await nobody()}`],
  ])('%s: calls fail in time, and nothing piles up', { retry: 1 }, async (_, urlOf) => {
    const away = store({ url: await urlOf(), deadline: DEADLINE, maxPending: 1_000 })
    await expect(away.open()).rejects.toThrow(StoreUnavailableError)
    let [slowest, failed] = [0, 0]
    const call = async (ask: () => unknown): Promise<void> => {
      const begun = performance.now()
      const error: unknown = await Promise.resolve(ask()).catch((cause: unknown) => cause)
      if (!(error instanceof StoreUnavailableError)) throw new Error('a call did not fail', { cause: error })
      slowest = Math.max(slowest, performance.now() - begun)
      failed += 1
    }
    const crowd = async (): Promise<void> => {
      const calls = Array.from({ length: CROWD }, (__, at) =>
        call(at % 3 === 0 ? () => away.end(newSelector(), record(1), LONG) : () => away.load(newSelector())),
      )
      await Promise.all([...calls, wait(PAUSE)])
    }
    await crowd()
    collect()
    const before = process.memoryUsage().heapUsed
    const until = performance.now() + SECONDS * 1_000
    while (performance.now() < until) await crowd()
    collect()
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(8 * 1024 ** 2)
    expect(failed).toBeGreaterThan(5_000)
    expect(slowest).toBeLessThan(DEADLINE + 200)
    const closing = performance.now()
    await away.close()
    expect(performance.now() - closing).toBeLessThan(DEADLINE)
  })
})

/** Servers, stores and a lossy line for the tests of the Redis store. */
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

import { redisStore, type RedisStoreOptions } from 'holdfast/redis'
import { onTestFinished } from 'vitest'

import type { Store } from '../../../src/core/store.ts'
import { StoreUnavailableError } from '../../../src/errors.ts'
import { ownTime } from '../../support/own-time.ts'
import { type RedisServer, startRedisServer } from '../../support/redis-server.ts'

export { LONG, newSelector, record, version } from '../../../src/testing/store-contract/harness.ts'

/** A server for this test alone. */
export async function server(...args: string[]): Promise<RedisServer> {
  const started = await startRedisServer({ args })
  onTestFinished(() => started.stop())
  return started
}

/** A store that is closed after this test, not opened yet. */
export function store(options: string | RedisStoreOptions): Store {
  const made = redisStore(options)
  onTestFinished(() => made.close())
  return made
}

/** A store that is open, and closed after this test. */
export async function openStore(options: string | RedisStoreOptions): Promise<Store> {
  const made = store(options)
  await made.open()
  return made
}

/** How a call failed, and after how many milliseconds. Throws when it did not fail as a broken store does. */
export async function failure(run: () => unknown): Promise<{ error: StoreUnavailableError; took: number }> {
  const own = ownTime()
  try {
    await run()
  } catch (error) {
    if (error instanceof StoreUnavailableError) return { error, took: own.time() }
    throw error
  } finally {
    own.stop()
  }
  throw new Error('the call did not fail')
}

/** Whether all of it is settled before a timer of this process goes off: a busy machine makes both late. */
export async function settlesWithin(ms: number, ...settling: readonly Promise<unknown>[]): Promise<boolean> {
  const late = new Promise<boolean>((resolve) => setTimeout(() => setImmediate(resolve, false), ms))
  return Promise.race([Promise.allSettled(settling).then(() => true), late])
}

/** Asks until it is answered. */
export async function eventually<Answer>(ask: () => Answer | Promise<Answer>, within = 5_000): Promise<Answer> {
  const until = performance.now() + within
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      if (performance.now() > until) throw error
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}

export interface Line {
  readonly url: string
  /** From now on the connection breaks when an answer is on its way back; `false`: goes through again. */
  cut: boolean
}

/** A line to the server on which answers can be lost. */
export async function line(to: RedisServer): Promise<Line> {
  const sockets = new Set<Socket>()
  const state = { cut: false, url: '' }
  const proxy: Server = createServer((near) => {
    const far = connect(to.port, '127.0.0.1')
    for (const socket of [near, far]) sockets.add(socket.on('error', () => socket.destroy()))
    near.pipe(far)
    near.on('close', () => far.destroy())
    far.on('close', () => near.destroy())
    far.on('data', (chunk) => (state.cut ? near.destroy() : near.write(chunk)))
  }).listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  const address = proxy.address()
  state.url = `redis://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    proxy.close()
  })
  return state
}

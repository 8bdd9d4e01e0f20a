/** A process that is busy itself: its store has answered in time, and is not blamed. */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

import { expect, it, onTestFinished } from 'vitest'

import { GuardedStore } from '../../src/core/guarded-store.ts'
import type { RecordBytes, Selector, Store } from '../../src/core/store.ts'
import { StoreUnavailableError } from '../../src/errors.ts'
import { memoryStore } from '../../src/stores/memory.ts'

const DEADLINE = 100
const KEY = 'k'.repeat(24) as Selector

/** A store that loads what comes over a socket, and the other end of that socket. */
async function overSocket(): Promise<{ guard: GuardedStore; far: Socket }> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const near = connect(typeof address === 'object' && address !== null ? address.port : 0, '127.0.0.1')
  const [far] = (await once(server, 'connection')) as [Socket]
  const bare = memoryStore()
  const load = async (): Promise<RecordBytes> => ((await once(near, 'data')) as [Buffer])[0]
  const store: Store = Object.assign(Object.create(bare) as Store, {
    open: () => bare.open(),
    close: () => bare.close(),
    load,
  })
  const nothing = (): void => undefined
  const told = {
    log: { warn: nothing, error: nothing },
    answersAgain: nothing,
    ending: () => nothing,
    writing: nothing,
  }
  const guard = new GuardedStore(store, { deadline: DEADLINE, ...told })
  await guard.open()
  onTestFinished(async () => {
    await guard.close()
    for (const socket of [near, far]) socket.destroy()
    server.close()
  })
  return { guard, far }
}

function busy(ms: number): void {
  const until = performance.now() + ms
  while (performance.now() < until);
}

it('takes an answer that came while it was busy for longer than the deadline', async () => {
  const { guard, far } = await overSocket()
  const loading = guard.load(KEY)
  far.write('record')
  busy(3 * DEADLINE)
  expect(String(await loading)).toBe('record')
  expect(guard.reads.open).toBe(false)
})

it('waits no longer for one that did not come', async () => {
  const { guard } = await overSocket()
  const begun = performance.now()
  const loading = guard.load(KEY)
  busy(3 * DEADLINE)
  await expect(loading).rejects.toThrow(StoreUnavailableError)
  expect(performance.now() - begun).toBeLessThan(2_000)
})

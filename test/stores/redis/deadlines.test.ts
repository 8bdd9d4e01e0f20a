import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'

import { describe, expect, it, onTestFinished } from 'vitest'

import { Deadlines } from '../../../src/stores/redis/deadlines.ts'

function watched(length: number): { deadlines: Deadlines<{ name: string }>; expired: string[] } {
  const expired: string[] = []
  const deadlines = new Deadlines<{ name: string }>(length, ({ name }) => expired.push(name))
  onTestFinished(() => deadlines.stop())
  return { deadlines, expired }
}

/** Answers at once, in a thread of its own, whatever this thread does. Answers its port. */
async function echo(): Promise<number> {
  const source = `
    const { createServer } = require('node:net')
    const { parentPort } = require('node:worker_threads')
    const server = createServer((socket) => socket.pipe(socket)).listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port))
  `
  const worker = new Worker(source, { eval: true })
  onTestFinished(async () => void (await worker.terminate()))
  const [port] = (await once(worker, 'message')) as [number]
  return port
}

describe('deadlines', () => {
  it('expire in the order of their entries, and not those that were taken out', async () => {
    const { deadlines, expired } = watched(30)
    const entries = ['a', 'b', 'c'].map((name) => ({ name }))
    for (const entry of entries) deadlines.add(entry)
    expect(deadlines.delete(entries[1]!)).toBe(true)
    await expect.poll(() => expired).toEqual(['a', 'c'])
    expect(deadlines.delete(entries[0]!)).toBe(false)
  })

  it('leave what was answered while this process was busy to its answer', async () => {
    const { deadlines, expired } = watched(20)
    const entry = { name: 'answered' }
    const socket = connect(await echo(), '127.0.0.1')
    await once(socket, 'connect')
    onTestFinished(() => void socket.destroy())
    socket.on('data', () => deadlines.delete(entry))
    deadlines.add(entry)
    await new Promise<void>((sent) => socket.write('?', () => sent()))
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60)
    await wait(50)
    expect(expired).toEqual([])
    expect(deadlines.size).toBe(0)
  })

  it('need one timer, and none when nothing is left', async () => {
    const { deadlines } = watched(20)
    const before = timers()
    for (let count = 0; count < 100; count++) deadlines.add({ name: String(count) })
    expect(timers() - before).toBe(1)
    await expect.poll(() => deadlines.size).toBe(0)
    await expect.poll(() => timers()).toBeLessThanOrEqual(before + 1)
    deadlines.stop()
  })
})

function timers(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
}

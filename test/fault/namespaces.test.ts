/** Lines that the kernel breaks, between servers of a topology and from the application to them. */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

import { expect, it, onTestFinished, vi } from 'vitest'

import { ask } from '../support/asking.ts'
import { whyNoNamespaces } from '../support/namespaces.ts'
import type { Member } from '../support/network.ts'
import { type Cluster, startCluster } from '../support/redis-cluster.ts'
import { type Sentinels, startSentinels } from '../support/redis-sentinel.ts'

/** Milliseconds in which an answer would have come. */
const A_WHILE = 300
const why = whyNoNamespaces()

it('where there is no ip, it is said what it takes', () => {
  vi.stubEnv('PATH', '')
  expect(whyNoNamespaces()).toMatch(/they take Linux, iproute2 and root: there is no ip/)
})

it(
  'the application’s packets to a primary vanish: nothing is refused, nothing reset, and what was sent arrives when it can',
  inNamespaces(startSentinels, async (redis) => {
    const primary = await redis.primary()
    const { socket, heard } = await connected(primary)
    redis.network.split(['application'], [primary])
    socket.write('PING\r\n')
    await pause(A_WHILE)
    expect(heard()).toBe('')
    expect(socket.readyState).toBe('open')
    const another = connect(primary.port, primary.host)
    onTestFinished(() => void another.destroy())
    await pause(A_WHILE)
    expect(another.readyState).toBe('opening')
    expect(await ask(primary, 'info', 'replication')).toContain('connected_slaves:2')
    redis.network.heal()
    await expect.poll(heard, { timeout: 10_000 }).toBe('+PONG\r\n')
  }),
)

it(
  'a primary that nobody but the application reaches is replaced, and follows the new one when it is back',
  inNamespaces(startSentinels, async (redis) => {
    const before = await redis.primary()
    const others = [...redis.nodes, ...redis.sentinels].filter((node) => node !== before)
    redis.network.split([before], others)
    const after = await redis.waitForPrimary(before)
    expect((await roleOf(before))[0]).toBe('master')
    const { socket, heard } = await connected(before)
    socket.write('PING\r\n')
    await expect.poll(heard).toBe('+PONG\r\n')
    redis.network.heal()
    await redis.settled()
    expect((await roleOf(before)).slice(0, 3)).toEqual(['slave', after.host, String(after.port)])
  }),
)

it(
  'a cluster replaces a primary that is cut off from all others',
  inNamespaces(startCluster, async (cluster) => {
    const primary = await cluster.primaryOf('key')
    cluster.network.split(
      [primary],
      cluster.nodes.filter((node) => node !== primary),
    )
    await cluster.waitForPrimaryOf('key', primary)
    cluster.network.heal()
    await cluster.settled()
  }),
)

/** Starts it, tries it, and sees that nothing is left of it. Where there can be no namespaces, that is what has to be said. */
function inNamespaces<Topology extends Sentinels | Cluster>(
  start: (options: { links: 'namespaces' }) => Promise<Topology>,
  tryIt: (topology: Topology) => Promise<void>,
): () => Promise<void> {
  return async () => {
    const starting = start({ links: 'namespaces' })
    if (why !== undefined) return expect(starting).rejects.toThrow(why)
    const topology = await starting
    try {
      expect(leftOvers().length).toBeGreaterThan(3)
      await tryIt(topology)
    } finally {
      await topology.stop()
    }
    expect(leftOvers()).toEqual([])
  }
}

async function connected(to: Member): Promise<{ readonly socket: Socket; readonly heard: () => string }> {
  const socket = connect(to.port, to.host)
  onTestFinished(() => void socket.destroy())
  let heard = ''
  socket.setEncoding('utf8').on('data', (text: string) => (heard += text))
  await once(socket, 'connect')
  return { socket, heard: () => heard }
}

async function roleOf(node: Member): Promise<string[]> {
  return (await ask(node, 'role')).split('\n')
}

/** What is there of this process: namespaces, and network cards. */
function leftOvers(): string[] {
  const all = ['netns', 'link'].map((what) => execFileSync('ip', [what, 'list'], { encoding: 'utf8' }))
  return [...new Set(all.join('').match(new RegExp(String.raw`\bhf${process.pid}[a-z]\d*`, 'g')) ?? [])].toSorted()
}

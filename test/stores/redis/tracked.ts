/** Stores that tell of changes, with what they told; and a line to a server on which each connection can be broken alone. */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'

import type { RedisStoreOptions } from 'holdfast/redis'
import { onTestFinished } from 'vitest'

import type { RecordBytes, Selector, Store, Tracked } from '../../../src/core/store.ts'
import { TcpWire } from '../../support/link.ts'
import type { RedisServer } from '../../support/redis-server.ts'
import { newSelector, store } from './fixture.ts'

export interface TrackingStore extends Store {
  loadTracked(selector: Selector): Promise<Tracked>
}

export interface Told {
  readonly store: TrackingStore
  /** Of what it told changes, in this order. */
  readonly changed: Selector[]
  /** When it told that changes may not be told of, of the monotonic clock. */
  readonly untracked: number[]
  /** What `keep` read and nothing was told of since. */
  readonly kept: Map<Selector, RecordBytes | undefined>
}

/** A store that is open and tells of changes already, or only opened; closed after this test. */
export async function tracking(options: string | RedisStoreOptions, armed: 'armed' | 'idle' = 'armed'): Promise<Told> {
  const made = store(options) as TrackingStore
  const told: Told = { store: made, changed: [], untracked: [], kept: new Map() }
  made.watch?.({
    replaced: () => undefined,
    changed: (selector) => {
      told.changed.push(selector)
      told.kept.delete(selector)
    },
    untracked: () => {
      told.untracked.push(performance.now())
      told.kept.clear()
    },
  })
  await made.open()
  if (armed === 'armed') await arm(made)
  return told
}

/** Settles when changes are told of: how often that had to be asked for. */
export async function arm(tracked: TrackingStore, within = 5_000): Promise<number> {
  const until = performance.now() + within
  for (let asked = 1; ; asked++) {
    const answer = await tracked.loadTracked(newSelector()).catch(() => undefined)
    if (answer?.tracked === true) return asked
    if (performance.now() > until) throw new Error('changes are not told of')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** What stands there, which has to be tracked. */
export async function read(tracked: TrackingStore, selector: Selector): Promise<RecordBytes | undefined> {
  const answer = await tracked.loadTracked(selector)
  if (!answer.tracked) throw new Error('its changes are not told of')
  return answer.found
}

/** Reads it, and keeps what was found where its changes are told of and none was told while it was read. */
export async function keep({ store: from, changed, untracked, kept }: Told, selector: Selector): Promise<void> {
  const [changes, breaks] = [changed.length, untracked.length]
  const { found, tracked } = await from.loadTracked(selector)
  if (tracked && untracked.length === breaks && !changed.includes(selector, changes)) kept.set(selector, found)
}

/** A client as the server lists it. */
export interface ListedClient {
  readonly id: string
  /** `P`: it listens; `t`: what it reads is tracked. */
  readonly flags: string
  /** Who is told of that; -1: nobody. */
  readonly redir: string
}

/** The connections of stores. */
export async function clientsOf(redis: RedisServer): Promise<ListedClient[]> {
  const lines = (await redis.cli('client', 'list')).split('\n').filter((line) => line.includes('name=holdfast'))
  const field = (line: string, name: string): string => new RegExp(`(?:^| )${name}=(\\S*)`).exec(line)?.[1] ?? ''
  return lines.map((line) => ({ id: field(line, 'id'), flags: field(line, 'flags'), redir: field(line, 'redir') }))
}

/** The one that listens, of a single store. */
export async function listenerOf(redis: RedisServer): Promise<ListedClient> {
  return oneOf(await clientsOf(redis), 'P')
}

/** The one that reads. */
export async function readerOf(redis: RedisServer): Promise<ListedClient> {
  return oneOf(await clientsOf(redis), 't')
}

function oneOf(clients: readonly ListedClient[], flag: string): ListedClient {
  const [found, ...others] = clients.filter(({ flags }) => flags.includes(flag))
  if (found === undefined || others.length > 0) throw new Error(`not one client with ${flag}`)
  return found
}

/** Connections to a server, each with a wire of its own, in the order in which they were made. */
export interface Wires {
  readonly url: string
  readonly wires: readonly TcpWire[]
}

/** `to`: the port for the connection of this number. */
export async function wired(to: (number: number) => number): Promise<Wires> {
  const wires: TcpWire[] = []
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const wire = new TcpWire(to(wires.length))
    wires.push(wire)
    wire.join(socket)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => {
    server.close()
    for (const wire of wires) wire.end()
  })
  return { url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`, wires }
}

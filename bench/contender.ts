/** A contender's server, with visitors who are really signed in. */
import { type ChildProcess, spawn } from 'node:child_process'
import path from 'node:path'

import { PROJECT } from '../proof/peers.ts'
import { forEachOf } from './ask.ts'
import type { Contender } from './contenders.ts'
import { pinned, serverCores } from './cores.ts'
import type { ServerSetup, Used } from './server.ts'
import { type SessionStore, startStore } from './stores.ts'
import { Visitor } from './visitor.ts'

export interface Running extends Contender {
  readonly processes: number
  /** `http://127.0.0.1:port` */
  readonly url: string
  readonly store: SessionStore
  readonly visitors: readonly Visitor[]
  /** What all its processes have used so far. */
  used(): Promise<Used>
  stop(): Promise<void>
}

export interface Starting {
  /** How many visitors are signed in, each as a user of their own. */
  readonly visitors: number
  readonly processes?: number
  /** The store of another server of the same contender; by default a new one. */
  readonly store?: SessionStore
  /** Lets `used()` tell what is kept after a garbage collection. */
  readonly collecting?: boolean
}

/** Who the visitors are: `u10000` and so on. */
export function userAt(visitor: number): string {
  return `u${10_000 + visitor}`
}

/** Starts the server and signs the visitors in. */
export async function start(contender: Contender, starting: Starting): Promise<Running> {
  const { visitors: count, processes = 1, collecting = false } = starting
  const store = starting.store ?? (await startStore(contender.keeping))
  const setup: ServerSetup = {
    ...contender.setup,
    ...(store.url === undefined ? {} : { store: store.url }),
    processes,
  }
  const { child, gone } = spawnServer(setup, collecting)
  const stop = async (): Promise<void> => {
    if (child.connected) child.disconnect()
    await gone
    if (starting.store === undefined) await store.stop()
  }
  try {
    const { port } = await told<{ port: number }>(child, contender.name)
    const url = `http://127.0.0.1:${port}`
    const used = async (): Promise<Used> => {
      child.send('used')
      return await told<Used>(child, contender.name)
    }
    const visitors = await signedIn(contender, url, count)
    return { ...contender, processes, url, store, visitors, used, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

function spawnServer(setup: ServerSetup, collecting: boolean): { child: ChildProcess; gone: Promise<void> } {
  const { file, rest } = pinned(serverCores(setup.processes), [
    process.execPath,
    ...(collecting ? ['--expose-gc'] : []),
    path.join(PROJECT, 'build/bench/server.js'),
    JSON.stringify(setup),
  ])
  const child = spawn(file, rest, {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: { ...process.env, NODE_ENV: 'production' },
  })
  return { child, gone: new Promise((resolve) => child.once('exit', () => resolve())) }
}

async function signedIn({ setup }: Contender, url: string, count: number): Promise<Visitor[]> {
  const users = Array.from({ length: count }, (_, at) => userAt(at))
  if (setup.sessions === 'bare') return users.map((user) => Visitor.idle(url, user))
  const visitors = users.map((user) => new Visitor(url, user))
  await forEachOf(visitors, (visitor) => visitor.signIn())
  return visitors
}

function told<Message>(child: ChildProcess, name: string): Promise<Message> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null): void => reject(new Error(`${name} ended with ${code}`))
    child.once('exit', ended)
    child.once('error', reject)
    child.once('message', (message: Message) => {
      child.off('exit', ended)
      child.off('error', reject)
      resolve(message)
    })
  })
}

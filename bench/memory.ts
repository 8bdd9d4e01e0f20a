/** What one session takes: in its store, and in the process that serves it. */
import { setTimeout as wait } from 'node:timers/promises'

import { forEachOf } from './ask.ts'
import type { Failure } from './compare.ts'
import type { Contender } from './contenders.ts'
import { type Running, start } from './contender.ts'
import { tell } from './machine.ts'
import { Visitor } from './visitor.ts'

export interface MemoryStanding {
  readonly id: string
  readonly name: string
  /** Bytes in the store; `null` where it has none of its own. */
  readonly store: number | null
  /** Bytes in the process: V8's heap and what is outside of it, after a collection. */
  readonly kept: number
  /** The process's bytes as the system sees them. */
  readonly resident: number
  /** Bytes that the browser sends with each request. */
  readonly cookie: number
}

export interface Memory {
  readonly part: 'memory'
  readonly sessions: number
  readonly standings: readonly MemoryStanding[]
  readonly failures: readonly Failure[]
}

/** Before it is counted, so that code and tables are there. */
const WARM_UP = 500
const SETTLING = 2000

/** Signs many visitors in, lets each of them read once, and looks what has grown. */
export async function measureMemory(contenders: readonly Contender[], sessions: number): Promise<Memory> {
  const standings: MemoryStanding[] = []
  const failures: Failure[] = []
  for (const contender of contenders) {
    if (contender.keeping === 'nothing') continue
    tell(`  ${contender.name}`)
    const running = await start(contender, { visitors: 0, collecting: true })
    try {
      standings.push(await measured(running, sessions))
    } catch (error) {
      const said = error instanceof Error ? error.message : String(error)
      failures.push({ id: contender.id, name: contender.name, error: said })
    } finally {
      await running.stop()
    }
  }
  return { part: 'memory', sessions, standings, failures }
}

async function measured(running: Running, sessions: number): Promise<MemoryStanding> {
  await visits(running, 'w', WARM_UP)
  const before = await stateOf(running)
  const cookie = await visits(running, 'v', sessions)
  const after = await stateOf(running)
  return {
    id: running.id,
    name: running.name,
    store: after.store === undefined || before.store === undefined ? null : (after.store - before.store) / sessions,
    kept: (after.kept - before.kept) / sessions,
    resident: (after.resident - before.resident) / sessions,
    cookie,
  }
}

/** Each signs in and reads the page once. Answers the length of the last one's cookies. */
async function visits({ url }: Running, prefix: string, count: number): Promise<number> {
  let cookie = 0
  const users = Array.from({ length: count }, (_, at) => `${prefix}${String(at).padStart(6, '0')}`)
  await forEachOf(users, async (user) => {
    const visitor = new Visitor(url, user)
    await visitor.signIn()
    await visitor.askFor('GET', '/')
    cookie = visitor.cookie.length
  })
  return cookie
}

async function stateOf({
  used,
  store,
}: Running): Promise<{ store: number | undefined; kept: number; resident: number }> {
  // What a request leaves for a moment is not what a session takes; and finalizers leave something for a second collection.
  await used()
  await wait(SETTLING)
  const { kept, resident } = await used()
  return { store: await store.bytes(), kept, resident }
}

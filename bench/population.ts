/** Very many sessions in a Redis of their own, and what single calls on them take. */
import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'

import { createSessions, type Selector, type Sessions, type Store, versionOf } from 'holdfast'
import { attach } from 'holdfast/node'
import { redisStore } from 'holdfast/redis'

import { type RedisServer, startRedisServer } from '../test/support/redis-server.ts'
import { ORIGIN, VISITOR, type Visit } from './app/page.ts'
import { SECRET } from './app/setup.ts'
import { pin, STORE_CORE } from './cores.ts'

/** What is measured: two calls of the store, two of the application's. */
export const OPERATIONS = ['load', 'replace', 'list', 'revokeUser'] as const
export type Operation = (typeof OPERATIONS)[number]

export const SESSIONS_EACH = 5
/** Calls of each operation in a round. Few, so that what else the machine does meets all sizes alike. */
const CALLS: Readonly<Record<Operation, number>> = { load: 100, replace: 100, list: 20, revokeUser: 5 }
/** Sign-ins under way: what they send travels together. */
const PARALLEL = 256
/** As long as Holdfast keeps a record whose idle timeout is the default. */
const LIFETIME = 33 * 60_000

export class Population {
  readonly sessions: number
  readonly #redis: RedisServer
  readonly #store: Store
  readonly #manager: Sessions<Partial<Visit>>
  /** Where the next round begins to revoke: a user is revoked once, for what ended leaves a marker. */
  #revoked = 0

  private constructor(sessions: number, redis: RedisServer) {
    this.sessions = sessions
    this.#redis = redis
    this.#store = redisStore(redis.url)
    this.#manager = createSessions({ secret: SECRET, store: this.#store, origin: ORIGIN })
  }

  /** Starts a Redis and signs everybody in. */
  static async start(sessions: number): Promise<Population> {
    const redis = await startRedisServer()
    pin(redis.pid, STORE_CORE)
    const population = new Population(sessions, redis)
    await population.#manager.ready()
    await population.#fill()
    return population
  }

  /** One round of calls, one after the other. Answers the milliseconds of each. */
  async round(): Promise<Record<Operation, number[]>> {
    const selectors = await this.#someSelectors(Math.max(CALLS.load, CALLS.replace))
    const load = await timed(selectors.slice(0, CALLS.load), async (selector) => this.#store.load(selector))
    const replace = await this.#replace(selectors.slice(0, CALLS.replace))
    const list = await timed(this.#someUsers(CALLS.list), (user) => this.#manager.list(user))
    const revokeUser = await this.#revoke()
    return { load, replace, list, revokeUser }
  }

  /** What the sessions take in Redis. */
  async megabytes(): Promise<number> {
    return Number(/^used_memory:(\d+)/m.exec(await this.#redis.cli('info', 'memory'))?.[1]) / 2 ** 20
  }

  async close(): Promise<void> {
    await this.#manager.close()
    await this.#redis.stop()
  }

  async #fill(): Promise<void> {
    let next = 0
    const worker = async (): Promise<void> => {
      while (next < this.sessions) await this.#signIn(userAt(Math.floor(next++ / SESSIONS_EACH)))
    }
    await Promise.all(Array.from({ length: PARALLEL }, worker))
    const keys = Number(await this.#redis.cli('dbsize'))
    // Besides these only leases, and the one key that never expires.
    const expected = this.sessions + Math.ceil(this.sessions / SESSIONS_EACH)
    if (keys < expected) throw new Error(`${keys} keys and not ${expected}: not every sign-in was stored`)
  }

  /** As an application does it, but for the network: the record and the index are Holdfast's own. */
  async #signIn(user: string): Promise<void> {
    const request = Object.assign(new IncomingMessage(new Socket()), {
      method: 'POST',
      url: '/sign-in',
      headers: { host: new URL(ORIGIN).host, origin: ORIGIN, 'sec-fetch-site': 'same-origin' },
    })
    const response = new ServerResponse(request)
    const session = await attach(this.#manager, request, response)
    Object.assign(session.data, VISITOR)
    await session.signIn(user)
    response.end()
  }

  get #users(): number {
    return Math.floor(this.sessions / SESSIONS_EACH)
  }

  #someUsers(count: number): string[] {
    return Array.from({ length: count }, () => userAt(Math.floor(Math.random() * this.#users)))
  }

  /** Sessions of users by chance. */
  async #someSelectors(count: number): Promise<Selector[]> {
    const selectors: Selector[] = []
    for (const user of this.#someUsers(count)) {
      const { entries } = await this.#store.roll(user)
      const entry = entries[Math.floor(Math.random() * entries.length)]
      if (entry !== undefined) selectors.push(entry.selector)
    }
    return selectors
  }

  async #replace(selectors: readonly Selector[]): Promise<number[]> {
    const changes: { selector: Selector; version: Uint8Array; next: Uint8Array }[] = []
    for (const selector of new Set(selectors)) {
      const record = await this.#store.load(selector)
      if (record === undefined) throw new Error('a session is missing')
      const next = Uint8Array.from(record)
      // The next version, in place.
      versionOf(next)[3] = ((versionOf(next)[3] ?? 0) + 1) % 256
      changes.push({ selector, version: versionOf(record), next })
    }
    return await timed(changes, async ({ selector, version, next }) => {
      const { done } = await this.#store.replace(selector, version, next, LIFETIME)
      if (!done) throw new Error('a session was changed by somebody else')
    })
  }

  /** Afterwards the users sign in again: there are as many sessions as before. */
  async #revoke(): Promise<number[]> {
    const users = Array.from({ length: CALLS.revokeUser }, () => userAt(this.#revoked++ % this.#users))
    const took = await timed(users, async (user) => {
      const { ended } = await this.#manager.revokeUser(user)
      if (ended !== SESSIONS_EACH) throw new Error(`${ended} of ${SESSIONS_EACH} sessions of ${user} were ended`)
    })
    for (const user of users) for (let session = 0; session < SESSIONS_EACH; session++) await this.#signIn(user)
    return took
  }
}

/** `u0000000` and so on: user ids of one length. */
function userAt(number: number): string {
  return `u${String(number).padStart(7, '0')}`
}

/** Milliseconds of each call. */
async function timed<Item>(items: readonly Item[], call: (item: Item) => Promise<unknown>): Promise<number[]> {
  const took: number[] = []
  for (const item of items) {
    const start = performance.now()
    await call(item)
    took.push(performance.now() - start)
  }
  return took
}

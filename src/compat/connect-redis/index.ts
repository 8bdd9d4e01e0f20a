/**
 * `holdfast/connect-redis`: connect-redis 9, by one changed line.
 *
 * ```ts
 * import { RedisStore } from 'holdfast/connect-redis'
 *
 * app.use(session({ store: new RedisStore({ client }), secret, resave: false, saveUninitialized: false }))
 * ```
 *
 * The same keys with the same values, behind express-session itself or behind `holdfast/express-session`, with node-redis
 * or ioredis. It differs in one thing: a session that was loaded is written only over itself. So who saves late does not
 * bring back a session that was ended meanwhile, on whatever server. `docs/coming-over.md` has the rest.
 */
import * as channels from '../../telemetry/channels.ts'
import type { Callback } from '../express-session/answered.ts'
import type { SessionRequest } from '../express-session/request.ts'
import type { Session } from '../express-session/session.ts'
import { hearOfLoaded, type SessionData } from '../express-session/store-contract.ts'
import { BaseStore } from './base.ts'
import { commandsOf, type Client, type Commands } from './commands.ts'

/** Makes texts of sessions, and sessions of texts. `JSON` is one. */
export interface Serializer {
  stringify(session: object): string
  parse(text: string): SessionData | Promise<SessionData>
}

export interface RedisStoreOptions {
  /** What `createClient` or `createCluster` of node-redis answers, or a `Redis` or a `Cluster` of ioredis. The application connects it. */
  readonly client: Client
  /** What keys begin with. Default `'sess:'`. */
  readonly prefix?: string | undefined
  /** How many keys Redis looks at in one step of `all`, `ids`, `length` and `clear`. Default 100. */
  readonly scanCount?: number | undefined
  /** Default `JSON`. */
  readonly serializer?: Serializer | undefined
  /** Seconds for which a session without an end of its own is kept; or what says so for each. Default 86 400. */
  readonly ttl?: number | ((session: SessionData) => number) | undefined
  /** Keeps sessions for ever. Default `false`. */
  readonly disableTTL?: boolean | undefined
  /** Does not move a session's end when it is used unchanged. Default `false`. */
  readonly disableTouch?: boolean | undefined
}

/** Seconds: a day. */
const TTL = 86_400
const SCAN_COUNT = 100

/** Sessions as JSON in Redis. Every method takes a callback or answers a promise. */
export class RedisStore extends BaseStore {
  client: Client
  prefix: string
  scanCount: number
  serializer: Serializer
  ttl: number | ((session: SessionData) => number)
  disableTTL: boolean
  disableTouch: boolean
  /** Sessions that are in Redis, as far as is known here. */
  readonly #stored = new WeakSet<object>()

  constructor(options: RedisStoreOptions) {
    super()
    const { client, prefix, scanCount, serializer, ttl, disableTTL, disableTouch } = options
    this.client = client
    this.prefix = prefix ?? 'sess:'
    this.scanCount = Number(scanCount) || SCAN_COUNT
    this.serializer = serializer ?? JSON
    this.ttl = ttl === undefined || ttl === 0 ? TTL : ttl
    this.disableTTL = disableTTL ?? false
    this.disableTouch = disableTouch ?? false
    hearOfLoaded(this, (session) => this.#stored.add(session))
  }

  override get(id: string, callback?: Callback<SessionData | null>): Promise<SessionData | null> {
    return settled(callback, async () => {
      const text = await this.#commands.get(this.prefix + id)
      // Redis has no empty one.
      return text === null || text === '' ? null : await this.serializer.parse(text)
    })
  }

  /** A session that was loaded, or stored before, is written only if it is still there. */
  override set(id: string, session: Session, callback?: Callback): Promise<null> {
    return settled(callback as Callback<null> | undefined, async () => {
      const ttl = this.#ttlOf(session)
      if (ttl <= 0) return await this.#del(id)
      const onlyIfThere = this.#stored.has(session)
      const text = this.serializer.stringify(session)
      const written = await this.#commands.set(this.prefix + id, text, {
        ttl: this.disableTTL ? undefined : ttl,
        onlyIfThere,
      })
      if (written) this.#stored.add(session)
      else channels.dropped.publish({ handle: undefined, reason: 'ended' })
      return null
    })
  }

  /** Moves the session's end. */
  touch(id: string, session: Session, callback?: Callback<null>): Promise<null> {
    return settled(callback, async () => {
      if (!this.disableTouch && !this.disableTTL) await this.#commands.expire(this.prefix + id, this.#ttlOf(session))
      return null
    })
  }

  override destroy(id: string, callback?: Callback): Promise<null> {
    return settled(callback as Callback<null> | undefined, () => this.#del(id))
  }

  /** Ends all sessions. */
  clear(callback?: Callback<null>): Promise<null> {
    return settled(callback, async () => {
      const keys = await this.#keys()
      // One by one, because those of a cluster are in several places.
      await Promise.all(keys.map((key) => this.#commands.del(key)))
      return null
    })
  }

  /** How many sessions there are. */
  length(callback?: Callback<number>): Promise<number> {
    return settled(callback, async () => (await this.#keys()).length)
  }

  ids(callback?: Callback<string[]>): Promise<string[]> {
    return settled(callback, async () => (await this.#keys()).map((key) => key.slice(this.prefix.length)))
  }

  /** All sessions, each with its `id`. */
  all(callback?: Callback<SessionData[]>): Promise<SessionData[]> {
    return settled(callback, async () => {
      const found = (await this.#keys()).map(async (key) => {
        const text = await this.#commands.get(key)
        if (text === null || text === '') return []
        return [Object.assign(await this.serializer.parse(text), { id: key.slice(this.prefix.length) })]
      })
      return (await Promise.all(found)).flat()
    })
  }

  /** Called by express-session for what was loaded; the drop-in for it makes sessions itself. */
  override createSession(request: SessionRequest, data: SessionData): Session {
    const session = super.createSession(request, data)
    this.#stored.add(session)
    return session
  }

  // With `createSession` these make a base class, whose sessions are not asked for where the drop-in makes its own.
  override load(id: string, callback?: Callback<Session>): unknown {
    return super.load(id, callback)
  }

  override regenerate(request: SessionRequest, callback?: Callback): unknown {
    return super.regenerate(request, callback)
  }

  get #commands(): Commands {
    return commandsOf(this.client)
  }

  async #del(id: string): Promise<null> {
    await this.#commands.del(this.prefix + id)
    return null
  }

  async #keys(): Promise<string[]> {
    const keys = new Set<string>()
    for await (const batch of this.#commands.scan(`${this.prefix}*`, this.scanCount))
      for (const key of batch) keys.add(key)
    return [...keys]
  }

  /** Seconds. */
  #ttlOf(session: object): number {
    if (typeof this.ttl === 'function') return this.ttl(session as SessionData)
    const { cookie } = session as { cookie?: { expires?: unknown } }
    const expires = cookie?.expires
    if (expires === undefined || expires === null || expires === false || expires === '') return this.ttl
    return Math.ceil((Number(new Date(expires as string)) - Date.now()) / 1000)
  }
}

/** Answers a promise, and calls back where there is a callback; what that throws is its own. */
function settled<Value>(callback: Callback<Value> | undefined, work: () => Promise<Value>): Promise<Value> {
  const working = work()
  if (callback === undefined) return working
  working.then(
    (value) => process.nextTick(callback, null, value),
    (error: unknown) => process.nextTick(callback, error, null),
  )
  // Who called with a callback hears of a failure there.
  working.catch(() => undefined)
  return working
}

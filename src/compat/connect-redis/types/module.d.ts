/** Typed as a store of `@types/express-session`, like what it is given to. */
import type { SessionData, Store } from 'express-session'

/** Makes texts of sessions, and sessions of texts. `JSON` is one. */
export interface Serializer {
  parse(text: string): OrLater<SessionData>
  stringify(session: SessionData): string
}

export interface RedisStoreOptions {
  /** What `createClient` or `createCluster` of node-redis answers, or a `Redis` or a `Cluster` of ioredis. The application connects it. */
  client: object
  /** What keys begin with. Default `'sess:'`. */
  prefix?: string | undefined
  /** How many keys Redis looks at in one step of `all`, `ids`, `length` and `clear`. Default 100. */
  scanCount?: number | undefined
  /** Default `JSON`. */
  serializer?: Serializer | undefined
  /** Seconds for which a session without an end of its own is kept; or what says so for each. Default 86 400. */
  ttl?: number | ((session: SessionData) => number) | undefined
  /** Keeps sessions for ever. Default `false`. */
  disableTTL?: boolean | undefined
  /** Does not move a session's end when it is used unchanged. Default `false`. */
  disableTouch?: boolean | undefined
}

type Callback<Value> = (error?: unknown, value?: Value) => void
type OrLater<Value> = Value | Promise<Value>
type OrNone<Value> = Value | null
type Named<Value> = Value & { id: string }

/** Sessions as JSON in Redis. A session that was loaded, or stored before, is written only if it is still there. */
export declare class RedisStore extends Store {
  client: object
  prefix: string
  scanCount: number
  serializer: Serializer
  ttl: number | ((session: SessionData) => number)
  disableTTL: boolean
  disableTouch: boolean
  constructor(options: RedisStoreOptions)
  get(id: string, callback?: Callback<OrNone<SessionData>>): Promise<OrNone<SessionData>>
  set(id: string, session: SessionData, callback?: Callback<null>): Promise<null>
  touch(id: string, session: SessionData, callback?: Callback<null>): Promise<null>
  destroy(id: string, callback?: Callback<null>): Promise<null>
  /** Ends all sessions. */
  clear(callback?: Callback<null>): Promise<null>
  /** How many sessions there are. */
  length(callback?: Callback<number>): Promise<number>
  ids(callback?: Callback<string[]>): Promise<string[]>
  /** All sessions, each with its `id`. */
  all(callback?: Callback<Named<SessionData>[]>): Promise<Named<SessionData>[]>
}

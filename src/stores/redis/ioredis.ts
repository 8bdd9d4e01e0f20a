/** The client that the store brings: ioredis, which is loaded when it is needed. `docs/dependencies.md` says why it. */
import { once } from 'node:events'
import type { Socket } from 'node:net'

import type { RedisOptions } from 'ioredis'

import { OptionsError } from '../../errors.ts'
import {
  type Command,
  type ConnectionWatcher,
  ErrorReply,
  NotSentError,
  type RedisClient,
  type Reply,
} from './client.ts'
import type { Address } from './options.ts'

/** What is called of ioredis. */
export interface Ioredis {
  readonly status: string
  /** There from the first attempt to connect; another one for each. */
  readonly stream: Socket | undefined
  connect(): Promise<void>
  disconnect(reconnect?: boolean): void
  callBuffer(name: string, ...args: (string | Buffer)[]): Promise<unknown>
  on(event: 'ready' | 'close', listener: () => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
}

/** Loads the package. */
export type IoredisLoader = () => Promise<{ readonly Redis: new (options: RedisOptions) => Ioredis }>

const BACKOFF_FIRST = 50
const BACKOFF_MOST = 1000
/** How long to wait before asking again a server that loads its data. */
const LOADING_RETRY = 250

/** A client for one server. `deadline`: milliseconds; a connection that is silent for two of them while an answer is due counts as dead. */
export async function ioredisClient(
  address: Address,
  deadline: number,
  load: IoredisLoader = () => import('ioredis'),
): Promise<RedisClient> {
  const { Redis } = await load().catch((cause: unknown) => {
    throw isMissing(cause)
      ? new OptionsError('store', 'The Redis store needs the package ioredis. Install it: npm install ioredis@6', {
          cause,
        })
      : cause
  })
  const { tls, database, ...server } = address
  const redis = new Redis({
    host: server.host,
    port: server.port,
    username: server.username,
    password: server.password,
    ...(tls === undefined ? {} : { tls }),
    db: database,
    lazyConnect: true,
    // RESP2 needs no HELLO, which a user with few rights may not be allowed, and the answers are the same.
    protocol: 2,
    connectionName: 'holdfast',
    disableClientInfo: true,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: deadline,
    // Twice: what is answered late, because the server or this process was busy, is no reason to break what else is under way.
    socketTimeout: 2 * deadline,
    maxLoadingRetryTime: LOADING_RETRY,
    retryStrategy: backoff,
    // A server that became a replica stays connected and refuses every write: another attempt may find the primary.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  })
  return new IoredisClient(redis)
}

class IoredisClient implements RedisClient {
  readonly #redis: Ioredis
  /** Why the present connection, or attempt to connect, failed: the first error says it. */
  #failure: Error | undefined
  #corked = false

  constructor(redis: Ioredis) {
    this.#redis = redis
  }

  get ready(): boolean {
    return this.#redis.status === 'ready' && this.#redis.stream?.writable === true
  }

  start(watcher: ConnectionWatcher): void {
    const redis = this.#redis
    redis.on('error', (error) => this.#noted(error))
    redis.on('ready', () => watcher.up())
    redis.on('close', () => {
      watcher.down(this.#failure ?? new Error('the connection was closed'))
      this.#failure = undefined
    })
    redis.connect().catch((error: unknown) => {
      // All other failures are told by 'close'; this one has no connection that could close.
      if (redis.status === 'end') watcher.down(asError(error))
    })
  }

  send([name = '', ...args]: Command): Promise<Reply> {
    if (!this.ready) return Promise.reject(new NotSentError('not connected'))
    this.#gather()
    return this.#redis.callBuffer(String(name), ...args).then(
      (reply) => reply as Reply,
      (error: unknown) => {
        throw asError(error)
      },
    )
  }

  async close(): Promise<void> {
    const { stream } = this.#redis
    this.#redis.disconnect()
    if (stream === undefined || stream.closed) return
    const closed = once(stream, 'close')
    // A server that hangs would never answer the end of the connection with its own.
    stream.destroy()
    await closed
  }

  /** Commands of one turn of the event loop leave in one packet: it saves a quarter of the work per request. */
  #gather(): void {
    const { stream } = this.#redis
    if (this.#corked || stream === undefined) return
    this.#corked = true
    stream.cork()
    setImmediate(() => {
      this.#corked = false
      stream.uncork()
    })
  }

  #noted(error: Error): void {
    this.#failure ??= asError(error)
    // ioredis would go on with database 0.
    if (commandOf(error) === 'select') this.#redis.disconnect(true)
  }
}

/** Milliseconds before the next attempt: doubling up to a second, with a fifth of chance so that servers do not come all at once. */
function backoff(attempt: number): number {
  const wait = Math.min(BACKOFF_FIRST * 2 ** (attempt - 1), BACKOFF_MOST)
  return Math.round(wait * (0.9 + Math.random() * 0.2))
}

function asError(error: unknown): Error {
  if (!(error instanceof Error)) return new Error(String(error))
  // ioredis hangs the command onto its errors, and with it a record: it must not end in a log.
  if (error.name === 'ReplyError') return new ErrorReply(error.message)
  return commandOf(error) === undefined ? error : new Error(error.message)
}

function commandOf(error: Error): string | undefined {
  const { command } = error as { command?: { name?: string } }
  return command?.name
}

function isMissing(cause: unknown): boolean {
  return (
    cause instanceof Error &&
    'code' in cause &&
    (cause.code === 'ERR_MODULE_NOT_FOUND' || cause.code === 'MODULE_NOT_FOUND')
  )
}

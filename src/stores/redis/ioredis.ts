/** The links that the store brings: of ioredis, which is loaded when it is needed. `docs/dependencies.md` says why it. */
import { once } from 'node:events'
import { isIP, type Socket } from 'node:net'

import type { RedisOptions } from 'ioredis'

import { OptionsError } from '../../errors.ts'
import type { Access, Credentials } from './access.ts'
import { isAboutCredentials } from './failures.ts'
import {
  type Command,
  type Endpoint,
  ErrorReply,
  type Link,
  type LinkWatcher,
  NotSentError,
  type OpenLink,
  type Reply,
} from './link.ts'

/** What is called of ioredis. */
interface Ioredis {
  readonly status: string
  /** There from the attempt to connect. */
  readonly stream: Socket | undefined
  connect(): Promise<void>
  disconnect(): void
  callBuffer(name: string, ...args: (string | Buffer)[]): Promise<unknown>
  on(event: 'ready' | 'close', listener: () => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'message', listener: (channel: string, message: string) => void): unknown
}

type IoredisClass = new (options: RedisOptions) => Ioredis

/** Loads the package. */
export type IoredisLoader = () => Promise<{ readonly Redis: IoredisClass }>

/** Opens links with this access, by a package that is loaded now. Rejects with an `OptionsError` where it is missing. */
export async function ioredisLinks(
  load: IoredisLoader = () => import('ioredis'),
): Promise<(access: Access) => OpenLink> {
  const { Redis } = await load().catch((cause: unknown) => {
    throw isMissing(cause)
      ? new OptionsError('store', 'The Redis store needs the package ioredis. Install it: npm install ioredis@6', {
          cause,
        })
      : cause
  })
  return (access) => (to, watcher) => new IoredisLink(Redis, to, access, watcher)
}

class IoredisLink implements Link {
  readonly #watcher: LinkWatcher
  readonly #rotating: boolean
  #redis: Ioredis | undefined
  /** Why the connection, or the attempt to connect, failed: the first error says it. */
  #failure: Error | undefined
  #patience: NodeJS.Timeout | undefined
  #over = false
  #corked = false

  constructor(Redis: IoredisClass, to: Endpoint, access: Access, watcher: LinkWatcher) {
    this.#watcher = watcher
    this.#rotating = access.rotating
    // ioredis itself limits the time to connect, and not the time to sign in.
    this.#patience = setTimeout(
      () => this.#end(new Error(`no connection within ${access.patience} ms`)),
      access.patience,
    )
    void this.#connect(Redis, to, access)
  }

  get ready(): boolean {
    return this.#redis?.status === 'ready' && this.#redis.stream?.writable === true
  }

  send([name = '', ...args]: Command): Promise<Reply> {
    const redis = this.#redis
    if (redis === undefined || !this.ready) return Promise.reject(new NotSentError('not connected'))
    this.#gather(redis)
    return redis.callBuffer(String(name), ...args).then(
      (reply) => reply as Reply,
      (error: unknown) => {
        throw asError(error)
      },
    )
  }

  async close(): Promise<void> {
    this.#over = true
    clearTimeout(this.#patience)
    const redis = this.#redis
    if (redis === undefined) return
    const { stream } = redis
    redis.disconnect()
    if (stream === undefined || stream.closed) return
    const closed = once(stream, 'close')
    // A server that hangs would never answer the end of the connection with its own.
    stream.destroy()
    await closed
  }

  async #connect(Redis: IoredisClass, to: Endpoint, access: Access): Promise<void> {
    try {
      const credentials = await credentialsOf(access)
      if (this.#over) return
      const redis = new Redis(optionsOf(to, access, credentials))
      this.#redis = redis
      redis.on('error', (error) => this.#noted(error))
      redis.on('ready', () => this.#up())
      redis.on('close', () => this.#end(new Error('the connection was closed')))
      redis.on('message', (_, message) => this.#watcher.heard?.(message))
      await redis.connect()
    } catch (error) {
      this.#end(asError(error))
    }
  }

  #up(): void {
    if (this.#over) return
    clearTimeout(this.#patience)
    this.#watcher.up()
  }

  #end(cause: Error): void {
    if (this.#over) return
    void this.close()
    this.#watcher.down(this.#failure ?? cause)
  }

  /** Commands of one turn of the event loop leave in one packet: it saves a quarter of the work per request. */
  #gather({ stream }: Ioredis): void {
    if (this.#corked || stream === undefined) return
    this.#corked = true
    stream.cork()
    setImmediate(() => {
      this.#corked = false
      stream.uncork()
    })
  }

  #noted(error: Error): void {
    this.#failure ??= this.#explained(asError(error))
    // ioredis would go on with database 0.
    if (commandOf(error) === 'select') this.#end(this.#failure)
  }

  /** A password that is refused is final, unless another one may be given next time. */
  #explained(error: Error): Error {
    if (!this.#rotating || !isAboutCredentials(error)) return error
    return new Error(`${error.message} (that is the answer to what the function credentials gave)`)
  }
}

async function credentialsOf({ credentials }: Access): Promise<Credentials> {
  try {
    const { username, password } = await credentials()
    return { username, password }
  } catch (cause) {
    throw new Error('the function given as credentials failed', { cause })
  }
}

function optionsOf(to: Endpoint, access: Access, { username, password }: Credentials): RedisOptions {
  const { tls } = access
  // A name is told to the server, for one that has several certificates.
  const servername = 'host' in to && isIP(to.host) === 0 ? { servername: to.host } : {}
  return {
    ...to,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls === undefined ? {} : { tls: { ...servername, ...tls } }),
    db: access.database,
    lazyConnect: true,
    // RESP2 needs no HELLO, which a user with few rights may not be allowed, and the answers are the same.
    protocol: 2,
    connectionName: 'holdfast',
    disableClientInfo: true,
    enableReadyCheck: false,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: access.patience,
    retryStrategy: () => null,
  }
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

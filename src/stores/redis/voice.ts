/**
 * How each of the clients is spoken to that an application may have already: of node-redis and of ioredis, for one server,
 * for Sentinels and for a cluster. They are known by what they can do, so that neither package is needed here.
 */
import { OptionsError } from '../../errors.ts'
import { type Command, ErrorReply, NotSentError } from './link.ts'

/** What all of them have. */
interface Emitter {
  on(event: string, listener: (...details: unknown[]) => void): unknown
  off(event: string, listener: (...details: unknown[]) => void): unknown
}

/** A `Redis` or a `Cluster` of ioredis. */
export interface IoredisClient extends Emitter {
  readonly status: string
  callBuffer(command: string, ...args: (string | Buffer)[]): Promise<unknown>
  disconnect(): void
}

interface NodeRedis extends Emitter {
  readonly isReady: boolean
  destroy(): unknown
}

/** How node-redis is told to answer bytes. */
interface Answers {
  readonly typeMapping: Readonly<Record<number, BufferConstructor>>
}

/** What `createClient` of node-redis answers. */
export interface NodeRedisClient extends NodeRedis {
  sendCommand(args: (string | Buffer)[], options?: Answers): Promise<unknown>
}

/** What `createSentinel` of node-redis answers. */
export interface NodeRedisSentinel extends NodeRedis {
  sendCommand(isReadonly: boolean, args: (string | Buffer)[], options?: Answers): Promise<unknown>
  acquire(): Promise<unknown>
}

/** What `createCluster` of node-redis answers. */
export interface NodeRedisCluster extends NodeRedis {
  sendCommand(
    firstKey: string | Buffer,
    isReadonly: boolean,
    args: (string | Buffer)[],
    options?: Answers,
  ): Promise<unknown>
  readonly masters: readonly unknown[]
}

/** A client that the application has already. */
export type OwnClient = IoredisClient | NodeRedisClient | NodeRedisSentinel | NodeRedisCluster

/** A client as the deployment uses it. */
export interface Voice {
  readonly ready: boolean
  send(command: Command): Promise<unknown>
  close(): unknown
}

/** Throws `OptionsError` for what is none of the clients, or reads from replicas. */
export function voiceOf(client: unknown): Voice {
  if (isIoredis(client)) return ioredis(client)
  if (isNodeRedis(client)) {
    if ('masters' in client) return nodeRedisCluster(client)
    return 'acquire' in client ? nodeRedisSentinel(client) : nodeRedis(client)
  }
  throw new OptionsError(
    'client',
    'client must be what createClient, createSentinel or createCluster of node-redis answers, or a Redis or a Cluster of ioredis.',
  )
}

function isIoredis(client: unknown): client is IoredisClient {
  return has(client, 'callBuffer', 'disconnect', 'on', 'off') && typeof client['status'] === 'string'
}

function isNodeRedis(client: unknown): client is NodeRedisClient | NodeRedisSentinel | NodeRedisCluster {
  return has(client, 'sendCommand', 'destroy', 'on', 'off') && typeof client['isReady'] === 'boolean'
}

function has(client: unknown, ...methods: readonly string[]): client is Record<string, unknown> {
  return (
    typeof client === 'object' &&
    client !== null &&
    methods.every((method) => typeof (client as Record<string, unknown>)[method] === 'function')
  )
}

function ioredis(client: IoredisClient): Voice {
  refuseReplicas(client)
  return {
    get ready() {
      return client.status === 'ready'
    },
    send: ([name = '', ...args]) => client.callBuffer(String(name), ...args),
    close: () => client.disconnect(),
  }
}

/** From a replica an ended session would come back. */
function refuseReplicas(client: object): void {
  const { options } = client as { options?: { role?: unknown; scaleReads?: unknown } }
  if (options?.role === 'slave' || (options?.scaleReads ?? 'master') !== 'master')
    throw new OptionsError(
      'client',
      'client reads from replicas (role or scaleReads): an ended session would come back. Sessions are read from primaries.',
    )
}

/** Of RESP: what is bulk, simple or verbatim comes as bytes. */
const BYTES: Answers = { typeMapping: { 36: Buffer, 43: Buffer, 61: Buffer } }

function nodeRedis(client: NodeRedisClient): Voice {
  return {
    get ready() {
      return client.isReady
    },
    send: (command) => client.sendCommand([...command], BYTES),
    close: () => client.destroy(),
  }
}

function nodeRedisSentinel(client: NodeRedisSentinel): Voice {
  return {
    get ready() {
      return client.isReady
    },
    send: (command) => client.sendCommand(false, [...command], BYTES),
    close: () => client.destroy(),
  }
}

function nodeRedisCluster(client: NodeRedisCluster): Voice {
  return {
    get ready() {
      return client.isReady
    },
    send: (command) => client.sendCommand(keyOf(command), false, [...command], BYTES),
    close: () => client.destroy(),
  }
}

/** The one key that a command of the store touches. */
function keyOf([name, first = '', , third = '']: Command): string | Buffer {
  return name === 'EVALSHA' || name === 'EVAL' ? third : first
}

/** Errors that a client makes before it sends anything. */
const NOT_SENT: ReadonlySet<string> = new Set(['ClientClosedError', 'ClientOfflineError', 'RootNodesUnavailableError'])
const NOT_SENT_TEXT = /^(The queue is full|Stream isn't writeable and enableOfflineQueue options is false)/

/** What went wrong, without the command: clients hang it onto their errors, and with it a record. */
export function asError(error: unknown): Error {
  if (!(error instanceof Error)) return new Error(String(error))
  if (error.name === 'ReplyError' || madeAs(error, 'ErrorReply')) return new ErrorReply(error.message)
  if (NOT_SENT.has(error.constructor.name) || NOT_SENT_TEXT.test(error.message)) return new NotSentError(error.message)
  const { code } = error as NodeJS.ErrnoException
  return Object.assign(new Error(error.message), code === undefined ? {} : { code })
}

/** Whether its class, or one above it, has this name: the package itself is not ours to import. */
function madeAs(error: Error, name: string): boolean {
  for (let made: unknown = error.constructor; typeof made === 'function'; made = Object.getPrototypeOf(made))
    if (made.name === name) return true
  return false
}

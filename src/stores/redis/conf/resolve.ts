/** The options of `redisConf`, checked and completed. */
import { isIP } from 'node:net'

import { milliseconds } from '../../../core/duration.ts'
import { refuseUnknown } from '../../../core/options.ts'
import { OptionsError } from '../../../errors.ts'
import { resolvePrefix } from '../use.ts'
import type { Password } from './access.ts'
import { type MemoryPlan, planMemory, totalMemory } from './memory.ts'
import type {
  ClusterConf,
  Endpoint,
  NodeOptions,
  PrimaryConf,
  RedisConfOptions,
  RedisConfTls,
  ReplicaConf,
  SentinelConf,
  ServerOptions,
} from './options.ts'

interface Address {
  readonly host: string
  readonly port: number
}

export interface Node {
  readonly bind: readonly string[]
  readonly port: number
  readonly directory: string
  readonly announce: Address | undefined
  readonly tls: (RedisConfTls & { readonly clientCertificates: boolean }) | undefined
  readonly user: string
}

export interface Server extends Node {
  readonly role: 'primary' | 'replica' | 'cluster'
  readonly memory: MemoryPlan
  readonly prefix: string
  readonly replicas: number
  readonly minReplicas: number
  readonly passwords: ServerOptions['passwords']
  /** Of a replica. */
  readonly primary: Address | undefined
  /** Of a cluster's node. Milliseconds. */
  readonly nodeTimeout: number | undefined
}

export interface Sentinel extends Node {
  readonly role: 'sentinel'
  readonly primary: Address & { readonly name: string }
  readonly sentinels: number
  readonly quorum: number
  /** Milliseconds. */
  readonly downAfter: number
  readonly failoverTimeout: number
  readonly passwords: SentinelConf['passwords']
}

const NODE = { role: 0, bind: 0, port: 0, directory: 0, announce: 0, tls: 0, user: 0, passwords: 0 }
const SERVER = { ...NODE, memory: 0, prefix: 0, name: 0, replicas: 0, minReplicas: 0 }
const KNOWN = {
  primary: SERVER,
  replica: { ...SERVER, primary: 0 },
  cluster: { ...SERVER, nodeTimeout: 0 },
  sentinel: { ...NODE, primary: 0, sentinels: 0, quorum: 0, downAfter: 0, failoverTimeout: 0 },
}
const PORT = 6379
const SENTINEL_PORT = 26_379
const MANY_REPLICAS = 16
const PASSWORD_LENGTH = 16

/** Checks the options and completes them. Throws `OptionsError`; no message repeats a password. */
export function resolveConf(given: RedisConfOptions): Server | Sentinel {
  if (typeof given !== 'object' || given === null) throw new OptionsError('options', 'options must be an object.')
  const { role = 'primary' } = given
  if (!Object.hasOwn(KNOWN, role))
    throw new OptionsError('role', `role must be one of '${Object.keys(KNOWN).join("', '")}'.`)
  refuseUnknown('', given, KNOWN[role])
  return given.role === 'sentinel' ? resolveSentinel(given) : resolveServer(given)
}

function resolveServer(given: PrimaryConf | ReplicaConf | ClusterConf): Server {
  const role = given.role ?? 'primary'
  const replicas = count('replicas', given.replicas ?? (role === 'primary' ? 0 : 1), 0)
  const minReplicas = count('minReplicas', given.minReplicas ?? (replicas > 1 ? 1 : 0), 0)
  if (minReplicas > replicas)
    throw new OptionsError('minReplicas', `minReplicas is ${minReplicas}, but there are ${replicas} replicas.`)
  return {
    ...resolveNode(given, PORT),
    role,
    memory: planMemory(totalMemory(given.memory), replicas),
    prefix: resolvePrefix(given.prefix, given.name),
    replicas,
    minReplicas,
    passwords: serverPasswords(given.passwords, role, replicas),
    primary: given.role === 'replica' ? endpoint('primary', given.primary, PORT) : undefined,
    nodeTimeout: given.role === 'cluster' ? milliseconds('nodeTimeout', given.nodeTimeout ?? '5s') : undefined,
  }
}

function resolveSentinel(given: SentinelConf): Sentinel {
  const sentinels = count('sentinels', given.sentinels ?? 3, 1)
  const quorum = count('quorum', given.quorum ?? Math.floor(sentinels / 2) + 1, 1)
  if (quorum > sentinels)
    throw new OptionsError(
      'quorum',
      `quorum is ${quorum}, but there are ${sentinels} Sentinels: they would never agree.`,
    )
  refuseUnknown('passwords.', given.passwords, { holdfast: 0, operator: 0, sentinel: 0 })
  return {
    ...resolveNode(given, SENTINEL_PORT),
    role: 'sentinel',
    primary: {
      ...endpoint('primary', given.primary, PORT, { name: 0 }),
      name: word('primary.name', given.primary.name ?? 'holdfast'),
    },
    sentinels,
    quorum,
    downAfter: milliseconds('downAfter', given.downAfter ?? '5s'),
    failoverTimeout: milliseconds('failoverTimeout', given.failoverTimeout ?? '30s'),
    passwords: {
      holdfast: password('passwords.holdfast', given.passwords.holdfast),
      operator: optional(given.passwords.operator, (value) => password('passwords.operator', value)),
      sentinel: inClear('passwords.sentinel', given.passwords.sentinel),
    },
  }
}

function resolveNode(given: NodeOptions, port: number): Node {
  const own = checkPort('port', given.port ?? port)
  return {
    bind: addresses(given.bind ?? ['127.0.0.1', '-::1']),
    port: own,
    directory: path('directory', given.directory ?? '/var/lib/redis'),
    announce: optional(given.announce, (value) => endpoint('announce', value, own)),
    tls: optional(given.tls, resolveTls),
    user: word('user', given.user ?? 'holdfast'),
  }
}

function resolveTls(given: RedisConfTls): NonNullable<Node['tls']> {
  refuseUnknown('tls.', given, { cert: 0, key: 0, ca: 0, clientCertificates: 0 })
  const clientCertificates = given.clientCertificates ?? false
  if (typeof clientCertificates !== 'boolean')
    throw new OptionsError('tls.clientCertificates', 'tls.clientCertificates must be true or false.')
  return {
    cert: path('tls.cert', given.cert),
    key: path('tls.key', given.key),
    ca: path('tls.ca', given.ca),
    clientCertificates,
  }
}

function serverPasswords(
  given: ServerOptions['passwords'],
  role: Server['role'],
  replicas: number,
): ServerOptions['passwords'] {
  const known = { holdfast: 0, operator: 0, replication: 0 }
  refuseUnknown('passwords.', given, role === 'cluster' ? known : { ...known, sentinel: 0 })
  if (replicas > 0 && given.replication === undefined)
    throw new OptionsError('passwords.replication', 'passwords.replication is needed: with it a replica signs in.')
  return {
    holdfast: password('passwords.holdfast', given.holdfast),
    operator: optional(given.operator, (value) => password('passwords.operator', value)),
    replication: optional(given.replication, (value) => inClear('passwords.replication', value)),
    sentinel: optional(given.sentinel, (value) => password('passwords.sentinel', value)),
  }
}

function password(option: string, value: unknown): Password {
  if (typeof value === 'object' && value !== null) {
    refuseUnknown(`${option}.`, value, { sha256: 0 })
    const { sha256 } = value as { sha256?: unknown }
    if (typeof sha256 === 'string' && /^[\da-f]{64}$/i.test(sha256)) return { sha256: sha256.toLowerCase() }
    throw new OptionsError(`${option}.sha256`, `${option}.sha256 must have 64 hexadecimal digits.`)
  }
  return inClear(option, value)
}

/** Redis hashes without salt and without slowness: what is short is found by trying. */
function inClear(option: string, value: unknown): string {
  if (typeof value === 'object' && value !== null)
    throw new OptionsError(option, `${option} is needed in clear: this server presents it to others.`)
  if (typeof value === 'string' && value.length >= PASSWORD_LENGTH) return value
  throw new OptionsError(
    option,
    `${option} must be a password of at least ${PASSWORD_LENGTH} characters. Make one with: openssl rand -base64 24`,
  )
}

function endpoint(
  option: string,
  given: Endpoint,
  port: number,
  more: object = {},
): Required<{ host: string; port: number }> {
  refuseUnknown(`${option}.`, given, { host: 0, port: 0, ...more })
  if (typeof given.host !== 'string' || (isIP(given.host) === 0 && !/^[\w.-]{1,255}$/.test(given.host)))
    throw new OptionsError(`${option}.host`, `${option}.host must be a host name or an address.`)
  return { host: given.host, port: checkPort(`${option}.port`, given.port ?? port) }
}

function addresses(given: unknown): readonly string[] {
  const fine = (value: unknown): boolean => typeof value === 'string' && /^(\*|-?[\w.:-]{1,255})$/.test(value)
  if (Array.isArray(given) && given.length > 0 && given.every(fine)) return given as string[]
  throw new OptionsError('bind', "bind must be a list of addresses such as ['10.0.0.5'].")
}

function checkPort(option: string, value: unknown): number {
  if (typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 65_536) return value
  throw new OptionsError(option, `${option} must be a number from 1 to 65535.`)
}

function count(option: string, value: unknown, least: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= MANY_REPLICAS) return value
  throw new OptionsError(option, `${option} must be a whole number from ${least} to ${MANY_REPLICAS}.`)
}

function word(option: string, value: unknown): string {
  if (typeof value === 'string' && /^[\w-]{1,64}$/.test(value)) return value
  throw new OptionsError(option, `${option} may have letters, digits, - and _, at most 64 of them.`)
}

function path(option: string, value: unknown): string {
  if (typeof value === 'string' && /^\/\P{Cc}*$/u.test(value)) return value
  throw new OptionsError(option, `${option} must be an absolute path.`)
}

function optional<Given, Result>(value: Given | undefined, check: (value: Given) => Result): Result | undefined {
  return value === undefined ? undefined : check(value)
}

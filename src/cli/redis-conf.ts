/** `holdfast redis-conf`: prints what `redisConf` of `holdfast/redis` answers. */
import { randomBytes } from 'node:crypto'
import { totalmem } from 'node:os'

import { OptionsError } from 'holdfast'
import { redisConf, type RedisConfOptions } from 'holdfast/redis'

import {
  type Command,
  type Given,
  type Option,
  optionLines,
  readOptions,
  type Surroundings,
  UsageError,
} from './command.ts'

const ROLES = ['primary', 'replica', 'sentinel', 'cluster'] as const
type Role = (typeof ROLES)[number]

/** The roles whose server keeps sessions. */
const SERVERS: readonly Role[] = ['primary', 'replica', 'cluster']

/** An option of the command, the option of `redisConf` that it sets, and how. */
interface Setting extends Option {
  readonly sets?: string
  readonly read?: (text: string) => unknown
  /** Default: every role. */
  readonly roles?: readonly Role[]
}

const OPTIONS: Readonly<Record<string, Setting>> = {
  role: { value: 'ROLE', sets: 'role', help: `${ROLES.join(', ')}; default primary` },
  memory: {
    roles: SERVERS,
    value: 'SIZE',
    sets: 'memory',
    help: "what Redis may use, such as 2gb; 'machine': what this machine has, less --reserve",
  },
  reserve: {
    roles: SERVERS,
    value: 'SIZE',
    help: 'with --memory machine: what the system keeps; default a tenth, at least 256mb',
  },
  prefix: { roles: SERVERS, value: 'PREFIX', sets: 'prefix', help: "what the store's keys begin with; default hf:" },
  name: {
    roles: SERVERS,
    value: 'NAME',
    sets: 'name',
    help: "the application's name, as createSessions has it; default none",
  },
  user: { value: 'USER', sets: 'user', help: "what Holdfast's user is called; default holdfast" },
  bind: {
    value: 'ADDRESS',
    sets: 'bind',
    multiple: true,
    help: 'an address to listen on; again for more; default loopback',
  },
  port: { value: 'PORT', sets: 'port', read: Number, help: 'default 6379; of a Sentinel 26379' },
  dir: { value: 'PATH', sets: 'directory', help: 'where it keeps its files; default /var/lib/redis' },
  announce: {
    value: 'HOST[:PORT]',
    sets: 'announce',
    read: endpoint,
    help: 'where others reach it, if not where it listens',
  },
  replicas: {
    roles: SERVERS,
    value: 'N',
    sets: 'replicas',
    read: Number,
    help: 'how many the primary has; default 0, with --role replica or cluster 1',
  },
  'min-replicas': {
    roles: SERVERS,
    value: 'N',
    sets: 'minReplicas',
    read: Number,
    help: 'how many must be there for a write; default 1 of two or more',
  },
  primary: {
    roles: ['replica', 'sentinel'],
    value: 'HOST[:PORT]',
    sets: 'primary',
    read: endpoint,
    help: 'who is the primary at the start',
  },
  'primary-name': { roles: ['sentinel'], value: 'NAME', help: 'what clients call it; default holdfast' },
  sentinels: {
    roles: ['sentinel'],
    value: 'N',
    sets: 'sentinels',
    read: Number,
    help: 'how many there are; default 3',
  },
  quorum: {
    roles: ['sentinel'],
    value: 'N',
    sets: 'quorum',
    read: Number,
    help: 'how many must find the primary down; default the majority',
  },
  'down-after': {
    roles: ['sentinel'],
    value: 'TIME',
    sets: 'downAfter',
    help: 'how long the primary may be silent; default 5s',
  },
  'failover-timeout': {
    roles: ['sentinel'],
    value: 'TIME',
    sets: 'failoverTimeout',
    help: 'how long a fail-over may take; default 30s',
  },
  'node-timeout': {
    roles: ['cluster'],
    value: 'TIME',
    sets: 'nodeTimeout',
    help: 'how long a node may be silent; default 5s',
  },
  'tls-cert': { value: 'PATH', help: 'TLS, and TLS only; needs the three of these' },
  'tls-key': { value: 'PATH', help: 'the key of that certificate' },
  'tls-ca': { value: 'PATH', help: 'who signed the certificates of the others' },
  'tls-clients': { help: 'clients have to show a certificate too' },
  help: { help: 'this' },
}

/** The passwords, and the variables of the environment that have them. */
const VARIABLES = {
  holdfast: 'HOLDFAST_REDIS_PASSWORD',
  operator: 'HOLDFAST_REDIS_OPERATOR_PASSWORD',
  replication: 'HOLDFAST_REDIS_REPLICATION_PASSWORD',
  sentinel: 'HOLDFAST_REDIS_SENTINEL_PASSWORD',
} as const
type Login = keyof typeof VARIABLES

const HELP = `Usage: holdfast redis-conf [options] > redis.conf

Prints a configuration for Redis 7.0 or later, or Valkey, with the reason above every line.

${optionLines(documented())}

Passwords come from the environment, never from here:

  ${VARIABLES.holdfast}              of Holdfast's user
  ${VARIABLES.operator}     of the user who may do everything
  ${VARIABLES.replication}  of replicas
  ${VARIABLES.sentinel}     of Sentinels

For a primary or a cluster, those that are not there are made up and shown once, on standard error, in lines that a
shell can read. The files of all servers need the same.
`

export const redisConfCommand: Command = (args, surroundings) => {
  const given = readOptions(args, OPTIONS)
  if (given['help'] === true) return surroundings.out(HELP)
  const role = roleOf(given)
  refuseForeign(role, given)
  const { passwords, madeUp } = findPasswords(role, loginsOf(role, given), surroundings.env)
  const options = { ...plainOptions(given), ...compoundOptions(given), passwords }
  surroundings.out(printed(options as unknown as RedisConfOptions))
  if (madeUp.length > 0) surroundings.err(shown(madeUp))
}

/** With the roles that an option is for, where it is not for all. */
function documented(): Record<string, Option> {
  const entries = Object.entries(OPTIONS).map(([name, option]) => {
    const { roles = ROLES, help } = option
    const all = roles.length === ROLES.length || roles === SERVERS
    return [name, all ? option : { ...option, help: `${roles.join(', ')}: ${help}` }] as const
  })
  return Object.fromEntries(entries)
}

function refuseForeign(role: Role, given: Given): void {
  for (const [name, { roles = ROLES }] of Object.entries(OPTIONS))
    if (given[name] !== undefined && !roles.includes(role)) throw new UsageError(`--${name} is not for --role ${role}.`)
}

function roleOf(given: Given): Role {
  const role = ROLES.find((known) => known === (given['role'] ?? 'primary'))
  if (role === undefined) throw new UsageError(`--role is one of ${ROLES.join(', ')}.`)
  return role
}

function printed(options: RedisConfOptions): string {
  try {
    return redisConf(options)
  } catch (error) {
    if (error instanceof OptionsError)
      throw new UsageError(`${placeOf(error.option)}: ${error.message}`, { cause: error })
    throw error
  }
}

/** Where the user has to look: the command's option, or the variable. */
function placeOf(option: string): string {
  const [first = '', second = ''] = option.split('.')
  if (first === 'passwords' && second in VARIABLES) return VARIABLES[second as Login]
  if (first === 'tls') return `--tls-${second === 'clientCertificates' ? 'clients' : second}`
  if (option === 'memory.reserve') return '--reserve'
  if (option === 'primary.name') return '--primary-name'
  const found = Object.entries(OPTIONS).find(([, { sets }]) => sets === first)
  return `--${found?.[0] ?? first}`
}

/** Options that are one option of `redisConf` each. */
function plainOptions(given: Given): Record<string, unknown> {
  const entries = Object.entries(OPTIONS).flatMap(([name, { sets, read }]) => {
    const value = given[name]
    if (sets === undefined || value === undefined) return []
    return [[sets, read !== undefined && typeof value === 'string' ? read(value) : value]]
  })
  return Object.fromEntries(entries) as Record<string, unknown>
}

/** Options that make up one option of `redisConf` together. */
function compoundOptions(given: Given): Record<string, unknown> {
  const { memory, reserve, primary, 'primary-name': name, 'tls-cert': cert, 'tls-key': key, 'tls-ca': ca } = given
  const clientCertificates = given['tls-clients']
  if (reserve !== undefined && memory !== 'machine')
    throw new UsageError('--reserve goes with --memory machine; any other --memory is what Redis may use.')
  const tls = Object.values({ cert, key, ca, clientCertificates }).some((value) => value !== undefined)
  return {
    ...(memory === 'machine' ? { memory: { machine: memoryHere(), reserve } } : {}),
    ...(name === undefined ? {} : { primary: { ...(typeof primary === 'string' ? endpoint(primary) : {}), name } }),
    ...(tls ? { tls: { cert, key, ca, clientCertificates } } : {}),
  }
}

/** `host`, `host:port`, `[::1]:port`. */
function endpoint(text: string): { host: string; port?: number } {
  const [, inBrackets, plain, port] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(text) ?? []
  const host = inBrackets ?? plain ?? text
  return port === undefined ? { host } : { host, port: Number(port) }
}

/** What this machine has, or this container may use. */
function memoryHere(): number {
  const limit = process.constrainedMemory()
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem()
}

/** Whose passwords the file has. */
function loginsOf(role: Role, given: Given): Login[] {
  if (role === 'sentinel') return ['holdfast', 'operator', 'sentinel']
  if (role === 'cluster') return ['holdfast', 'operator', 'replication']
  const alone = role === 'primary' && Number(given['replicas'] ?? 0) === 0
  return alone ? ['holdfast', 'operator'] : ['holdfast', 'operator', 'replication', 'sentinel']
}

interface Found {
  readonly passwords: Readonly<Partial<Record<Login, string>>>
  readonly madeUp: readonly (readonly [variable: string, password: string])[]
}

/** Made up only for what may be the first server: to a replica or a Sentinel it would be of no use. */
function findPasswords(role: Role, logins: readonly Login[], env: Surroundings['env']): Found {
  const passwords: Partial<Record<Login, string>> = {}
  const madeUp: [string, string][] = []
  for (const login of logins) {
    const variable = VARIABLES[login]
    const known = env[variable]
    if (known === undefined && (role === 'replica' || role === 'sentinel'))
      throw new UsageError(`${variable} is not in the environment. It is what the primary's file was made with.`)
    passwords[login] = known ?? randomBytes(24).toString('base64url')
    if (known === undefined) madeUp.push([variable, passwords[login]])
  }
  return { passwords, madeUp }
}

function shown(madeUp: Found['madeUp']): string {
  const lines = madeUp.map(([variable, password]) => `${variable}=${password}\n`)
  return `# Made up now, and shown this once. The files of the other servers need the same.\n${lines.join('')}`
}

/** The options of the Redis store, checked and completed. */
import { type ConnectionOptions, createSecureContext } from 'node:tls'

import { refuseUnknown } from '../../core/options.ts'
import { OptionsError } from '../../errors.ts'
import type { Access, Credentials, CredentialsSource } from './access.ts'
import { type StoreUrl, storeUrl } from './url.ts'
import { KNOWN_OF_USE, resolveUse, type UseOptions, type UseSettings } from './use.ts'

export interface RedisStoreOptions extends UseOptions {
  /**
   * `redis://user:password@host:port/database` for one server, `redis+sentinel://host:port,host:port/name` for the primary
   * that Sentinels name, `redis+cluster://host:port,host:port` for a cluster, `unix:/path` for a socket; `rediss` for TLS.
   * The port is 6379, of a Sentinel 26379, and the database 0 by default. What has a meaning in URLs (`/ @ # %`) is
   * percent-encoded.
   */
  readonly url: string
  /**
   * How many replicas must have what ends something, and what is asked to be `replicated`. Default: 1 with Sentinels and in
   * a cluster, 0 with one server.
   */
  readonly replicas?: number | undefined
  /** Instead of those in the URL. */
  readonly username?: string | undefined
  readonly password?: string | undefined
  /** Asked for user and password at each connect, so that passwords may change; instead of those in the URL. */
  readonly credentials?: CredentialsSource | undefined
  /** Instead of the one in the URL; a cluster has none. */
  readonly database?: number | undefined
  /** For `rediss`, as `tls.connect` takes them: `ca`, `cert`, `key`, `servername` … */
  readonly tls?: ConnectionOptions | undefined
  /** How the Sentinels themselves are reached, for they do not share users with the servers. */
  readonly sentinel?: SentinelOptions | undefined
}

export interface SentinelOptions {
  /** Default: nobody signs in. */
  readonly username?: string | undefined
  readonly password?: string | undefined
  readonly credentials?: CredentialsSource | undefined
  /** Default: as for the servers. `false`: none, although the servers have it. */
  readonly tls?: ConnectionOptions | false | undefined
}

/** The options, complete. Times in milliseconds. */
export interface RedisSettings extends UseSettings {
  readonly topology: StoreUrl
  readonly access: Access
  /** Of the Sentinels. */
  readonly sentinelAccess: Access
  readonly replicas: number
}

const KNOWN = {
  ...KNOWN_OF_USE,
  url: 0,
  replicas: 0,
  username: 0,
  password: 0,
  credentials: 0,
  database: 0,
  tls: 0,
  sentinel: 0,
}
const KNOWN_OF_SENTINEL = { username: 0, password: 0, credentials: 0, tls: 0 }
const DATABASE_MOST = 99_999
/** Milliseconds that a Sentinel, or a node that is asked for slots, may take to answer, at most. */
const PATIENCE_MOST = 500

/** Checks the options and completes them. Throws `OptionsError`; no message repeats the URL or a password. */
export function resolveRedisOptions(given: string | RedisStoreOptions): RedisSettings {
  const options: RedisStoreOptions = typeof given === 'string' ? { url: given } : given
  refuseUnknown('', options, KNOWN)
  const topology = storeUrl(options.url)
  const use = resolveUse(options)
  const tls = tlsOf(topology, options.tls)
  return Object.freeze({
    ...use,
    topology,
    access: {
      credentials: credentialsOf('', options, topology.credentials),
      rotating: options.credentials !== undefined,
      tls,
      database: databaseOf(topology, options.database),
      patience: use.deadline,
    },
    sentinelAccess: sentinelAccess(topology, options.sentinel, tls, use.deadline),
    replicas: checkReplicas(options.replicas ?? (topology.kind === 'sentinel' || topology.kind === 'cluster' ? 1 : 0)),
  })
}

/** Milliseconds that a question about who is where may take: there are others to ask. */
export function patienceOf(deadline: number): number {
  return Math.min(deadline, PATIENCE_MOST)
}

function sentinelAccess(
  { kind }: StoreUrl,
  given: SentinelOptions | undefined,
  tls: ConnectionOptions | undefined,
  deadline: number,
): Access {
  if (given !== undefined) refuseUnknown('sentinel.', given, KNOWN_OF_SENTINEL)
  if (given !== undefined && kind !== 'sentinel')
    throw new OptionsError(
      'sentinel',
      'sentinel is given, but the url begins with neither redis+sentinel: nor rediss+sentinel:.',
    )
  const own = given?.tls
  return {
    credentials: credentialsOf('sentinel.', given ?? {}, {}),
    rotating: given?.credentials !== undefined,
    tls: own === false ? undefined : own === undefined ? tls : checkTls('sentinel.tls', own),
    database: 0,
    patience: patienceOf(deadline),
  }
}

function credentialsOf(
  where: '' | 'sentinel.',
  { username, password, credentials }: SentinelOptions,
  fromUrl: Credentials,
): CredentialsSource {
  for (const [option, value] of Object.entries({ username, password }))
    if (value !== undefined && (typeof value !== 'string' || value === ''))
      throw new OptionsError(where + option, `${where}${option} must be a string that is not empty.`)
  const inUrl = fromUrl.username !== undefined || fromUrl.password !== undefined
  const fixed = username !== undefined || password !== undefined
  if (fixed && inUrl)
    throw new OptionsError(`${where}password`, 'user and password are given by options and in the url: keep one.')
  if (credentials === undefined) return () => (fixed ? { username, password } : fromUrl)
  if (typeof credentials !== 'function')
    throw new OptionsError(
      `${where}credentials`,
      `${where}credentials must be a function that answers { username, password }.`,
    )
  if (fixed || inUrl)
    throw new OptionsError(
      `${where}credentials`,
      `${where}credentials is given beside a fixed user or password: keep one.`,
    )
  return credentials
}

function tlsOf({ kind, tls }: StoreUrl, given: ConnectionOptions | undefined): ConnectionOptions | undefined {
  if (tls) return checkTls('tls', { ...given })
  if (given === undefined) return undefined
  const why = kind === 'unix' ? 'a socket of this machine has none' : 'the url begins with redis, not rediss'
  throw new OptionsError('tls', `tls is given, but ${why}.`)
}

function checkTls(option: string, tls: ConnectionOptions): ConnectionOptions {
  try {
    createSecureContext(tls)
  } catch (cause) {
    throw new OptionsError(option, `${option} has a certificate or key that cannot be read.`, { cause })
  }
  return tls
}

function databaseOf({ kind, database: inUrl }: StoreUrl, given: number | undefined): number {
  if (given === undefined) return inUrl ?? 0
  if (!Number.isSafeInteger(given) || given < 0 || given > DATABASE_MOST)
    throw new OptionsError('database', 'database must be a whole number, 0 or more.')
  if (kind === 'cluster')
    throw new OptionsError('database', 'database is given, but a cluster has no database numbers.')
  if (inUrl !== undefined) throw new OptionsError('database', 'database is given by option and in the url: keep one.')
  return given
}

function checkReplicas(value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw new OptionsError('replicas', 'replicas must be a whole number, 0 or more.')
}

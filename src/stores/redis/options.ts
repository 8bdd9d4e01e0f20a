/** The options of the Redis store, checked and completed. */
import { type ConnectionOptions, createSecureContext } from 'node:tls'

import { milliseconds } from '../../core/duration.ts'
import { refuseUnknown } from '../../core/options.ts'
import { OptionsError } from '../../errors.ts'
import type { Duration } from '../../types.ts'

export interface RedisStoreOptions {
  /**
   * `redis://user:password@host:port/database`; `rediss:` for TLS. Only the host has to be there; the port is
   * 6379 and the database 0 by default. What has a meaning in URLs (`/ @ # %`) is percent-encoded.
   */
  readonly url: string
  /** Separates applications that share a database: enters every key. Letters, digits, - and _, at most 32. Default: none. */
  readonly name?: string | undefined
  /** What every key begins with; ends with a colon. Default: `hf:`. */
  readonly prefix?: string | undefined
  /** How long a call may take, waiting for a connection included; a number counts milliseconds. Default: `1s`. */
  readonly deadline?: Duration | number | undefined
  /** How many calls may be under way or waiting at once; what exceeds it fails at once. Default: 10 000. */
  readonly maxPending?: number | undefined
  /** For `rediss:`, as `tls.connect` takes them: `ca`, `cert`, `key`, `servername` … */
  readonly tls?: ConnectionOptions | undefined
}

/** Where the server is. */
export interface Address {
  readonly host: string
  readonly port: number
  readonly username: string | undefined
  readonly password: string | undefined
  readonly database: number
  /** `undefined`: no TLS. */
  readonly tls: ConnectionOptions | undefined
}

/** The options, complete. Times in milliseconds. */
export interface RedisSettings {
  readonly address: Address
  /** `host:port`, for messages. */
  readonly where: string
  readonly prefix: string
  readonly deadline: number
  readonly maxPending: number
}

const KNOWN = { url: 0, name: 0, prefix: 0, deadline: 0, maxPending: 0, tls: 0 }
const PORT = 6379

/** Checks the options and completes them. Throws `OptionsError`; no message repeats the URL, which may have a password. */
export function resolveRedisOptions(given: string | RedisStoreOptions): RedisSettings {
  const options: RedisStoreOptions = typeof given === 'string' ? { url: given } : given
  refuseUnknown('', options, KNOWN)
  const address = addressOf(options.url, options.tls)
  return Object.freeze({
    address,
    where: `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`,
    prefix: checkPrefix(options.prefix ?? 'hf:') + checkName(options.name ?? ''),
    deadline: checkDeadline(options.deadline ?? '1s'),
    maxPending: checkMaxPending(options.maxPending ?? 10_000),
  })
}

function addressOf(text: unknown, tls: ConnectionOptions | undefined): Address {
  const url = typeof text === 'string' && URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^rediss?:$/.test(url.protocol))
    throw badUrl('is not of the form redis://host:port or rediss://host:port')
  if (url.hostname === '') throw badUrl('names no host')
  if (url.search !== '' || url.hash !== '')
    throw badUrl('has a query or fragment; options go into redisStore({ url, … })')
  if (url.protocol === 'redis:' && tls !== undefined)
    throw new OptionsError('tls', 'tls is given, but the url begins with redis:, not rediss:.')
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? PORT : Number(url.port),
    username: decoded(url.username),
    password: decoded(url.password),
    database: databaseOf(url.pathname),
    tls: url.protocol === 'rediss:' ? checkTls({ ...tls }) : undefined,
  }
}

function checkTls(tls: ConnectionOptions): ConnectionOptions {
  try {
    createSecureContext(tls)
  } catch (cause) {
    throw new OptionsError('tls', 'tls has a certificate or key that cannot be read.', { cause })
  }
  return tls
}

function decoded(part: string): string | undefined {
  if (part === '') return undefined
  try {
    return decodeURIComponent(part)
  } catch {
    throw badUrl('has a user or password that is not percent-encoded properly')
  }
}

function databaseOf(path: string): number {
  if (path === '' || path === '/') return 0
  if (/^\/\d{1,5}$/.test(path)) return Number(path.slice(1))
  throw badUrl('has a path that is no database number')
}

function badUrl(what: string): OptionsError {
  return new OptionsError('url', `The URL of the Redis store ${what}.`)
}

function checkPrefix(prefix: unknown): string {
  if (typeof prefix === 'string' && /^[\w.:{}-]{1,64}$/.test(prefix) && prefix.endsWith(':')) return prefix
  throw new OptionsError(
    'prefix',
    "prefix may have letters, digits and _ - . : { }, at most 64 of them, and ends with a colon, such as 'hf:'.",
  )
}

function checkName(name: unknown): string {
  if (name === '') return ''
  if (typeof name === 'string' && /^[\w-]{1,32}$/.test(name)) return `${name}:`
  throw new OptionsError('name', 'name may have letters, digits, - and _, at most 32 of them.')
}

function checkDeadline(value: unknown): number {
  return milliseconds('deadline', typeof value === 'number' ? `${value}ms` : value)
}

function checkMaxPending(value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return value
  throw new OptionsError('maxPending', 'maxPending must be a whole number, 1 or more.')
}

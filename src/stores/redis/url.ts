/** The URL of a Redis store, taken apart. No error repeats it: it may have a password. */
import { OptionsError } from '../../errors.ts'
import type { Credentials } from './access.ts'
import type { Endpoint } from './link.ts'

/** What a URL says. */
export interface StoreUrl {
  readonly kind: 'single' | 'unix' | 'sentinel' | 'cluster'
  readonly tls: boolean
  readonly credentials: Credentials
  /** The server; or the Sentinels; or nodes of the cluster. */
  readonly endpoints: readonly [Endpoint, ...Endpoint[]]
  /** Under which name Sentinels watch the primary; else empty. */
  readonly name: string
  /** `undefined`: not said. */
  readonly database: number | undefined
}

const PORT = 6379
const SENTINEL_PORT = 26_379
const FORMS =
  'redis://host:port/database, redis+sentinel://host:port,host:port/name/database, redis+cluster://host:port,host:port or unix:/path (rediss for TLS)'

/** What URLs begin with, with the colon. */
export const SCHEMES: readonly string[] = [
  'redis:',
  'rediss:',
  'redis+sentinel:',
  'rediss+sentinel:',
  'redis+cluster:',
  'rediss+cluster:',
  'unix:',
]

/** Throws `OptionsError`. */
export function storeUrl(text: unknown): StoreUrl {
  if (typeof text !== 'string') throw badUrl(`is not of the form ${FORMS}`)
  if (/[?#]/.test(text)) throw badUrl('has a query or fragment; options go into redisStore({ url, … })')
  if (text.startsWith('unix:')) return unixUrl(text.slice('unix:'.length))
  const [, scheme = '', userinfo, hosts = '', path = ''] =
    /^([a-z+]+:)\/\/(?:([^/]*)@)?([^/]*)(\/.*)?$/.exec(text) ?? []
  if (!SCHEMES.includes(scheme)) throw badUrl(`is not of the form ${FORMS}`)
  const kind = scheme.includes('+sentinel') ? 'sentinel' : scheme.includes('+cluster') ? 'cluster' : 'single'
  const endpoints = endpointsOf(hosts, kind === 'sentinel' ? SENTINEL_PORT : PORT)
  if (kind === 'single' && endpoints.length > 1)
    throw badUrl('names several hosts: begin it with redis+sentinel: or redis+cluster:')
  return {
    kind,
    tls: scheme.startsWith('rediss'),
    credentials: credentialsOf(userinfo),
    endpoints,
    ...pathOf(kind, path),
  }
}

/** `unix:/path`, or `unix://user:password@/path`. */
function unixUrl(rest: string): StoreUrl {
  const [, userinfo, path] = /^\/\/(?:([^/]*)@)?(\/[^/].*)$/.exec(rest) ?? [undefined, undefined, rest]
  if (path === undefined || !/^\/[^/]/.test(path)) throw badUrl('names no socket: write unix:/path/of/the.sock')
  const [kind, tls, name, database] = ['unix', false, '', undefined] as const
  return { kind, tls, credentials: credentialsOf(userinfo), endpoints: [{ path: decoded(path) }], name, database }
}

function endpointsOf(hosts: string, port: number): [Endpoint, ...Endpoint[]] {
  const [first = '', ...others] = hosts.split(',')
  return [endpointOf(first, port), ...others.map((host) => endpointOf(host, port))]
}

function endpointOf(text: string, otherwise: number): Endpoint {
  const [, address, name, port] = /^(?:\[([0-9a-f:.]+)\]|([^\s[\]:,@]+))(?::(\d{1,5}))?$/i.exec(text) ?? []
  const host = address ?? name
  if (host === undefined) throw badUrl('names no host, or one that cannot be read')
  const number = port === undefined ? otherwise : Number(port)
  if (number < 1 || number > 65_535) throw badUrl('has a port that is none')
  return { host, port: number }
}

function credentialsOf(userinfo: string | undefined): Credentials {
  if (userinfo === undefined) return {}
  const colon = userinfo.indexOf(':')
  const [username, password] = colon < 0 ? [userinfo, ''] : [userinfo.slice(0, colon), userinfo.slice(colon + 1)]
  return {
    ...(username === '' ? {} : { username: decoded(username) }),
    ...(password === '' ? {} : { password: decoded(password) }),
  }
}

function pathOf(kind: StoreUrl['kind'], path: string): { name: string; database: number | undefined } {
  const parts = path === '' || path === '/' ? [] : path.slice(1).split('/')
  if (kind === 'cluster') {
    if (parts.length > 0) throw badUrl('has a path, but a cluster has no database numbers')
    return { name: '', database: undefined }
  }
  const name = kind === 'sentinel' ? decoded(parts.shift() ?? '') : ''
  if (kind === 'sentinel' && !/^[\w.-]{1,128}$/.test(name))
    throw badUrl('has no name of a primary at its end: redis+sentinel://host:port,host:port/name')
  const [database, ...rest] = parts
  if (rest.length > 0 || (database !== undefined && !/^\d{1,5}$/.test(database)))
    throw badUrl('has a path that is no database number')
  return { name, database: database === undefined ? undefined : Number(database) }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw badUrl('has a part that is not percent-encoded properly')
  }
}

function badUrl(what: string): OptionsError {
  return new OptionsError('url', `The URL of the Redis store ${what}.`)
}

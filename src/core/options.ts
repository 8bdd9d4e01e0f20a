/** Options are read once, checked, completed, and frozen; a caller's object is never written to. */
import { isExactPath } from '../csrf/exact-path.ts'
import { normaliseOrigin } from '../csrf/origin.ts'
import { OptionsError } from '../errors.ts'
import type { BaseOptions, Callback, CsrfMode, Limits, Log, Secrets } from '../types.ts'
import type { SameSite } from './cookie.ts'
import { milliseconds } from './duration.ts'
import type { Timers } from './expiry.ts'
import type { NearCacheBounds } from './near-cache.ts'
import type { OldSessions } from './old-sessions.ts'
import { Shape, type Migrate } from './shape.ts'
import type { Durability } from './store.ts'
import type { UserLimit } from './user-limit.ts'

/** The options of one manager, complete. Times in milliseconds. */
export interface Settings {
  readonly name: string
  readonly origin: string | undefined
  readonly timers: Timers
  readonly maxRequestTime: number
  readonly storeDeadline: number
  readonly csrf: CsrfMode
  readonly sameSite: SameSite
  readonly trustedOrigins: readonly string[]
  readonly trustProxy: boolean
  readonly callbacks: readonly Callback[]
  readonly insecure: boolean
  readonly whole: ReadonlySet<string>
  readonly endOnTheft: boolean
  readonly maxPerUser: UserLimit | undefined
  readonly durability: Durability
  /** `undefined`: nothing stale is served. */
  readonly serveStale: number | undefined
  /** `undefined`: every request reads the store. */
  readonly nearCache: NearCacheBounds | undefined
  readonly adopt: readonly OldSessions[]
  /** How long a user's index, and what was revoked of it, is kept: as long as anything of theirs may come. */
  readonly rollTime: number
  readonly limits: Readonly<Record<keyof Limits, number>>
  readonly log: Log
  readonly now: (() => number) | undefined
  readonly initial: () => object
  readonly shape: Shape
  readonly production: boolean
}

/** Every option, with what it is when left out. `secret` and `store` are wired by `createSessions`. */
export const DEFAULTS = {
  secret: undefined,
  store: undefined,
  origin: undefined,
  initial: undefined,
  version: 1,
  migrate: undefined,
  name: '',
  idleTimeout: '30m',
  absoluteTimeout: '12h',
  renewalTimeout: '1h',
  graceTimeout: '60s',
  maxRequestTime: '15m',
  storeDeadline: '1s',
  csrf: 'auto',
  cookie: { sameSite: 'lax' },
  trustedOrigins: [],
  trustProxy: false,
  callbacks: [],
  insecure: false,
  whole: [],
  endOnTheft: false,
  maxPerUser: undefined,
  durability: 'primary',
  serveStale: undefined,
  nearCache: true,
  adopt: [],
  limits: {
    recordSize: 65_536,
    depth: 32,
    userId: 255,
    heldBody: 1_048_576,
    queuedCommits: 1000,
    ends: 10_000,
    copies: 10_000,
    copiedBytes: 16_777_216,
    callback: 262_144,
  },
  log: undefined,
  now: undefined,
} as const

/** What `durability` may be. */
export const DURABILITIES: readonly Durability[] = ['primary', 'replicated']

type Given = BaseOptions & {
  readonly initial?: (() => object) | undefined
  readonly version?: number | undefined
  readonly migrate?: Migrate | undefined
  readonly adopt?: readonly OldSessions[] | undefined
}

/** Checks the options and completes them. Throws `OptionsError`. */
export function resolveOptions(given: Given): Settings {
  refuseUnknown('', given, DEFAULTS)
  const options = { ...DEFAULTS, ...defined(given) } as Given & typeof DEFAULTS
  const production = process.env['NODE_ENV'] === 'production'
  const timers = resolveTimers(options)
  const insecure = flag('insecure', options.insecure)
  const origin = checkOrigin(options.origin, insecure)
  const adopt = checkAdopt(options.adopt)
  const maxRequestTime = milliseconds('maxRequestTime', options.maxRequestTime)
  const limits = Object.freeze(checkLimits(options.limits))
  return Object.freeze({
    name: checkName(options.name),
    origin,
    timers,
    maxRequestTime,
    storeDeadline: milliseconds('storeDeadline', options.storeDeadline),
    csrf: oneOf('csrf', options.csrf, ['auto', 'strict', 'report']),
    sameSite: checkCookie(options.cookie, origin, insecure),
    trustedOrigins: Object.freeze(checkOrigins('trustedOrigins', options.trustedOrigins)),
    trustProxy: flag('trustProxy', options.trustProxy),
    callbacks: Object.freeze(checkCallbacks(options.callbacks)),
    insecure,
    whole: new Set(strings('whole', options.whole)),
    endOnTheft: flag('endOnTheft', options.endOnTheft),
    maxPerUser: options.maxPerUser === undefined ? undefined : Object.freeze(checkMaxPerUser(options.maxPerUser)),
    durability: oneOf('durability', options.durability, DURABILITIES),
    serveStale: options.serveStale === undefined ? undefined : milliseconds('serveStale', options.serveStale),
    nearCache: checkNearCache(options.nearCache),
    adopt,
    rollTime: Math.max(timers.absolute, ...adopt.map(({ lifetime }) => lifetime)) + maxRequestTime,
    limits,
    log: checkLog(options.log),
    now: optionalFunction('now', options.now) as (() => number) | undefined,
    initial: (optionalFunction('initial', options.initial) as (() => object) | undefined) ?? (() => ({})),
    shape: checkShape(options.version, options.migrate, limits),
    production,
  })
}

const VERSION_MOST = 1_000_000_000

function checkShape(version: unknown, migrate: unknown, limits: Settings['limits']): Shape {
  if (typeof version !== 'number' || !Number.isInteger(version) || version < 1 || version > VERSION_MOST)
    throw new OptionsError('version', `version must be a whole number from 1 to ${VERSION_MOST}.`)
  const bringsUp = optionalFunction('migrate', migrate) as Migrate | undefined
  if (version > 1 && bringsUp === undefined)
    throw new OptionsError(
      'migrate',
      `version is ${version}: say with migrate(data, from) what becomes of data of an older version. Return them as they are where nothing has to be done.`,
    )
  return new Shape(version, bringsUp, limits)
}

/** Throws for a key that is no option, and names the one that was probably meant. */
export function refuseUnknown(where: string, given: object, known: object): void {
  if (typeof given !== 'object' || given === null)
    throw new OptionsError(where, `${where || 'options'} must be an object.`)
  for (const key of Object.keys(given)) {
    if (Object.hasOwn(known, key)) continue
    const near = nearest(key, Object.keys(known))
    throw new OptionsError(
      where + key,
      `There is no option ${where}${key}.${near === undefined ? '' : ` Did you mean ${where}${near}?`}`,
    )
  }
}

function resolveTimers(options: typeof DEFAULTS & Given): Timers {
  const timers = {
    idle: milliseconds('idleTimeout', options.idleTimeout),
    absolute: milliseconds('absoluteTimeout', options.absoluteTimeout),
    renewal: milliseconds('renewalTimeout', options.renewalTimeout),
    grace: milliseconds('graceTimeout', options.graceTimeout),
  }
  if (timers.idle > timers.absolute)
    throw new OptionsError(
      'idleTimeout',
      'idleTimeout is longer than absoluteTimeout, so it would never end a session.',
    )
  return Object.freeze(timers)
}

function checkAdopt(given: unknown): readonly OldSessions[] {
  const known = (one: Partial<OldSessions> | null): boolean =>
    typeof one?.presented === 'function' && typeof one.adopted === 'function'
  if (Array.isArray(given) && (given as OldSessions[]).filter((one) => one?.records !== undefined).length > 1)
    throw new OptionsError(
      'adopt.mirror',
      'Only one source can be mirrored: the old record is the truth, and there is one.',
    )
  if (Array.isArray(given) && given.every(known)) return Object.freeze([...(given as OldSessions[])])
  throw new OptionsError(
    'adopt',
    'adopt must be a list of what the functions of holdfast/adopt answer, such as [fromExpressSession({ … })].',
  )
}

function checkName(name: unknown): string {
  if (typeof name === 'string' && /^[A-Za-z0-9_-]{0,32}$/.test(name)) return name
  throw new OptionsError('name', 'name may have letters, digits, - and _, at most 32 of them.')
}

/** Whether the host is this machine itself. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase().replace(/:\d+$/, '')
  return name === 'localhost' || name.endsWith('.localhost') || name === '[::1]' || /^127(\.\d{1,3}){3}$/.test(name)
}

function checkOrigin(origin: unknown, insecure: boolean): string | undefined {
  if (origin === undefined) return undefined
  const normal = typeof origin === 'string' ? normaliseOrigin(origin) : undefined
  if (normal === undefined || !/^https?:/.test(normal))
    throw new OptionsError(
      'origin',
      "origin must be what browsers call this application, such as 'https://shop.example', without a path.",
    )
  if (normal.startsWith('http:') && !insecure && !isLoopback(new URL(normal).host)) {
    throw new OptionsError(
      'origin',
      `origin is ${normal}: browsers would send session cookies in the clear. Use https, or say insecure: true.`,
    )
  }
  return normal
}

function checkOrigins(option: string, origins: unknown): string[] {
  return strings(option, origins).map((origin) => {
    const normal = normaliseOrigin(origin)
    if (normal === undefined)
      throw new OptionsError(
        option,
        `${option} has '${origin.slice(0, 60)}', which is not an origin such as 'https://pay.example'.`,
      )
    return normal
  })
}

function checkCallbacks(callbacks: unknown): Callback[] {
  if (!Array.isArray(callbacks))
    throw new OptionsError('callbacks', 'callbacks must be a list of { method, path, origins }.')
  return callbacks.map((callback: Partial<Callback>, at) => {
    const where = `callbacks[${at}].`
    refuseUnknown(where, callback, { method: 0, path: 0, origins: 0 })
    if (callback.method !== 'POST')
      throw new OptionsError(`${where}method`, `${where}method must be 'POST', in capitals: no form has another.`)
    if (!isExactPath(callback.path))
      throw new OptionsError(
        `${where}path`,
        `${where}path must be an exact path that begins with a slash, without query or pattern.`,
      )
    return Object.freeze({
      method: callback.method,
      path: callback.path,
      origins: Object.freeze(checkCallers(`${where}origins`, callback.origins)),
    })
  })
}

/** Origins, and the two words for those without a name. */
function checkCallers(option: string, origins: unknown): string[] {
  const given = strings(option, origins)
  if (given.length === 0) throw new OptionsError(option, `${option} is empty, so that no page could post there.`)
  return given.flatMap((origin) => (origin === '*' || origin === 'null' ? origin : checkOrigins(option, [origin])))
}

function checkCookie(cookie: unknown, origin: string | undefined, insecure: boolean): SameSite {
  refuseUnknown('cookie.', cookie as object, DEFAULTS.cookie)
  const given = (cookie as { sameSite?: SameSite }).sameSite ?? 'lax'
  const sameSite = oneOf('cookie.sameSite', given, ['lax', 'strict', 'none'])
  const isForHttps = origin === undefined ? !insecure : origin.startsWith('https:') || isLoopback(new URL(origin).host)
  if (sameSite === 'none' && !isForHttps)
    throw new OptionsError(
      'cookie.sameSite',
      "cookie.sameSite is 'none': browsers take such a cookie over HTTPS only, and insecure: true does not change that. Use https.",
    )
  return sameSite
}

/** More than these would be no limit, and every sign-in looks at all of them. */
const PER_USER_MOST = 1_000

function checkMaxPerUser(given: unknown): UserLimit {
  const limit = (typeof given === 'number' ? { most: given } : given) as {
    most?: unknown
    then?: 'end-oldest' | 'refuse'
  }
  refuseUnknown('maxPerUser.', limit, Object.fromEntries(['most', 'then'].map((key) => [key, 0])))
  const { most, then: beyond = 'end-oldest' } = limit
  if (typeof most !== 'number' || !Number.isInteger(most) || most < 1 || most > PER_USER_MOST)
    throw new OptionsError(
      'maxPerUser',
      `maxPerUser must be a whole number from 1 to ${PER_USER_MOST}, or { most, then }.`,
    )
  return { most, beyond: oneOf('maxPerUser.then', beyond, ['end-oldest', 'refuse']) }
}

const NEAR_CACHE = { maxAge: '2s', entries: 100_000, bytes: 67_108_864 } as const
/** Bounds of its bounds. A session that ended elsewhere may be served for so long, where its end could not be told of. */
const NEAR_AGE_MOST = 60_000
const NEAR_LEAST = { entries: 16, bytes: 65_536 } as const
const NEAR_MOST = { entries: 10_000_000, bytes: 17_179_869_184 } as const

function checkNearCache(given: unknown): NearCacheBounds | undefined {
  if (given === false) return undefined
  const asked = (given === true ? {} : given) as Partial<Record<keyof NearCacheBounds, never>>
  refuseUnknown('nearCache.', asked, NEAR_CACHE)
  const bounds = { ...NEAR_CACHE, ...defined(asked) }
  const maxAge = milliseconds('nearCache.maxAge', bounds.maxAge)
  if (maxAge > NEAR_AGE_MOST)
    throw new OptionsError(
      'nearCache.maxAge',
      'nearCache.maxAge must be at most a minute: it bounds how old a read may be.',
    )
  for (const bound of ['entries', 'bytes'] as const) {
    const [value, least, most] = [bounds[bound], NEAR_LEAST[bound], NEAR_MOST[bound]]
    if (!Number.isInteger(value) || value < least || value > most)
      throw new OptionsError(
        `nearCache.${bound}`,
        `nearCache.${bound} must be a whole number from ${least} to ${most}.`,
      )
  }
  return Object.freeze({ ...bounds, maxAge })
}

const LIMIT_MOST: Readonly<Record<keyof Limits, number>> = {
  recordSize: 16_777_216,
  depth: 256,
  userId: 255,
  heldBody: 1_073_741_824,
  queuedCommits: 1_000_000,
  ends: 1_000_000,
  copies: 1_000_000,
  copiedBytes: 1_073_741_824,
  callback: 16_777_216,
}

function checkLimits(given: unknown): Record<keyof Limits, number> {
  refuseUnknown('limits.', given as object, DEFAULTS.limits)
  const limits = { ...DEFAULTS.limits, ...defined(given as Limits) } as Record<keyof Limits, number>
  for (const [name, value] of Object.entries(limits)) {
    const most = LIMIT_MOST[name as keyof Limits]
    if (!Number.isInteger(value) || value < 1 || value > most)
      throw new OptionsError(`limits.${name}`, `limits.${name} must be a whole number from 1 to ${most}.`)
  }
  return limits
}

function checkLog(log: Log | undefined): Log {
  if (log === undefined) return console satisfies Log
  if (
    typeof log === 'object' &&
    typeof (log as Partial<Log> | null)?.warn === 'function' &&
    typeof log.error === 'function'
  )
    return log
  throw new OptionsError(
    'log',
    'log must have the functions warn(details, message) and error(details, message), as pino and console have.',
  )
}

function flag(option: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value
  throw new OptionsError(option, `${option} must be true or false.`)
}

function oneOf<Value extends string>(option: string, value: unknown, values: readonly Value[]): Value {
  const found = values.find((known) => known === value)
  if (found !== undefined) return found
  throw new OptionsError(option, `${option} must be one of ${values.map((known) => `'${known}'`).join(', ')}.`)
}

function strings(option: string, value: unknown): string[] {
  if (Array.isArray(value) && value.every((entry) => typeof entry === 'string')) return [...value]
  throw new OptionsError(option, `${option} must be a list of strings.`)
}

function optionalFunction(option: string, value: unknown): ((...values: never[]) => unknown) | undefined {
  if (value === undefined || typeof value === 'function') return value as ((...values: never[]) => unknown) | undefined
  throw new OptionsError(option, `${option} must be a function.`)
}

function defined<Values extends object>(values: Values): Partial<Values> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<Values>
}

/** The key with the fewest letters to change, if those are few. */
function nearest(key: string, keys: readonly string[]): string | undefined {
  const ranked = keys
    .map((known) => ({ known, steps: distance(key.toLowerCase(), known.toLowerCase()) }))
    .toSorted((left, right) => left.steps - right.steps)
  const [best] = ranked
  return best !== undefined && best.steps <= Math.max(2, Math.floor(key.length / 3)) ? best.known : undefined
}

/** Levenshtein's distance. */
function distance(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, at) => at)
  for (let i = 1; i <= Math.min(left.length, 64); i++) {
    const next = [i]
    for (let j = 1; j <= right.length; j++) {
      const same = left[i - 1] === right[j - 1] ? 0 : 1
      next.push(Math.min((next[j - 1] ?? 0) + 1, (row[j] ?? 0) + 1, (row[j - 1] ?? 0) + same))
    }
    row = next
  }
  return row[right.length] ?? 0
}

/** Whether there is a secret at all. */
export function hasSecret(secret: Secrets | undefined): secret is Secrets {
  return secret !== undefined && !(Array.isArray(secret) && secret.length === 0)
}

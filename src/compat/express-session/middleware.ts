/** The middleware: finds the session of a request, or begins one, and keeps it until the response has left. */
import type { ServerResponse } from 'node:http'
import { quickenAdding } from '../../adapters/property-tables.ts'
import { holdResponse, see } from '../../adapters/seen.ts'
import { StoreUnavailableError } from '../../errors.ts'
import { isFailure } from './answered.ts'
import { endingsOf, thisMoment, type Moment } from './endings.ts'
import { Exchange, generate, type Exchanged, type Shared } from './exchange.ts'
import { beforeHead } from './head-hook.ts'
import { keepBy, keeperOf } from './keeper.ts'
import { MemoryStore } from './memory-store.ts'
import { resolveOptions, type SessionOptions, type Settings } from './options.ts'
import { presentedIds } from './presented-ids.ts'
import { pathOf, type Next, type RequestHandler, type SessionRequest } from './request.ts'
import { createSessionIn } from './session.ts'
import { Verified, type Secret } from './signature.ts'
import { askStore, isNotFound, nameOf } from './store-call.ts'
import type { SessionData } from './store-contract.ts'
import { Storing } from './storing.ts'

/** A middleware as express-session makes them. Throws `TypeError` for options that are none. */
export function expressSession(options?: SessionOptions): RequestHandler {
  const settings = resolveOptions(options)
  const { store } = settings
  warnOfMemory(settings)
  const shared: Shared = {
    settings,
    storing: new Storing(settings, endingsOf(store)),
    warnOfTransport: transportWarning(settings),
  }
  // Whoever's store it is too, each request gets the cookie of the middleware that it came through.
  store.generate = (request) => {
    const keeper = keeperOf(request)
    if (keeper?.generate === undefined) generate(settings, request)
    else keeper.generate(request)
  }
  const known = settings.secrets && keysOf(settings.secrets)
  let ready = true
  store.on?.('disconnect', () => {
    ready = false
  })
  store.on?.('connect', () => {
    ready = true
  })

  return function session(request, response, next) {
    if (request.session) return next()
    if (!ready) return next(settings.refuses ? disconnected(settings) : undefined)
    const { path } = settings.cookieOf(request)
    if (!pathOf(request).startsWith(typeof path === 'string' && path !== '' ? path : '/')) return next()
    const keys = known ?? keysOf(request.secret === undefined ? [] : [request.secret])
    const [secret] = keys.secrets
    if (secret === undefined) return next(new Error('secret option required for sessions'))

    quickenAdding(request, response)
    request.sessionStore = store
    const ids = presentedIds(request, settings.name, keys)
    request.sessionID = ids[0]
    find(shared, { request, response, next, secret }, ids)
  }
}

/** Secrets, with what they were found to have signed. */
interface Keys {
  readonly secrets: readonly Secret[]
  readonly verified: Verified
}

function keysOf(secrets: readonly Secret[]): Keys {
  return { secrets, verified: new Verified(secrets) }
}

/** Looks for the session under each of the ids, one after the other. */
function find(shared: Shared, exchanged: Exchanged, ids: readonly string[], from = 0): void {
  const { settings } = shared
  const id = ids[from]
  if (id === undefined) return enter(shared, exchanged, { cookieId: ids[0], since: thisMoment() })
  const since = thisMoment()
  askStore<SessionData | null | undefined>(
    settings.store,
    { operation: 'get', deadline: settings.storeDeadline },
    (done) => settings.store.get(id, done),
    (error, data) => {
      if (isFailure(error) && !isNotFound(error)) exchanged.next(error)
      else if (isFailure(error) || !data) find(shared, exchanged, ids, from + 1)
      else enter(shared, exchanged, { cookieId: id, since, data })
    },
  )
}

interface Found {
  readonly cookieId: string | undefined
  readonly since: Moment
  readonly data?: SessionData
}

/** Gives the request its session, and lets it go on. */
function enter(shared: Shared, exchanged: Exchanged, { cookieId, since, data }: Found): void {
  const { request, response, next } = exchanged
  const exchange = new Exchange(shared, exchanged, cookieId, since)
  try {
    keepBy(request, exchange)
    request.sessionID = cookieId
    if (data === undefined) exchange.generate(request)
    else createSessionIn(shared.settings.store, request, data)
    exchange.begin(data !== undefined)
  } catch (error) {
    return next(error)
  }
  const held = holdResponse(see(request), response, exchange, {
    // What a `write` was answered `false` for is kept by Node, too, without a bound.
    limit: Number.POSITIVE_INFINITY,
    forward: shared.settings.refuses ? (error) => next(error.cause ?? error) : undefined,
  })
  beforeHead(response, () => exchange.atHead())
  watchEnd(response, () => exchange.atEnd(held), next)
  next()
}

/**
 * Has the end of the response wait for what `atEnd` answers, and not happen where that fails. A second end does nothing,
 * where Node's own would be an error.
 */
function watchEnd(response: ServerResponse, atEnd: () => Promise<void> | undefined, next: Next): void {
  const end = response.end as (...values: unknown[]) => ServerResponse
  let ended = false
  response.end = function (this: ServerResponse, ...values: unknown[]): ServerResponse {
    if (ended) return this
    const saved = atEnd()
    if (saved === undefined) end.apply(this, values)
    else void saved.then(() => end.apply(this, values)).catch(failed)
    ended = true
    return this
  } as ServerResponse['end']
  const failed = (error: unknown): void => {
    ended = false
    next(error)
  }
}

function disconnected({ store }: Settings): StoreUnavailableError {
  return new StoreUnavailableError(`The session store (${nameOf(store)}) is disconnected.`)
}

function warnOfMemory({ store }: Settings): void {
  if (process.env['NODE_ENV'] !== 'production' || !(store instanceof MemoryStore)) return
  process.emitWarning(
    'MemoryStore is not designed for production: it leaks memory, and other processes and servers know none of its sessions.',
    { type: 'Warning', code: 'HOLDFAST_MEMORY_STORE' },
  )
}

/** Says once that cookies are not sent, which otherwise looks like a session that is lost with each request. */
function transportWarning({ proxy }: Settings): (request: SessionRequest) => void {
  let said = false
  return ({ headers }) => {
    if (said) return
    said = true
    const forwarded = headers['x-forwarded-proto']
    const why =
      forwarded === undefined
        ? 'the request came over plain HTTP'
        : `X-Forwarded-Proto: ${String(forwarded).slice(0, 40)} is not believed (${proxy === undefined ? "app.set('trust proxy', …) or proxy: true" : 'proxy: true'} would)`
    process.emitWarning(`No session cookie was sent, because cookie.secure is set and ${why}.`, {
      code: 'HOLDFAST_SECURE_COOKIE',
    })
  }
}

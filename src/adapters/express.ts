/**
 * `holdfast/express`: session and CSRF for Express 5 and 4 in one middleware, mounted after the body parsers.
 *
 * ```ts
 * app.use(express.urlencoded(), express.json())
 * app.use(holdfast(sessions))
 * ```
 */
import type { ServerResponse } from 'node:http'
import { refuseUnknown } from '../core/options.ts'
import type { RequestFacts } from '../core/request.ts'
import { isExactPath } from '../csrf/exact-path.ts'
import { HoldfastError, NotMountedError, OptionsError } from '../errors.ts'
import type { Session, Sessions } from '../types.ts'
import { answerToCallback } from './callback.ts'
import { factsOf, routedPath, type RoutedRequest } from './facts.ts'
import { answerWith, type ErrorHandling, mount, send, settingsFor, someMountsOf } from './mount.ts'
import { quickenAdding } from './property-tables.ts'
import { EVERY_ROUTE, type RouteOptions, see, seenOf } from './seen.ts'
import { dangerouslySkipCsrf, type Exemptions, exemptionsOf, type SkippedRoute } from './skip-csrf.ts'
import { watchMethod } from './watched-method.ts'

export type { ErrorHandling } from './mount.ts'
export type { RouteOptions } from './seen.ts'
export { dangerouslySkipCsrf, type SkippedRoute } from './skip-csrf.ts'

declare global {
  // oxlint-disable-next-line typescript/no-namespace -- the only way to type Express's request
  namespace Express {
    interface Request {
      /** The visitor's session. Its data has the type declared in `Register`; `sessions.of(req)` knows it without that. */
      session: Session
    }
  }
}

/** What Express gives to a middleware, as far as it is used here. */
export interface ExpressRequest extends RoutedRequest {
  readonly body?: unknown
}

/** A middleware for Express 4 and 5. */
export type Middleware = (request: ExpressRequest, response: ServerResponse, next: (error?: unknown) => void) => void

export interface ExpressOptions {
  /** The request's property that holds the session. Default `'session'`. */
  readonly as?: string | undefined
  /** `'answer'`: 403 and 503 are answered here. `'forward'`: they go to the application's error handler. Default `'answer'`. */
  readonly errors?: ErrorHandling | undefined
  /**
   * Routes with a body parser of their own, which call `csrf()` after it: `'POST /upload'`, or `'/upload'` for every
   * method. Exact paths, as the router sees them. A route listed here that does not call `csrf()` is refused.
   */
  readonly checkLater?: readonly string[] | undefined
  /** Routes that are not checked for forgery, each with its reason. Exact methods and paths, as the router sees them. */
  readonly [dangerouslySkipCsrf]?: readonly SkippedRoute[] | undefined
}

/** Session and CSRF for every route below. Throws `OptionsError`. */
export function holdfast<Data extends object>(sessions: Sessions<Data>, options: ExpressOptions = {}): Middleware {
  const { as, forwards, exemptions, waits } = resolve(options)
  const settings = settingsFor(sessions)

  return function holdfastSession(request, response, next) {
    const seen = seenOf(request)
    if (seen?.route.session === false) Object.defineProperty(request, as, WITHOUT_SESSION)
    if (seen?.route.session === false || seen?.some((mounted) => mounted.isOf(sessions)) === true) return next()

    if (seen === undefined) quickenAdding(request, response)
    const url = request.originalUrl ?? request.url ?? '/'
    const facts = factsOf(request, routedPath(request))
    const refuse = (error: unknown): void => refuseWith(error, { request, response, next, forwards })
    try {
      const again = answerToCallback(facts, settings, url, request.body)
      if (again !== undefined) return send(again, response)
    } catch (error) {
      return refuse(error)
    }

    const mounted = mount(sessions, facts, { request, response }, forwards ? next : undefined)
    ;(request as unknown as Record<string, unknown>)[as] = mounted.session
    const enter = (): void => {
      const refusal = refusalOf(() => {
        if (exemptions(request.method, facts.path)) mounted.exempt(exemptions)
        else if (waits(facts)) mounted.checkLater()
        else mounted.check(request.body)
      })
      if (!mounted.checked) watchMethod(request)
      if (refusal === undefined) next()
      else refuse(refusal)
    }
    const opening = mounted.open(seen?.route ?? EVERY_ROUTE)
    if (opening === undefined) enter()
    else opening.then(enter, refuse)
  }
}

/** The check of a route in `checkLater`, after its own body parser. */
export function csrf(): Middleware {
  return function holdfastCsrf(request, response, next) {
    const refusal = refusalOf(() => {
      for (const mounted of someMountsOf(request)) mounted.catchUp(request.body)
    })
    if (refusal === undefined) next()
    else
      refuseWith(refusal, {
        request,
        response,
        next,
        forwards: seenOf(request)?.some(({ forwards }) => forwards) === true,
      })
  }
}

/**
 * What the routes below this path need of their session. Express runs middleware in order, so it stands *before*
 * `holdfast(sessions)`: `app.use('/assets', route({ session: false }))`, `app.get('/account', route({ fresh: true }))`.
 * Several that match add up, the later wins.
 */
export function route(options: RouteOptions): Middleware {
  refuseUnknown('', options, EVERY_ROUTE)
  return function holdfastRoute(request, _response, next) {
    const seen = see(request)
    if (seen.first !== undefined) {
      next(
        new OptionsError('route', 'route() stands below holdfast(sessions), where it comes too late: move it above.'),
      )
      return
    }
    seen.route = { ...seen.route, ...options }
    next()
  }
}

/** Where a route has none, asking for the session is a mistake of the program, and must not look like a visitor without one. */
const WITHOUT_SESSION: PropertyDescriptor = {
  configurable: true,
  get() {
    throw new NotMountedError('This route is declared with session: false, so it has no session.')
  },
}

interface Resolved {
  readonly as: string
  readonly forwards: boolean
  readonly exemptions: Exemptions
  waits(facts: RequestFacts): boolean
}

function resolve(options: ExpressOptions): Resolved {
  refuseUnknown('', options, { as: 0, errors: 0, checkLater: 0 })
  const { as = 'session', errors = 'answer', checkLater = [], [dangerouslySkipCsrf]: skipped = [] } = options
  if (typeof as !== 'string' || as === '')
    throw new OptionsError('as', "as must be a property's name, such as 'session'.")
  if (errors !== 'answer' && errors !== 'forward')
    throw new OptionsError('errors', "errors must be 'answer' or 'forward'.")
  const later = new Set(checkLater.map(checkedLater))
  return {
    as,
    forwards: errors === 'forward',
    waits: ({ method, path }) => later.size > 0 && (later.has(path) || later.has(`${method} ${path}`)),
    exemptions: exemptionsOf(skipped),
  }
}

function checkedLater(entry: string): string {
  if (typeof entry === 'string' && isExactPath(entry.replace(/^[A-Z]+(?:-[A-Z]+)* /, ''))) return entry
  throw new OptionsError(
    'checkLater',
    "checkLater lists exact paths, such as '/upload' or 'POST /upload', without query or pattern.",
  )
}

function refusalOf(check: () => void): unknown {
  try {
    check()
    return undefined
  } catch (error) {
    return error
  }
}

interface Refused {
  readonly request: ExpressRequest
  readonly response: ServerResponse
  readonly next: (error?: unknown) => void
  readonly forwards: boolean
}

function refuseWith(error: unknown, { request, response, next, forwards }: Refused): void {
  if (forwards || !(error instanceof HoldfastError)) next(error)
  else answerWith(error, request, response)
}

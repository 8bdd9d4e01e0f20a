/**
 * `holdfast/fastify`: session and CSRF for Fastify 5. Plugins that parse bodies (multipart, formbody) are registered first.
 *
 * ```ts
 * await app.register(holdfast, { sessions })
 * app.get('/status', { config: { holdfast: { session: false } } }, async () => 'ok')
 * ```
 */
import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { refuseUnknown, type Settings } from '../core/options.ts'
import type { RequestFacts } from '../core/request.ts'
import { matchCallback } from '../csrf/callback.ts'
import { CsrfError, HoldfastError, NotMountedError, OptionsError } from '../errors.ts'
import type { Session, Sessions } from '../types.ts'
import { type Answer, answerFor } from './answer.ts'
import { resubmission } from './callback.ts'
import { factsOf } from './facts.ts'
import { makePrivate, REPRESENTATION } from './head.ts'
import { type ErrorHandling, mount, type Mount, settingsFor, someMountsOf } from './mount.ts'
import type { RouteOptions } from './seen.ts'
import { checkReason, dangerouslySkipCsrf } from './skip-csrf.ts'

export type { ErrorHandling } from './mount.ts'
export type { RouteOptions } from './seen.ts'
export { dangerouslySkipCsrf } from './skip-csrf.ts'

/** What a route says in `config: { holdfast: { … } }`. */
export interface FastifyRouteOptions extends RouteOptions {
  /** `'later'`: the handler parses the body itself and calls `verifyCsrf`. Until then nothing is saved and no reply leaves. */
  readonly csrf?: 'now' | 'later' | undefined
  /** No CSRF check on this route, for this reason. */
  readonly [dangerouslySkipCsrf]?: string | undefined
}

export interface FastifyOptions<Data extends object = object> {
  readonly sessions: Sessions<Data>
  /** The request's property that holds the session. Default `'session'`. */
  readonly as?: string | undefined
  /** `'answer'`: 403 and 503 are answered here. `'forward'`: they go to the error handler, with a `statusCode`. Default `'answer'`. */
  readonly errors?: ErrorHandling | undefined
}

declare module 'fastify' {
  interface FastifyRequest {
    /** The visitor's session. Its data has the type declared in `Register`; `sessions.of(request)` knows it without that. */
    session: Session
  }
  interface FastifyContextConfig {
    holdfast?: FastifyRouteOptions
  }
}

/** A request as this plugin sees it: with its mount, or with the facts of a callback that is answered once its body is known. */
interface Visited extends FastifyRequest {
  [key: symbol]: Mount<object> | RequestFacts | null | undefined
}

/** One manager in one Fastify application. */
class Registration {
  readonly as: string
  readonly mounted: symbol = Symbol('holdfast.mount')
  readonly callback: symbol = Symbol('holdfast.callback')
  readonly #sessions: Sessions<object>
  readonly #settings: Settings
  readonly #forwards: boolean

  constructor(options: FastifyOptions) {
    const { sessions, as = 'session', errors = 'answer' } = options
    refuseUnknown('', options, { sessions: 0, as: 0, errors: 0, prefix: 0, logLevel: 0, logSerializers: 0 })
    if (typeof as !== 'string' || as === '')
      throw new OptionsError('as', "as must be a property's name, such as 'session'.")
    if (errors !== 'answer' && errors !== 'forward')
      throw new OptionsError('errors', "errors must be 'answer' or 'forward'.")
    this.as = as
    this.#sessions = sessions
    this.#settings = settingsFor(sessions)
    this.#forwards = errors === 'forward'
  }

  mountOf(request: FastifyRequest): Mount<object> | undefined {
    return ((request as Visited)[this.mounted] as Mount<object> | null) ?? undefined
  }

  session(request: FastifyRequest): Session<object> {
    const mounted = this.mountOf(request)
    if (mounted !== undefined) return mounted.session
    throw new NotMountedError(
      `There is no request.${this.as} here: the route is declared with session: false, or a hook runs before holdfast's.`,
    )
  }

  /** Loads the session; `undefined` where there is nothing to wait for. */
  open(request: FastifyRequest, reply: FastifyReply): Promise<unknown> | undefined {
    const route = routeOf(request)
    if (route.session === false) return undefined
    const facts = factsOf(request.raw)
    if (matchCallback(facts, this.#settings) === undefined) return this.#mount(facts, route, request, reply)
    Object.assign(request, { [this.callback]: facts })
    return undefined
  }

  /** The CSRF check: when the body is parsed, and not yet validated, which may remove the token's field. */
  check(request: FastifyRequest, reply: FastifyReply): FastifyReply | Promise<unknown> | undefined {
    const mounted = this.mountOf(request)
    if (mounted !== undefined) return this.#judge(mounted, request, reply)
    const callback = (request as Visited)[this.callback] as RequestFacts | undefined
    return callback === undefined ? undefined : this.#passOn(callback, request, reply)
  }

  /** A callback of another site is sent again from here. What cannot be is refused like any other request of another site. */
  #passOn(
    facts: RequestFacts,
    request: FastifyRequest,
    reply: FastifyReply,
  ): FastifyReply | Promise<unknown> | undefined {
    try {
      const page = resubmission(facts, this.#settings, request.raw.url ?? '/', request.body)
      if (page !== undefined) return answer(reply, page)
    } catch (error) {
      return this.#refuse(error, reply)
    }
    const opening = this.#mount(facts, routeOf(request), request, reply)
    const judge = (): FastifyReply | undefined => {
      const mounted = this.mountOf(request)
      return mounted === undefined ? undefined : this.#judge(mounted, request, reply)
    }
    if (opening === undefined) return judge()
    return opening.then(() => {
      if (!reply.sent) judge()
    })
  }

  #mount(
    facts: RequestFacts,
    route: FastifyRouteOptions,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<unknown> | undefined {
    const mounted = mount(this.#sessions, facts, { request: request.raw, response: reply.raw, owner: request })
    mounted.route = route
    ;(request as Visited)[this.mounted] = mounted
    return mounted.open(route)?.catch((error: unknown) => this.#refuse(error, reply))
  }

  #judge(mounted: Mount<object>, request: FastifyRequest, reply: FastifyReply): FastifyReply | undefined {
    const route: FastifyRouteOptions = mounted.route
    if (route[dangerouslySkipCsrf] !== undefined) return undefined
    try {
      if (route.csrf === 'later') mounted.checkLater()
      else mounted.check(request.body)
    } catch (error) {
      return this.#refuse(error, reply)
    }
    return undefined
  }

  /** Saves before the reply leaves; `undefined` where there is nothing to wait for. Runs again for the reply to an error. */
  settle(request: FastifyRequest, reply: FastifyReply, payload: unknown): Promise<unknown> | undefined {
    const mounted = this.mountOf(request)
    if (mounted === undefined) return undefined
    const { refusal } = mounted
    const answered = refusal === undefined ? payload : this.#answerInstead(refusal, reply, payload)
    if (!mounted.unsettled) {
      mounted.pass()
      return refusal === undefined ? undefined : Promise.resolve(answered)
    }
    return mounted.settle(reply.statusCode).then(
      ({ cookies }) => {
        this.#add(cookies, mounted, reply)
        return answered
      },
      (error: HoldfastError) => {
        discard(payload)
        return this.#instead(error, mounted, reply)
      },
    )
  }

  /** What `verifyCsrf` threw reaches Fastify's error handler, or the application's; where errors are answered here, this one is. */
  noteError(request: FastifyRequest, error: Error): void {
    if (this.#forwards || !(error instanceof CsrfError) || !isOfLateCheck(error)) return
    const mounted = this.mountOf(request)
    if (mounted !== undefined) mounted.refusal = error
  }

  #answerInstead(refusal: CsrfError, reply: FastifyReply, payload: unknown): string {
    discard(payload)
    for (const name of Object.keys(reply.getHeaders())) if (REPRESENTATION.has(name)) reply.removeHeader(name)
    const fresh = !reply.hasHeader('access-control-allow-origin')
    const { status, headers, body } = answerFor(refusal, reply.request.headers.accept, { fresh })
    reply.code(status).headers(headers)
    return body
  }

  #add(cookies: readonly string[], mounted: Mount<object>, reply: FastifyReply): void {
    if (cookies.length === 0) return
    reply.header('set-cookie', [...cookies])
    makePrivate(reply, (name, value) => reply.header(name, value), mounted.personal)
    // A payload that is a `Response` brings its own headers after this.
    if (mounted.hold !== undefined) mounted.hold.private = true
  }

  #refuse(error: unknown, reply: FastifyReply): FastifyReply {
    if (this.#forwards || !(error instanceof HoldfastError)) throw forFastify(error)
    const fresh = !reply.hasHeader('access-control-allow-origin')
    return answer(reply, answerFor(error, reply.request.headers.accept, { fresh }))
  }

  /** The error's answer takes the place of the reply. */
  #instead(error: HoldfastError, mounted: Mount<object>, reply: FastifyReply): string {
    const { status, headers, body } = answerFor(error, reply.request.headers.accept)
    for (const name of Object.keys(reply.getHeaders())) if (REPRESENTATION.has(name)) reply.removeHeader(name)
    this.#add(mounted.farewell(), mounted, reply)
    reply.code(status)
    if (this.#forwards) throw forFastify(error)
    reply.headers(headers)
    return body
  }
}

/** The plugin: session and CSRF for every route of the application it is registered in, also for those in its plugins. */
export async function holdfast(app: FastifyInstance, options: FastifyOptions): Promise<void> {
  // Asynchronous for the sake of what is thrown here: with a callback it would end the process.
  const registration = new Registration(options)
  app.decorateRequest(registration.as, {
    getter(this: FastifyRequest) {
      return registration.session(this)
    },
  })
  // Declared, so that Fastify makes requests with room for it: a property that is added later costs each of them more.
  app.decorateRequest(registration.mounted, null)
  app.addHook('onRoute', ({ url, config }) => checkRoute(url, config?.holdfast))
  // A hook that neither calls back nor answers a promise is waited for: what has nothing to wait for calls back at once.
  app.addHook('onRequest', (request, reply, next) => {
    const opening = registration.open(request, reply)
    if (opening === undefined) next()
    return opening
  })
  app.addHook('preValidation', (request, reply, next) => {
    const replied = registration.check(request, reply)
    if (replied === undefined) next()
    // A reply is thenable, too, and not to be waited for.
    return replied instanceof Promise ? replied : undefined
  })
  app.addHook('onError', (request, _reply, error, next) => {
    registration.noteError(request, error)
    next()
  })
  app.addHook('onSend', (request, reply, payload, next) => {
    const settling = registration.settle(request, reply, payload)
    if (settling === undefined) next()
    return settling
  })
}

// What fastify-plugin does: without it the hooks would hold for this plugin's own routes only, of which there are none.
Object.assign(holdfast, {
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: 'holdfast',
  [Symbol.for('plugin-meta')]: { name: 'holdfast', fastify: '5.x' },
})

/** The CSRF check of a route with `csrf: 'later'`, once its handler knows the body. Throws `CsrfError`. */
export function verifyCsrf(request: FastifyRequest, body: unknown): void {
  try {
    for (const mounted of someMountsOf(request.raw)) mounted.catchUp(body)
  } catch (error) {
    if (error instanceof CsrfError) OF_LATE_CHECKS.add(error)
    throw error
  }
}

const OF_LATE_CHECKS = new WeakSet<CsrfError>()

function isOfLateCheck(error: CsrfError): boolean {
  return OF_LATE_CHECKS.has(error)
}

/** Throws for what a route cannot say, when the route is declared. */
function checkRoute(url: string, route: FastifyRouteOptions | undefined): void {
  if (route === undefined) return
  refuseUnknown('config.holdfast.', route, { session: 0, fresh: 0, touch: 0, signOut: 0, csrf: 0 })
  if (route[dangerouslySkipCsrf] === undefined) return
  checkReason(route[dangerouslySkipCsrf])
  if (url.includes('*'))
    throw new OptionsError(
      'dangerouslySkipCsrf',
      `[dangerouslySkipCsrf] stands at ${url}, which is any number of paths: give the exempt one a route of its own.`,
    )
}

const EVERY_ROUTE: FastifyRouteOptions = {}

function routeOf(request: FastifyRequest): FastifyRouteOptions {
  return request.routeOptions.config.holdfast ?? EVERY_ROUTE
}

function answer(reply: FastifyReply, { status, headers, body }: Answer): FastifyReply {
  return reply.code(status).headers(headers).send(body)
}

/** Fastify and many an error handler look for `statusCode`. */
function forFastify(error: unknown): Error {
  if (error instanceof HoldfastError && !('statusCode' in error))
    Object.defineProperty(error, 'statusCode', { value: error.status })
  return error as Error
}

/** Ends a stream that nobody will read any more. */
function discard(payload: unknown): void {
  if (payload instanceof Readable) payload.destroy()
}

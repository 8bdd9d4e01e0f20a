/** The races' application on Holdfast, through the Express or the Fastify adapter. */
import {
  createSessions,
  type BaseOptions,
  type Durability,
  type Duration,
  type HoldfastError,
  type Session,
  type Sessions,
} from 'holdfast'
import { holdfast as expressHoldfast, route } from 'holdfast/express'
import { holdfast as fastifyHoldfast } from 'holdfast/fastify'
import express, { type ErrorRequestHandler } from 'express'
import fastify, { type FastifyReply, type FastifyRequest } from 'fastify'

import { answer, callOf, type Actor, type Bag } from './actor.ts'
import type { Listening } from './listening.ts'

export interface HoldfastSetup {
  readonly kind: 'holdfast'
  readonly adapter: 'express' | 'fastify'
  /** A store's URL. */
  readonly store: string
  readonly secret: string
  readonly csrf: 'auto' | 'strict'
  readonly graceTimeout: Duration
  readonly renewalTimeout: Duration
  readonly durability?: Durability
  readonly maxPerUser?: BaseOptions['maxPerUser']
  /** Whether its warnings go nowhere: where a store is made to fail on purpose, there would be many. */
  readonly quiet?: boolean
}

/** Starts one server of the application on a free port of the loopback interface. */
export async function serveHoldfast(setup: HoldfastSetup): Promise<Listening> {
  const sessions = createSessions<Bag>({
    secret: setup.secret,
    store: setup.store,
    csrf: setup.csrf,
    graceTimeout: setup.graceTimeout,
    renewalTimeout: setup.renewalTimeout,
    durability: setup.durability,
    maxPerUser: setup.maxPerUser,
    ...(setup.quiet === true ? { log: { warn: () => undefined, error: () => undefined } } : {}),
  })
  await sessions.ready()
  return listenWith(setup.adapter, sessions)
}

/** The application on these sessions; closing it closes them. */
export async function listenWith(adapter: HoldfastSetup['adapter'], sessions: Sessions<Bag>): Promise<Listening> {
  const server = adapter === 'express' ? await onExpress(sessions) : await onFastify(sessions)
  return {
    port: server.port,
    close: async () => {
      await server.close()
      await sessions.close()
    },
  }
}

/** These are served also while the store cannot be asked. */
const SIGNING_OUT = ['/sign-out', '/sign-out-everywhere']

function actorOf(sessions: Sessions<Bag>, session: Session<Bag>): Actor {
  return {
    get user() {
      return session.userId
    },
    get handle() {
      return session.handle
    },
    get status() {
      return session.status
    },
    bag: () => session.data,
    update: (change) => session.update(change),
    signIn: (user) => session.signIn(user),
    signOut: async (everywhere = false) => (await session.signOut({ everywhere })).durable,
    renew: () => session.regenerateId(),
    token: () => session.csrf.token(),
    // The adapter has refused a bad token before any handler ran.
    checks: () => true,
    sessionsOf: async (user) => (await sessions.list(user)).length,
    revokeUser: async (user) => {
      await sessions.revokeUser(user)
    },
    revokeAll: async () => {
      await sessions.revokeAll()
    },
  }
}

async function onExpress(sessions: Sessions<Bag>): Promise<Listening> {
  const app = express()
  app.use(express.urlencoded())
  app.use(SIGNING_OUT, route({ signOut: true }))
  app.use(expressHoldfast(sessions))
  app.use(async (request, response) => {
    const actor = actorOf(sessions, sessions.of(request))
    const reply = await answer(actor, callOf(request.method, request.originalUrl, request.body))
    response.status(reply.status).json(reply.body)
  })
  app.use(answerError)
  const server = app.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const address = server.address() as { port: number }
  return {
    port: address.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** Express would print what is a part of the race: an `update` of a session that is over, for example. */
const answerError: ErrorRequestHandler = (error: HoldfastError, _request, response, next) => {
  if (response.headersSent) next(error)
  else response.status(error.status).set(error.headers).json({ error: error.message })
}

async function onFastify(sessions: Sessions<Bag>): Promise<Listening> {
  const app = fastify({ forceCloseConnections: true })
  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) => {
    done(null, Object.fromEntries(new URLSearchParams(body as string)))
  })
  await app.register(fastifyHoldfast, { sessions })
  const handle = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const actor = actorOf(sessions, sessions.of(request))
    const { status, body } = await answer(actor, callOf(request.method, request.url, request.body))
    return reply.code(status).send(body)
  }
  for (const url of SIGNING_OUT) app.post(url, { config: { holdfast: { signOut: true } } }, handle)
  app.all('/*', handle)
  const origin = await app.listen({ port: 0, host: '127.0.0.1' })
  return { port: Number(new URL(origin).port), close: () => app.close() }
}

/** The shop on Holdfast, through the Fastify adapter. */
import { createSessions, HoldfastError, type Session, UnconfirmedError } from 'holdfast'
import { type CycleKind, defineCycle } from 'holdfast/cycle'
import { holdfast } from 'holdfast/fastify'
import { redisStore } from 'holdfast/redis'
import fastify, { type FastifyReply, type FastifyRequest } from 'fastify'

import type { Settled } from './server.ts'
import { CONFIGURATIONS, HANDLE, type SiteSettings } from './settings.ts'
import { type Basket, callOf, shop, type Shopper } from './shop.ts'

interface Order {
  readonly name: string
}

/** What a server says of its neighbours' deaths is no news here: the history has it. */
const QUIET = { warn: () => undefined, error: () => undefined }
/** How long a duplicate waits for the first one, in milliseconds. */
const PATIENCE = 500

export async function serveHoldfast(settings: SiteSettings): Promise<Settled> {
  const configuration = CONFIGURATIONS[settings.configuration]
  const sessions = createSessions<Basket>({
    secret: [...settings.secrets],
    store:
      settings.replicas === undefined
        ? settings.store
        : redisStore({ url: settings.store, replicas: settings.replicas }),
    durability: settings.durability === 'replicated' ? 'replicated' : configuration.durability,
    idleTimeout: configuration.idle,
    absoluteTimeout: configuration.absolute,
    renewalTimeout: configuration.renewal,
    graceTimeout: `${settings.grace + configuration.graceMore}ms`,
    nearCache: configuration.nearCache && { maxAge: `${settings.staleness}ms` },
    cookie: { sameSite: configuration.sameSite },
    version: settings.version,
    ...(settings.version > 1 && { migrate: (data: object) => data }),
    log: QUIET,
  })
  await sessions.ready()
  const order = defineCycle<Order, string>('order', { lease: `${settings.lease}ms`, patience: `${PATIENCE}ms` })
  // A server that leaves serves who is there.
  const app = fastify({ forceCloseConnections: 'idle' })
  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) => {
    done(null, Object.fromEntries(new URLSearchParams(body as string)))
  })
  await app.register(holdfast, { sessions })
  // A session that begins with this request has a name only when it is saved, after the handler.
  app.addHook('onSend', async (request, reply) => {
    const { handle } = sessions.of(request)
    if (handle !== undefined) reply.header(HANDLE, handle)
  })
  app.setErrorHandler((error, _request, reply) => {
    if (!(error instanceof HoldfastError)) throw error
    const { code, status, headers } = error
    const applied = 'applied' in error ? error.applied : error instanceof UnconfirmedError ? 'unknown' : 'no'
    return reply.code(status).headers(headers).send({ server: settings.name, code, applied })
  })
  const answer = shop(settings.name, settings.ledger)
  const handle = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const shopper = shopperOf(sessions.of(request), order)
    const { status, body } = await answer(shopper, callOf(request.method, request.url, request.body))
    return reply.code(status).send(body)
  }
  app.post('/sign-out', { config: { holdfast: { signOut: true } } }, handle)
  app.all('/*', handle)
  await app.listen({ port: settings.port, host: '127.0.0.1' })
  return {
    close: async () => {
      await app.close()
      await sessions.close()
    },
  }
}

function shopperOf(session: Session<Basket>, order: CycleKind<Order, string>): Shopper {
  return {
    get user() {
      return session.userId
    },
    get handle() {
      return session.handle
    },
    get basket() {
      return session.data
    },
    update: (change) => session.update(change),
    signIn: (user) => session.signIn(user, { data: ['owner', 'cart'] }),
    signOut: async (everywhere) => (await session.signOut({ everywhere })).durable,
    renew: () => session.regenerateId(),
    token: () => session.csrf.token(),
    // The adapter has refused a bad token before any handler ran.
    checks: () => true,
    begin: async (name) => (await order.begin(session, { name })).token,
    finish: (token, effect) =>
      order.finish(session, token, ({ state, idempotencyKey }) => effect(state.name, idempotencyKey)),
  }
}

/** The shop on @fastify/session with connect-redis, written as their documentation advises. */
import fastify, { type FastifyPluginAsync, type FastifyReply, type FastifyRequest } from 'fastify'

import { loadPeer } from '../peers.ts'
import { type Keeper, type PlainSession, plainShopper, redisKeeper, settled } from './plain.ts'
import type { Settled } from './server.ts'
import type { SiteSettings } from './settings.ts'
import { callOf, shop } from './shop.ts'

type Plugin = { readonly default: FastifyPluginAsync<Record<string, unknown>> }

export async function serveFastifySession(settings: SiteSettings): Promise<Settled> {
  const { default: cookie } = await loadPeer<Plugin>('@fastify/cookie')
  const { default: session } = await loadPeer<Plugin>('@fastify/session')
  const { store, close } = await redisKeeper(settings.store)
  const answer = shop(settings.name, settings.ledger)
  const app = fastify({ forceCloseConnections: true })
  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) => {
    done(null, Object.fromEntries(new URLSearchParams(body as string)))
  })
  await app.register(cookie)
  await app.register(session, {
    store,
    secret: [...settings.secrets],
    saveUninitialized: false,
    cookie: { secure: false },
  })
  app.all('/*', async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const shopper = plainShopper(keeperOf(request as unknown as { session: FastifySession }))
    const { status, body } = await answer(shopper, callOf(request.method, request.url, request.body))
    return reply.code(status).send(body)
  })
  await app.listen({ port: settings.port, host: '127.0.0.1' })
  return {
    close: async () => {
      await app.close()
      await close()
    },
  }
}

type FastifySession = PlainSession & { readonly sessionId: string }

function keeperOf(request: { session: FastifySession }): Keeper {
  return {
    get session() {
      return request.session
    },
    get id() {
      return request.session?.sessionId
    },
    regenerate: () => settled((done) => request.session.regenerate(done)),
    save: () => settled((done) => request.session.save(done)),
    destroy: () => settled((done) => request.session.destroy(done)),
  }
}

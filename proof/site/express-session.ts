/**
 * The shop on express-session with connect-redis, written as their documentation advises: `resave: false`,
 * `saveUninitialized: false`, `regenerate` at sign-in, `save` awaited before the answer, `destroy` at sign-out, a
 * synchronizer token and the state of actions in the session.
 */
import type { IncomingMessage } from 'node:http'

import express from 'express'

import { loadPeer } from '../peers.ts'
import { type Keeper, redisKeeper, type PlainSession, plainShopper, settled } from './plain.ts'
import type { Settled } from './server.ts'
import type { SiteSettings } from './settings.ts'
import { callOf, shop } from './shop.ts'

type Carrier = IncomingMessage & { session: PlainSession; sessionID: string }

export async function serveExpressSession(settings: SiteSettings): Promise<Settled> {
  const { default: session } = await loadPeer<{ default: (options: object) => express.RequestHandler }>(
    'express-session',
  )
  const { store, close } = await redisKeeper(settings.store)
  const answer = shop(settings.name, settings.ledger)
  const app = express()
  app.use(express.urlencoded())
  app.use(session({ store, secret: [...settings.secrets], resave: false, saveUninitialized: false }))
  app.use(async (request, response) => {
    const shopper = plainShopper(keeperOf(request as unknown as Carrier))
    const { status, body } = await answer(shopper, callOf(request.method, request.originalUrl, request.body))
    response.status(status).json(body)
  })
  const server = app.listen(settings.port, '127.0.0.1')
  await new Promise((resolve, reject) => server.once('listening', resolve).once('error', reject))
  return {
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await close()
    },
  }
}

function keeperOf(carrier: Carrier): Keeper {
  return {
    get session() {
      return carrier.session
    },
    get id() {
      return carrier.sessionID
    },
    regenerate: () => settled((done) => carrier.session.regenerate(done)),
    save: () => settled((done) => carrier.session.save(done)),
    destroy: () => settled((done) => carrier.session.destroy(done)),
  }
}

/** Express: bare, with Holdfast, and with express-session on its MemoryStore or on connect-redis. */
import express, { type Express, type RequestHandler } from 'express'
import { createSessions } from 'holdfast'
import { holdfast } from 'holdfast/express'

import { loadPeer } from '../../proof/peers.ts'
import { connectRedis } from './connect-redis.ts'
import { countUp, ORIGIN, pageOf, statusFor, USER, VISITOR, type Visitor } from './page.ts'
import { COOKIE, SECRET, type Listen, type Setup } from './setup.ts'

export const listenOnExpress: Listen = async (setup) => {
  const app = express()
  if (setup.sessions === 'bare') bare(app)
  else if (setup.sessions === 'holdfast') await withHoldfast(app, setup)
  else await withExpressSession(app, setup)
  const server = app.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  return (server.address() as { port: number }).port
}

function bare(app: Express): void {
  app.get('/', (_request, response) => {
    response.status(statusFor(USER)).json(pageOf(USER, VISITOR))
  })
  app.post('/count', (_request, response) => {
    response.json({ count: countUp({}) })
  })
}

async function withHoldfast(app: Express, { store }: Setup): Promise<void> {
  const sessions = createSessions<Partial<Visitor>>({ secret: SECRET, store, origin: ORIGIN })
  await sessions.ready()
  app.use(holdfast(sessions))
  app.get('/', (request, response) => {
    const session = sessions.of(request)
    response.status(statusFor(session.userId)).json(pageOf(session.userId, session.data))
  })
  app.get('/count', (request, response) => {
    response.json({ count: sessions.of(request).data.count ?? 0 })
  })
  app.post('/count', (request, response) => {
    response.json({ count: countUp(sessions.of(request).data) })
  })
  app.post('/sign-in/:user', async (request, response) => {
    const session = sessions.of(request)
    await session.signIn(request.params.user)
    Object.assign(session.data, VISITOR)
    response.json({})
  })
}

interface Carrier {
  readonly session: Partial<Visitor> & { user?: string }
}

async function withExpressSession(app: Express, { store: url }: Setup): Promise<void> {
  const { default: session } = await loadPeer<{ default: (options: object) => RequestHandler }>(
    'express-session',
    'bench',
  )
  const store = url === undefined ? undefined : await connectRedis(url)
  // HTTPS ends before this server, as the load says in X-Forwarded-Proto.
  app.set('trust proxy', true)
  app.use(session({ store, secret: SECRET, resave: false, saveUninitialized: false, cookie: COOKIE }))
  app.get('/', (request, response) => {
    const { session: held } = request as unknown as Carrier
    response.status(statusFor(held.user)).json(pageOf(held.user, held))
  })
  app.get('/count', (request, response) => {
    response.json({ count: (request as unknown as Carrier).session.count ?? 0 })
  })
  app.post('/count', (request, response) => {
    response.json({ count: countUp((request as unknown as Carrier).session) })
  })
  app.post('/sign-in/:user', (request, response) => {
    Object.assign((request as unknown as Carrier).session, VISITOR, { user: request.params.user })
    response.json({})
  })
}

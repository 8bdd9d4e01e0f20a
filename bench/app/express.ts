/** Express: bare, with Holdfast, with express-session, and with iron-session. */
import express, { type Express, type NextFunction, type Request, type RequestHandler, type Response } from 'express'
import { holdfast } from 'holdfast/express'

import { loadPeer } from '../../proof/peers.ts'
import { connectRedis } from './connect-redis.ts'
import { readySessions } from './holdfast.ts'
import { countUp, NO_TOKEN, pageOf, type PeerVisit, statusFor, USER, VISITOR } from './page.ts'
import { COOKIE, SECRET, type Listen, type Setup } from './setup.ts'

export const listenOnExpress: Listen = async (setup) => {
  const app = express()
  if (setup.sessions === 'bare') bare(app)
  else if (setup.sessions === 'holdfast') await withHoldfast(app, setup)
  else if (setup.sessions === 'iron-session') await withIronSession(app)
  else await withExpressSession(app, setup)
  const server = app.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  return (server.address() as { port: number }).port
}

function bare(app: Express): void {
  app.get('/', (_request, response) => {
    response.status(statusFor(USER)).json(pageOf(USER, VISITOR))
  })
  app.get('/public', (_request, response) => {
    response.json(pageOf(undefined, undefined))
  })
  app.post('/count', (_request, response) => {
    response.json({ count: countUp({}) })
  })
  app.post('/sign-in/:user', (_request, response) => {
    response.json({})
  })
  app.get('/form', (_request, response) => {
    response.json({ token: NO_TOKEN })
  })
  app.post('/form', (_request, response) => {
    response.json({})
  })
}

async function withHoldfast(app: Express, setup: Setup): Promise<void> {
  const sessions = await readySessions(setup)
  app.use(holdfast(sessions))
  app.get('/', (request, response) => {
    const session = sessions.of(request)
    response.status(statusFor(session.userId)).json(pageOf(session.userId, session.data))
  })
  app.get('/public', (request, response) => {
    const session = sessions.of(request)
    response.json(pageOf(session.userId, session.data))
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
  app.get('/form', (request, response) => {
    response.json({ token: sessions.of(request).csrf.token() })
  })
  app.post('/form', (_request, response) => {
    response.json({})
  })
}

/** The session of a peer. */
function sessionOf(request: object): PeerVisit {
  return (request as { session: PeerVisit }).session
}

/** The routes that only read are the same for both peers. */
function readingRoutes(app: Express): void {
  app.get('/', (request, response) => {
    const held = sessionOf(request)
    response.status(statusFor(held.user)).json(pageOf(held.user, held))
  })
  app.get('/public', (request, response) => {
    const held = sessionOf(request)
    response.json(pageOf(held.user, held))
  })
  app.get('/count', (request, response) => {
    response.json({ count: sessionOf(request).count ?? 0 })
  })
}

interface Regenerating {
  regenerate(done: (error?: Error) => void): void
}

type MakeSession = (options: object) => RequestHandler

/** The original, or the drop-in: the same application but for the import. */
async function sessionOfSetup({ sessions }: Setup): Promise<MakeSession> {
  if (sessions === 'drop-in') return (await import('holdfast/express-session')).default as unknown as MakeSession
  return (await loadPeer<{ default: MakeSession }>('express-session', 'bench')).default
}

async function storeOf(setup: Setup): Promise<object | undefined> {
  if (setup.ownStore === true) {
    const { holdfastStore } = await import('holdfast/express-session/store')
    return holdfastStore(await readySessions(setup))
  }
  return setup.store === undefined ? undefined : connectRedis(setup.store)
}

async function withExpressSession(app: Express, setup: Setup): Promise<void> {
  const session = await sessionOfSetup(setup)
  const store = await storeOf(setup)
  // HTTPS ends before this server, as the load says in X-Forwarded-Proto.
  app.set('trust proxy', true)
  app.use(session({ store, secret: SECRET, resave: false, saveUninitialized: false, cookie: COOKIE }))
  readingRoutes(app)
  app.post('/count', (request, response) => {
    response.json({ count: countUp(sessionOf(request)) })
  })
  app.post('/sign-in/:user', (request, response, next) => {
    const before = sessionOf(request) as Regenerating
    before.regenerate((error) => {
      if (error !== undefined && error !== null) return next(error)
      Object.assign(sessionOf(request), VISITOR, { user: request.params.user })
      response.json({})
    })
  })
  await withCsrfSync(app)
}

async function withCsrfSync(app: Express): Promise<void> {
  const { csrfSync } = await loadPeer<{
    csrfSync(): { generateToken(request: Request): string; csrfSynchronisedProtection: RequestHandler }
  }>('csrf-sync', 'bench')
  const { generateToken, csrfSynchronisedProtection } = csrfSync()
  app.get('/form', (request, response) => {
    response.json({ token: generateToken(request) })
  })
  app.post('/form', csrfSynchronisedProtection, (_request, response) => {
    response.json({})
  })
  // Express would print every refusal.
  app.use((error: { readonly status?: number }, _request: Request, response: Response, next: NextFunction) => {
    if (error.status === 403) response.status(403).end()
    else next(error)
  })
}

interface Saving {
  save(): Promise<void>
}

async function withIronSession(app: Express): Promise<void> {
  const { getIronSession } = await loadPeer<{
    getIronSession(request: object, response: object, options: object): Promise<PeerVisit & Saving>
  }>('iron-session', 'bench')
  app.use(async (request, response, next) => {
    const session = await getIronSession(request, response, {
      password: SECRET,
      cookieName: 'session',
      cookieOptions: COOKIE,
    })
    Object.assign(request, { session })
    next()
  })
  readingRoutes(app)
  app.post('/count', async (request, response) => {
    const held = sessionOf(request) as PeerVisit & Saving
    const count = countUp(held)
    await held.save()
    response.json({ count })
  })
  app.post('/sign-in/:user', async (request, response) => {
    const held = sessionOf(request) as PeerVisit & Saving
    Object.assign(held, VISITOR, { user: request.params.user })
    await held.save()
    response.json({})
  })
}

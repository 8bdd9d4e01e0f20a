/** Express: bare, with Holdfast, and with express-session on its MemoryStore. */
import express, { type Express, type RequestHandler } from 'express'
import { createSessions } from 'holdfast'
import { holdfast } from 'holdfast/express'

import { loadPeer } from '../../proof/peers.ts'
import { ORIGIN, pageOf, USER, VISITOR, type Visitor } from './page.ts'
import { SECRET, type Listen, type Setup } from './setup.ts'

export const listenOnExpress: Listen = async (setup) => {
  const app = express()
  if (setup.sessions === 'bare') bare(app)
  else if (setup.sessions === 'holdfast') await withHoldfast(app, setup)
  else await withExpressSession(app)
  const server = app.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  return (server.address() as { port: number }).port
}

function bare(app: Express): void {
  app.get('/', (_request, response) => {
    response.json(pageOf(USER, VISITOR))
  })
}

async function withHoldfast(app: Express, { store }: Setup): Promise<void> {
  const sessions = createSessions<Partial<Visitor>>({ secret: SECRET, store, origin: ORIGIN })
  await sessions.ready()
  app.use(holdfast(sessions))
  app.get('/', (request, response) => {
    const session = sessions.of(request)
    response.json(pageOf(session.userId, session.data))
  })
  app.post('/sign-in', async (request, response) => {
    const session = sessions.of(request)
    await session.signIn(USER)
    Object.assign(session.data, VISITOR)
    response.json({})
  })
}

interface Carrier {
  readonly session: Partial<Visitor> & { user?: string }
}

async function withExpressSession(app: Express): Promise<void> {
  const { default: session } = await loadPeer<{ default: (options: object) => RequestHandler }>(
    'express-session',
    'bench',
  )
  app.use(session({ secret: SECRET, resave: false, saveUninitialized: false }))
  app.get('/', (request, response) => {
    const { session: held } = request as unknown as Carrier
    response.json(pageOf(held.user, held))
  })
  app.post('/sign-in', (request, response) => {
    Object.assign((request as unknown as Carrier).session, VISITOR, { user: USER })
    response.json({})
  })
}

/** Fastify: bare, with Holdfast, and with @fastify/session on connect-redis. */
import fastify, { type FastifyInstance, type FastifyPluginCallback } from 'fastify'
import { createSessions } from 'holdfast'
import { holdfast } from 'holdfast/fastify'

import { loadPeer } from '../../proof/peers.ts'
import { connectRedis } from './connect-redis.ts'
import { countUp, ORIGIN, pageOf, statusFor, USER, VISITOR, type Visitor } from './page.ts'
import { COOKIE, SECRET, type Listen, type Setup } from './setup.ts'

interface SignIn {
  Params: { user: string }
}

export const listenOnFastify: Listen = async (setup) => {
  // HTTPS ends before this server, as the load says in X-Forwarded-Proto; only the peer asks.
  const app = fastify({ trustProxy: setup.sessions === '@fastify/session' })
  if (setup.sessions === 'bare') bare(app)
  else if (setup.sessions === 'holdfast') await withHoldfast(app, setup)
  else await withFastifySession(app, setup)
  return Number(new URL(await app.listen({ port: 0, host: '127.0.0.1' })).port)
}

function bare(app: FastifyInstance): void {
  app.get('/', async (_request, reply) => {
    reply.code(statusFor(USER))
    return pageOf(USER, VISITOR)
  })
  app.post('/count', async () => ({ count: countUp({}) }))
}

async function withHoldfast(app: FastifyInstance, { store }: Setup): Promise<void> {
  const sessions = createSessions<Partial<Visitor>>({ secret: SECRET, store, origin: ORIGIN })
  await sessions.ready()
  await app.register(holdfast, { sessions })
  app.get('/', async (request, reply) => {
    const session = sessions.of(request)
    reply.code(statusFor(session.userId))
    return pageOf(session.userId, session.data)
  })
  app.get('/count', async (request) => ({ count: sessions.of(request).data.count ?? 0 }))
  app.post('/count', async (request) => ({ count: countUp(sessions.of(request).data) }))
  app.post<SignIn>('/sign-in/:user', async (request) => {
    const session = sessions.of(request)
    await session.signIn(request.params.user)
    Object.assign(session.data, VISITOR)
    return {}
  })
}

interface Carrier {
  readonly session: Partial<Visitor> & { user?: string }
}

interface PeerOptions {
  readonly store: object | undefined
  readonly secret: string
  readonly saveUninitialized: boolean
  readonly rolling: boolean
  readonly cookie: object
}

async function withFastifySession(app: FastifyInstance, { store: url, rolling = true }: Setup): Promise<void> {
  const { default: cookie } = await loadPeer<{ default: FastifyPluginCallback }>('@fastify/cookie', 'bench')
  const { default: session } = await loadPeer<{ default: FastifyPluginCallback<PeerOptions> }>(
    '@fastify/session',
    'bench',
  )
  const store = url === undefined ? undefined : await connectRedis(url)
  await app.register(cookie)
  await app.register(session, { store, secret: SECRET, saveUninitialized: false, rolling, cookie: { ...COOKIE } })
  app.get('/', async (request, reply) => {
    const { session: held } = request as unknown as Carrier
    reply.code(statusFor(held.user))
    return pageOf(held.user, held)
  })
  app.get('/count', async (request) => ({ count: (request as unknown as Carrier).session.count ?? 0 }))
  app.post('/count', async (request) => ({ count: countUp((request as unknown as Carrier).session) }))
  app.post<SignIn>('/sign-in/:user', async (request) => {
    Object.assign((request as unknown as Carrier).session, VISITOR, { user: request.params.user })
    return {}
  })
}

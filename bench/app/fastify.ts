/** Fastify: bare, with Holdfast, and with @fastify/session. */
import fastify, { type FastifyInstance, type FastifyPluginCallback, type onRequestHookHandler } from 'fastify'
import { holdfast } from 'holdfast/fastify'

import { loadPeer } from '../../proof/peers.ts'
import { connectRedis } from './connect-redis.ts'
import { readySessions } from './holdfast.ts'
import { countUp, NO_TOKEN, pageOf, type PeerVisit, statusFor, USER, VISITOR } from './page.ts'
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
  app.get('/public', async () => pageOf(undefined, undefined))
  app.post('/count', async () => ({ count: countUp({}) }))
  app.post('/sign-in/:user', async () => ({}))
  app.get('/form', async () => ({ token: NO_TOKEN }))
  app.post('/form', async () => ({}))
}

async function withHoldfast(app: FastifyInstance, setup: Setup): Promise<void> {
  const sessions = await readySessions(setup)
  await app.register(holdfast, { sessions })
  app.get('/', async (request, reply) => {
    const session = sessions.of(request)
    reply.code(statusFor(session.userId))
    return pageOf(session.userId, session.data)
  })
  app.get('/public', async (request) => {
    const session = sessions.of(request)
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
  app.get('/form', async (request) => ({ token: sessions.of(request).csrf.token() }))
  app.post('/form', async () => ({}))
}

interface Carrier {
  readonly session: PeerVisit & { regenerate(): Promise<void> }
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
  const sessionOf = (request: object): Carrier['session'] => (request as Carrier).session
  app.get('/', async (request, reply) => {
    const held = sessionOf(request)
    reply.code(statusFor(held.user))
    return pageOf(held.user, held)
  })
  app.get('/public', async (request) => pageOf(sessionOf(request).user, sessionOf(request)))
  app.get('/count', async (request) => ({ count: sessionOf(request).count ?? 0 }))
  app.post('/count', async (request) => ({ count: countUp(sessionOf(request)) }))
  app.post<SignIn>('/sign-in/:user', async (request) => {
    await sessionOf(request).regenerate()
    Object.assign(sessionOf(request), VISITOR, { user: request.params.user })
    return {}
  })
  await withCsrfProtection(app)
}

async function withCsrfProtection(app: FastifyInstance): Promise<void> {
  const { default: csrf } = await loadPeer<{ default: FastifyPluginCallback<{ sessionPlugin: string }> }>(
    '@fastify/csrf-protection',
    'bench',
  )
  await app.register(csrf, { sessionPlugin: '@fastify/session' })
  const { csrfProtection } = app as unknown as { csrfProtection: onRequestHookHandler }
  app.get('/form', async (_request, reply) => ({
    token: (reply as unknown as { generateCsrf(): string }).generateCsrf(),
  }))
  app.post('/form', { onRequest: csrfProtection }, async () => ({}))
}

/** Hono on Node: bare, and with hono-sessions, which keeps the session in the cookie. */
import { loadPeer } from '../../proof/peers.ts'
import { countUp, NO_TOKEN, pageOf, statusFor, USER, VISITOR, type Visit } from './page.ts'
import { SECRET, type Listen } from './setup.ts'

interface Session {
  get(key: string): unknown
  set(key: string, value: unknown): void
}

interface Context {
  readonly req: { param(name: string): string }
  get(name: 'session'): Session
  json(body: object, status?: number): object
}

type Handler = (context: Context) => object

interface Hono {
  readonly fetch: unknown
  use(path: string, middleware: object): void
  get(path: string, handler: Handler): void
  post(path: string, handler: Handler): void
}

type Serve = (options: object, listening: (address: { port: number }) => void) => void

export const listenOnHono: Listen = async ({ sessions }) => {
  const { Hono: App } = await loadPeer<{ Hono: new () => Hono }>('hono', 'bench')
  const { serve } = await loadPeer<{ serve: Serve }>('@hono/node-server', 'bench')
  const app = new App()
  if (sessions === 'bare') bare(app)
  else await withHonoSessions(app)
  return await new Promise((resolve) => {
    serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) => resolve(port))
  })
}

function bare(app: Hono): void {
  app.get('/', (context) => context.json(pageOf(USER, VISITOR), statusFor(USER)))
  app.get('/public', (context) => context.json(pageOf(undefined, undefined)))
  app.post('/count', (context) => context.json({ count: countUp({}) }))
  app.post('/sign-in/:user', (context) => context.json({}))
  app.get('/form', (context) => context.json({ token: NO_TOKEN }))
  app.post('/form', (context) => context.json({}))
}

async function withHonoSessions(app: Hono): Promise<void> {
  const { sessionMiddleware, CookieStore } = await loadPeer<{
    sessionMiddleware(options: object): object
    CookieStore: new () => object
  }>('hono-sessions', 'bench')
  const cookieOptions = { sameSite: 'Lax', path: '/', httpOnly: true, secure: true }
  const store = new CookieStore()
  app.use('*', sessionMiddleware({ store, encryptionKey: SECRET, expireAfterSeconds: 900, cookieOptions }))
  app.get('/', (context) => {
    const user = userOf(context)
    return context.json(pageOf(user, dataOf(context)), statusFor(user))
  })
  app.get('/public', (context) => context.json(pageOf(userOf(context), dataOf(context))))
  app.get('/count', (context) => context.json({ count: countOf(context) }))
  app.post('/count', (context) => {
    const count = countUp({ count: countOf(context) })
    context.get('session').set('count', count)
    return context.json({ count })
  })
  app.post('/sign-in/:user', (context) => {
    const session = context.get('session')
    for (const [key, value] of Object.entries({ ...VISITOR, user: context.req.param('user') })) session.set(key, value)
    return context.json({})
  })
}

function userOf(context: Context): string | undefined {
  return (context.get('session').get('user') as string | null) ?? undefined
}

function dataOf(context: Context): Partial<Visit> {
  const session = context.get('session')
  return { name: session.get('name'), cart: session.get('cart') } as Partial<Visit>
}

function countOf(context: Context): number {
  return (context.get('session').get('count') as number | null) ?? 0
}

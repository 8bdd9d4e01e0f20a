/** Koa: bare, and with koa-session, which keeps the session in the cookie. */
import { loadPeer } from '../../proof/peers.ts'
import { countUp, NO_TOKEN, pageOf, type PeerVisit, statusFor, USER, VISITOR } from './page.ts'
import { COOKIE, SECRET, type Listen } from './setup.ts'

interface Context {
  status: number
  body: unknown
  readonly params: { readonly user: string }
  readonly session: PeerVisit
  readonly state: { readonly _csrf: string }
  readonly request: { body?: unknown }
}

type Middleware = (context: Context, next: () => Promise<void>) => Promise<void> | void

interface Koa {
  keys: string[]
  proxy: boolean
  use(middleware: Middleware): void
  listen(port: number, host: string, listening: () => void): { address(): { port: number } }
}

interface Router {
  get(path: string, ...middleware: Middleware[]): void
  post(path: string, ...middleware: Middleware[]): void
  routes(): Middleware
}

export const listenOnKoa: Listen = async ({ sessions }) => {
  const { default: Koa } = await loadPeer<{ default: new () => Koa }>('koa', 'bench')
  const { default: KoaRouter } = await loadPeer<{ default: new () => Router }>('@koa/router', 'bench')
  const app = new Koa()
  const router = new KoaRouter()
  if (sessions === 'bare') bare(router)
  else await withKoaSession(app, router)
  app.use(router.routes())
  return await new Promise((resolve) => {
    const server = app.listen(0, '127.0.0.1', () => resolve(server.address().port))
  })
}

function bare(router: Router): void {
  router.get('/', (context) => {
    context.status = statusFor(USER)
    context.body = pageOf(USER, VISITOR)
  })
  router.get('/public', (context) => {
    context.body = pageOf(undefined, undefined)
  })
  router.post('/count', (context) => {
    context.body = { count: countUp({}) }
  })
  router.post('/sign-in/:user', (context) => {
    context.body = {}
  })
  router.get('/form', (context) => {
    context.body = { token: NO_TOKEN }
  })
  router.post('/form', (context) => {
    context.body = {}
  })
}

async function withKoaSession(app: Koa, router: Router): Promise<void> {
  const { createSession } = await loadPeer<{ createSession(options: object, app: Koa): Middleware }>(
    'koa-session',
    'bench',
  )
  app.keys = [SECRET]
  // HTTPS ends before this server, as the load says in X-Forwarded-Proto.
  app.proxy = true
  app.use(createSession({ ...COOKIE }, app))
  router.get('/', (context) => {
    context.status = statusFor(context.session.user)
    context.body = pageOf(context.session.user, context.session)
  })
  router.get('/public', (context) => {
    context.body = pageOf(context.session.user, context.session)
  })
  router.get('/count', (context) => {
    context.body = { count: context.session.count ?? 0 }
  })
  router.post('/count', (context) => {
    context.body = { count: countUp(context.session) }
  })
  router.post('/sign-in/:user', (context) => {
    Object.assign(context.session, VISITOR, { user: context.params.user })
    context.body = {}
  })
  await withKoaCsrf(router)
}

/** Only where there is a form: it gives everybody who comes by a session. */
async function withKoaCsrf(router: Router): Promise<void> {
  const { default: Csrf } = await loadPeer<{ default: new () => Middleware }>('koa-csrf', 'bench')
  const csrf = new Csrf()
  // As a body parser leaves a request without a body.
  const withoutBody: Middleware = (context, next) => {
    context.request.body = {}
    return next()
  }
  router.get('/form', csrf, (context) => {
    context.body = { token: context.state._csrf }
  })
  router.post('/form', withoutBody, csrf, (context) => {
    context.body = {}
  })
}

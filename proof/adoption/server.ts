/** One server of the proof: a shop, of before (express-session with connect-redis) or of now (Holdfast, which adopts). */
import type { AddressInfo } from 'node:net'

import express from 'express'
import { createSessions } from 'holdfast'
import { fromExpressSession, type OldStore } from 'holdfast/adopt'
import { holdfast } from 'holdfast/express'

import { loadPeer } from '../peers.ts'

export interface Setup {
  readonly kind: 'old' | 'new'
  readonly port: number
  /** Of both kinds of sessions. */
  readonly redis: string
  /** Whether a new server keeps the old records up to date. */
  readonly mirror: boolean
}

/** What the shop knows of a visitor. */
export interface Shown {
  readonly server: Setup['kind']
  readonly user?: string | undefined
  readonly visitor?: string | undefined
  readonly cart: readonly string[]
}

interface Cart {
  visitor?: string
  cart: string[]
}

interface OldSession extends Partial<Cart> {
  user?: string
  regenerate(done: (error?: Error) => void): void
  save(done: (error?: Error) => void): void
  destroy(done: (error?: Error) => void): void
}

/** The shop's dealings with a session, of either kind. */
interface Held {
  readonly user: string | undefined
  readonly data: Partial<Cart>
  signIn(user: string): Promise<unknown>
  signOut(): Promise<unknown>
}

interface Sides {
  readonly middleware: express.RequestHandler
  heldOf(request: express.Request): Held
  close(): Promise<unknown>
}

const OLD_SECRET = 'a secret of the old servers, for no other use'
const SECRET = 'a secret of the proofs, for no other use: 0ddba11c'

const setup = JSON.parse(process.argv[2] ?? '{}') as Setup

async function oldStore(): Promise<{ readonly store: OldStore; close(): Promise<void> }> {
  const { createClient } = await loadPeer<{
    createClient: (options: { url: string }) => { connect(): Promise<unknown>; close(): Promise<void> }
  }>('redis')
  const { RedisStore } = await loadPeer<{ RedisStore: new (options: { client: unknown }) => OldStore }>('connect-redis')
  const client = createClient({ url: setup.redis })
  await client.connect()
  return { store: new RedisStore({ client }), close: () => client.close() }
}

const settled = (call: (done: (error?: Error) => void) => void): Promise<void> =>
  new Promise((resolve, reject) => call((error) => (error ? reject(error) : resolve())))

async function oldSide(): Promise<Sides> {
  const { store, close } = await oldStore()
  const { default: session } = await loadPeer<{ default: (options: object) => express.RequestHandler }>(
    'express-session',
  )
  const sessionOf = (request: express.Request): OldSession => (request as unknown as { session: OldSession }).session
  return {
    middleware: session({ store, secret: OLD_SECRET, resave: false, saveUninitialized: false }),
    close,
    heldOf: (request) => ({
      user: sessionOf(request).user,
      data: sessionOf(request),
      signIn: async (user) => {
        const { visitor, cart } = sessionOf(request)
        await settled((done) => sessionOf(request).regenerate(done))
        Object.assign(sessionOf(request), { visitor, cart, user })
        await settled((done) => sessionOf(request).save(done))
      },
      signOut: () => settled((done) => sessionOf(request).destroy(done)),
    }),
  }
}

async function newSide(): Promise<Sides> {
  const { store, close } = await oldStore()
  const source = { secret: OLD_SECRET, store, ...(setup.mirror ? { mirror: true } : { source: 'leave' as const }) }
  const sessions = createSessions<Partial<Cart>>({
    secret: SECRET,
    store: setup.redis,
    initial: () => ({}),
    // On a busy machine a store that is opened may answer late, and its visitors ask again.
    log: { warn: () => undefined, error: () => undefined },
    adopt: [
      fromExpressSession({
        ...source,
        map: ({ user, visitor, cart }) => ({ data: { visitor, cart } as Cart, user: user as string | undefined }),
        unmap: ({ data, user }, old) => ({ ...old, ...data, user }),
      }),
    ],
  })
  await sessions.ready()
  return {
    middleware: holdfast(sessions),
    close: () => Promise.all([sessions.close(), close()]),
    heldOf: (request) => {
      const session = sessions.of(request)
      return {
        user: session.userId,
        data: session.data,
        signIn: (user) => session.signIn(user),
        signOut: () => session.signOut(),
      }
    },
  }
}

const { middleware, heldOf, close } = await (setup.kind === 'old' ? oldSide() : newSide())
const app = express()
app.use(express.urlencoded({ extended: false }), middleware)

const show = (request: express.Request): Shown => {
  const { user, data } = heldOf(request)
  return { server: setup.kind, user, visitor: data.visitor, cart: data.cart ?? [] }
}
const of = (request: express.Request, field: string): string =>
  String((request.body as Readonly<Record<string, unknown>>)[field])

app.get('/', (request, response) => void response.json(show(request)))

app.post('/add', (request, response) => {
  const { data } = heldOf(request)
  data.visitor = of(request, 'visitor')
  data.cart ??= []
  // Whoever got no answer asks again.
  if (!data.cart.includes(of(request, 'item'))) data.cart.push(of(request, 'item'))
  response.json(show(request))
})

app.post('/sign-in', async (request, response) => {
  await heldOf(request).signIn(of(request, 'user'))
  response.json(show(request))
})

app.post('/sign-out', async (request, response) => {
  await heldOf(request).signOut()
  response.json({ server: setup.kind, cart: [] } satisfies Shown)
})

const server = app.listen(setup.port, '127.0.0.1', () =>
  process.send?.({ port: (server.address() as AddressInfo).port }),
)

// What has begun is answered; then it goes.
process.once('disconnect', () => {
  server.close(() => void close().finally(() => process.exit(0)))
})

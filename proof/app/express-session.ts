/**
 * The races' application on express-session with connect-redis, written as their documentation advises:
 * `resave: false`, `saveUninitialized: false`, `regenerate` at sign-in, `save` awaited before the answer,
 * `destroy` at sign-out, a synchronizer token kept in the session. The same on our drop-in, with that store or our own.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

import express from 'express'

import { loadPeer } from '../peers.ts'
import { answer, callOf, type Actor, type Bag } from './actor.ts'
import type { Listening } from './listening.ts'

export interface ExpressSessionSetup {
  readonly kind: 'express-session'
  readonly by: 'original' | 'drop-in'
  readonly keeping: 'connect-redis' | 'holdfast'
  /** `redis://…` */
  readonly store: string
  readonly secret: string
}

type Done = (error?: Error | null) => void

/** The parts of express-session that are called here. */
interface KeptSession extends Bag {
  user?: string
  csrf?: string
  cookie: unknown
  regenerate(done: Done): void
  destroy(done: Done): void
  save(done: Done): void
}

type Carrier = IncomingMessage & { session: KeptSession | undefined; sessionID: string }

type MakeSession = (options: object) => express.RequestHandler

/** Where sessions are. */
interface Kept {
  readonly store: object
  close(): Promise<void>
}

async function loadSession(by: ExpressSessionSetup['by']): Promise<MakeSession> {
  if (by === 'original') return (await loadPeer<{ default: MakeSession }>('express-session')).default
  return (await import('holdfast/express-session')).default as unknown as MakeSession
}

async function connectRedis(url: string): Promise<Kept> {
  const { createClient } = await loadPeer<{
    createClient: (options: { url: string }) => { connect(): Promise<unknown>; close(): Promise<void> }
  }>('redis')
  const { RedisStore } = await loadPeer<{ RedisStore: new (options: { client: unknown }) => object }>('connect-redis')
  const client = createClient({ url })
  await client.connect()
  return { store: new RedisStore({ client }), close: () => client.close() }
}

async function ownStore({ store, secret }: ExpressSessionSetup): Promise<Kept> {
  const { createSessions } = await import('holdfast')
  const { holdfastStore } = await import('holdfast/express-session/store')
  const sessions = createSessions({ secret, store })
  await sessions.ready()
  return { store: holdfastStore(sessions), close: () => sessions.close() }
}

/** Starts one server of the application on a free port of the loopback interface. */
export async function serveExpressSession(setup: ExpressSessionSetup): Promise<Listening> {
  const session = await loadSession(setup.by)
  const kept = await (setup.keeping === 'holdfast' ? ownStore(setup) : connectRedis(setup.store))
  const app = express()
  app.use(express.urlencoded())
  app.use(session({ store: kept.store, secret: setup.secret, resave: false, saveUninitialized: false }))
  app.use(async (request, response) => {
    const actor = actorOf(request as unknown as Carrier)
    const reply = await answer(actor, callOf(request.method, request.originalUrl, request.body))
    response.status(reply.status).json(reply.body)
  })
  const server = app.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  return {
    port: (server.address() as { port: number }).port,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await kept.close()
    },
  }
}

function actorOf(carrier: Carrier): Actor {
  const held = (): KeptSession => carrier.session as KeptSession
  return {
    get user() {
      return carrier.session?.user
    },
    handle: carrier.sessionID,
    status: undefined,
    bag: () => carrier.session ?? {},
    update: async (change) => change(held()),
    signIn: (user) => renewed(carrier, { user }),
    signOut: async () => {
      await settled((done) => held().destroy(done))
      return undefined
    },
    renew: () => renewed(carrier, {}),
    token: () => (held().csrf ??= randomBytes(16).toString('base64url')),
    // Only forms carry a token in these races; the other routes stand for calls that need none.
    checks: (token) => token === undefined || sameText(token, carrier.session?.csrf),
    sessionsOf: async () => undefined,
    revokeUser: async () => {
      throw new Error('express-session has no list of a user’s sessions')
    },
    revokeAll: async () => {
      throw new Error('express-session has no way to end all sessions')
    },
  }
}

/** A new id with the data of before: `regenerate` empties the session, so the application carries it over. */
async function renewed(carrier: Carrier, change: { user?: string }): Promise<void> {
  const { cookie: _cookie, ...kept } = carrier.session as KeptSession
  await settled((done) => (carrier.session as KeptSession).regenerate(done))
  Object.assign(carrier.session as KeptSession, kept, change)
  await settled((done) => (carrier.session as KeptSession).save(done))
}

function settled(call: (done: Done) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    call((error) => (error === undefined || error === null ? resolve() : reject(error)))
  })
}

function sameText(left: string, right: string | undefined): boolean {
  return right !== undefined && left.length === right.length && timingSafeEqual(Buffer.from(left), Buffer.from(right))
}

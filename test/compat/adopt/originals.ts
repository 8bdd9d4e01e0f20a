/** Servers of before: the real libraries, which make the cookies that are adopted. */
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

import { installPeers, loadPeer } from '../../../proof/peers.ts'

const PEERS = 'test/compat/peers'
installPeers(PEERS)

type Members = Record<string, unknown>
type Middleware = (
  request: IncomingMessage & { session?: Members | null },
  response: ServerResponse,
  next: () => void,
) => void

export interface MemoryStore {
  sessions: Record<string, string>
  get(id: string, callback: (error?: never, session?: never) => void): unknown
  set(id: string, session: object, callback?: (error?: unknown) => void): unknown
  destroy(id: string, callback?: (error?: never) => void): unknown
}

const { default: expressSession } = await loadPeer<{
  default: ((options: object) => Middleware) & { MemoryStore: new () => MemoryStore }
}>('express-session', PEERS)
const { default: cookieSession } = await loadPeer<{ default: (options: object) => Middleware }>('cookie-session', PEERS)

type IronSession = Members & { save(): Promise<void> }
interface Iron {
  getIronSession(request: IncomingMessage, response: ServerResponse, options: object): Promise<IronSession>
  sealData(data: object, options: object): Promise<string>
}

/** Answers the `Cookie` header that a browser brings after one request. */
async function cookiesOf(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  try {
    const answer = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
    await answer.arrayBuffer()
    return answer.headers
      .getSetCookie()
      .map((cookie) => cookie.slice(0, cookie.indexOf(';')))
      .join('; ')
  } finally {
    server.close()
  }
}

const through =
  (middleware: Middleware, members: Members): RequestListener =>
  (request, response) =>
    middleware(request, response, () => {
      Object.assign((request as { session?: Members }).session ?? {}, members)
      response.end()
    })

export const newMemoryStore = (): MemoryStore => new expressSession.MemoryStore()

/** A session of express-session with these members. */
export function fromExpress(members: Members, options: object): Promise<string> {
  return cookiesOf(through(expressSession({ resave: false, saveUninitialized: false, ...options }), members))
}

export function fromCookies(members: Members, options: object): Promise<string> {
  return cookiesOf(through(cookieSession(options), members))
}

export function ironOf(version: 8 | 9): Promise<Iron> {
  return loadPeer<Iron>(version === 8 ? 'iron-session' : 'iron-session-9', PEERS)
}

export async function fromIron(version: 8 | 9, members: Members, options: object): Promise<string> {
  const { getIronSession } = await ironOf(version)
  return cookiesOf((request, response) => {
    void getIronSession(request, response, options).then(async (session) => {
      Object.assign(session, members)
      await session.save()
      response.end()
    })
  })
}

interface FastifyApp {
  register(plugin: unknown, options?: object): Promise<void>
  get(path: string, handler: (request: { session: Members }) => Promise<string>): void
  inject(url: string): Promise<{ headers: Record<string, string | string[] | undefined> }>
  close(): Promise<void>
}

export async function fromFastify(members: Members, options: object): Promise<string> {
  const { default: fastify } = await loadPeer<{ default: () => FastifyApp }>('fastify', PEERS)
  const { default: cookie } = await loadPeer<{ default: unknown }>('@fastify/cookie', PEERS)
  const { default: session } = await loadPeer<{ default: unknown }>('@fastify/session', PEERS)
  const app = fastify()
  await app.register(cookie)
  await app.register(session, { cookie: { secure: false }, ...options })
  app.get('/', async (request) => {
    Object.assign(request.session, members)
    return 'ok'
  })
  const { headers } = await app.inject('/')
  await app.close()
  return [headers['set-cookie'] ?? []]
    .flat()
    .map((value) => value.slice(0, value.indexOf(';')))
    .join('; ')
}

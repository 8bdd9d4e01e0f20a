/** One server of the proof: a session with a number that is counted up and read. Its parent may ask what its near cache did. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

import { createSessions, HoldfastError, type Duration, type Session } from 'holdfast'
import { answerWith, attach } from 'holdfast/node'

export interface Setup {
  readonly store: string
  readonly secret: string
  readonly maxAge: Duration
}

export interface Visit {
  count?: number
}

/** What a page says. */
export interface Said {
  readonly user?: string | undefined
  readonly count?: number
}

type Route = (session: Session<Visit>, user: string) => Promise<Said> | Said

/** Longer than the balancer keeps a connection that nobody uses. */
const KEPT = 120_000

const setup = JSON.parse(process.argv[2] ?? '{}') as Setup
// What a server says of its broken channel is no news here.
const quiet = { warn: () => undefined, error: () => undefined }
const sessions = createSessions<Visit>({
  secret: setup.secret,
  store: setup.store,
  nearCache: { maxAge: setup.maxAge },
  log: quiet,
})

const add: Route = async (session) => ({
  count: await session.update((data) => (data.count = (data.count ?? 0) + 1)),
})
const ROUTES: Readonly<Record<string, Route>> = {
  'GET /count': ({ userId, data }) => ({ user: userId, count: data.count ?? 0 }),
  'GET /count/fresh': async (session) => {
    await session.reload()
    return { count: session.data.count ?? 0 }
  },
  'POST /add': add,
  // A request that reads may be given what is near: then its change begins from there.
  'GET /add': add,
  'POST /sign-in': async (session, user) => {
    await session.signIn(user)
    return {}
  },
  'POST /sign-out': async (session) => {
    await session.signOut()
    return {}
  },
  'POST /revoke': async (_session, user) => {
    await sessions.revokeUser(user)
    return {}
  },
}

await sessions.ready()
const server = createServer({ keepAliveTimeout: KEPT }, (request, response) => {
  answer(request, response).catch((error: unknown) => {
    process.stderr.write(`a server: ${String(error)}\n`)
    response.destroy()
  })
})
server.listen(0, '127.0.0.1', () => {
  process.send?.({ port: (server.address() as AddressInfo).port })
})
process.on('message', () => process.send?.(sessions.stats().nearCache))
process.once('disconnect', () => {
  server.close()
  server.closeAllConnections()
  void sessions.close().finally(() => process.exit(0))
})

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  request.resume()
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost')
  const route = ROUTES[`${request.method} ${pathname}`]
  try {
    const session = await attach(sessions, request, response)
    if (route === undefined) response.statusCode = 404
    const said = await route?.(session, searchParams.get('user') ?? '')
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(said ?? {}))
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error
    answerWith(error, request, response)
  }
}

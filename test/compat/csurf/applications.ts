/** Applications with csurf, and with the drop-in, on both versions of Express. */
import express from 'express'
import express4 from 'express-4'
import type { ErrorRequestHandler, Express, RequestHandler } from 'express'
import dropIn from 'holdfast/csurf'

import { loadPeer } from '../../../proof/peers.ts'
import { PEERS } from '../express-session/implementations.ts'
import { peer } from '../stacks/stack.ts'

/** The module's function. */
export type Csurf = (options?: Record<string, unknown>) => RequestHandler

export const original: Csurf = (await loadPeer<{ default: Csurf }>('csurf', PEERS)).default
export const ours: Csurf = dropIn as unknown as Csurf
export const both: { name: string; csurf: Csurf }[] = [
  { name: 'csurf 1.11.0', csurf: original },
  { name: 'holdfast/csurf', csurf: ours },
]
export const frameworks: { framework: string; create: () => Express }[] = [
  { framework: 'Express 5', create: express },
  { framework: 'Express 4', create: express4 as unknown as typeof express },
]

export const SECRET = 'a secret of the tests of csurf, long enough for anybody'

/** A request as the applications see it. */
export type Tokened = Express.Request & { csrfToken(): string; session: Record<string, unknown> | null }

interface Setup {
  readonly create?: () => Express
  readonly csurf: Csurf
  readonly options?: Record<string, unknown>
  /** What is mounted before csurf. */
  readonly before?: readonly RequestHandler[]
  /** Further routes. */
  readonly routes?: (app: Express) => void
}

/**
 * `GET /form` answers with two tokens of the request, anything else with `done`; an error with its status and, as JSON,
 * with what csurf says in it.
 */
export function application({ create = express, csurf, options, before = [], routes }: Setup): Express {
  const app = create()
  app.use(express.urlencoded({ extended: true }), express.json())
  for (const middleware of before) app.use(middleware)
  app.use(csurf(options))
  routes?.(app)
  app.get('/form', (request, response) => {
    const { csrfToken } = request as unknown as Tokened
    response.json([csrfToken(), csrfToken()])
  })
  app.use((request, response, next) => {
    // Not for paths that are not there, but for every method.
    if (request.path === '/form') response.send('done')
    else next()
  })
  app.use(answerError)
  return app
}

const answerError: ErrorRequestHandler = (error: Record<string, unknown>, _request, response, _next) => {
  const { name, message, code, status, statusCode, expose } = error
  response.status(Number(status ?? 500)).json({ name, message, code, status, statusCode, expose })
}

/** Express's sessions in memory, which several applications may share. */
export async function sessions(options: Record<string, unknown> = {}): Promise<RequestHandler> {
  const session = await peer<(options: object) => RequestHandler>('express-session')
  return session({ secret: SECRET, resave: false, saveUninitialized: false, ...options })
}

export async function cookies(secret?: string | string[]): Promise<RequestHandler> {
  const parser = await peer<(secret?: string | string[]) => RequestHandler>('cookie-parser')
  return parser(secret)
}

/**
 * `holdfast/csurf`: csurf 1.11, by one changed line.
 *
 * ```ts
 * import csurf from 'holdfast/csurf'
 *
 * app.use(csurf())
 * app.get('/form', (req, res) => res.render('form', { csrfToken: req.csrfToken() }))
 * ```
 *
 * It behaves as the original, whose tokens it takes and which takes its own, except that a token in the query string
 * counts for nothing, and that the cookie which takes the place of a session is signed. Over a session of Holdfast itself
 * the tokens are that session's. `docs/coming-over.md` has the rest.
 */
import type { ServerResponse } from 'node:http'
import type { SessionCsrf } from '../../types.ts'
import { inCookie, inSession, type Keeping } from './keeping.ts'
import { settingsOf, type CsurfOptions, type Settings } from './options.ts'
import type { Bag, CsurfRequest } from './request.ts'
import { isTokenOf, makeToken, newSecret } from './tokens.ts'

export type { CookieOptions, CsurfOptions } from './options.ts'

/** What is passed on for a request whose token is missing or wrong: 403. */
class InvalidTokenError extends Error {
  override readonly name = 'ForbiddenError'
  readonly code = 'EBADCSRFTOKEN'
  readonly status = 403
  readonly statusCode = 403
  /** Its message may be shown. */
  readonly expose = true

  constructor() {
    super('invalid csrf token')
  }
}

type Next = (error?: unknown) => void
type Middleware = (request: CsurfRequest, response: ServerResponse, next: Next) => void

/** Tokens of one request: the same with each call, as long as the visitor's secret is the same. */
interface Tokens {
  token(): string
  verify(token: unknown): boolean
}

/** The middleware. Throws `TypeError` for `ignoreMethods` that is no array. */
export default function csurf(options?: CsurfOptions): Middleware {
  const settings = settingsOf(options)
  return function csrf(request, response, next) {
    let tokens: Tokens
    try {
      tokens = tokensFor(request, response, settings)
    } catch (error) {
      return next(error)
    }
    request.csrfToken = () => tokens.token()
    if (settings.ignored.has(request.method ?? '') || tokens.verify(settings.valueOf(request))) next()
    else next(new InvalidTokenError())
  }
}

function tokensFor(request: CsurfRequest, response: ServerResponse, settings: Settings): Tokens {
  const { cookie, sessionKey } = settings
  if (cookie !== undefined) return tokensOf(inCookie(request, response, cookie))
  const own = ownTokens(request[sessionKey])
  return own === undefined ? tokensOf(inSession(request, sessionKey)) : tokensOfHoldfast(own)
}

function tokensOf(keeping: Keeping): Tokens {
  const secretNow = (): string => {
    const known = keeping.secret()
    if (typeof known === 'string' && known !== '') return known
    const made = newSecret()
    keeping.keep(made)
    return made
  }
  // As csurf does: a visitor's first page puts it there, so that forms of all pages after it are made of the same.
  let secret = secretNow()
  let token: string | undefined
  return {
    token: () => {
      const now = secretNow()
      // The session may have been replaced meanwhile.
      if (token === undefined || now !== secret) token = makeToken(now)
      secret = now
      return token
    },
    verify: (given) => isTokenOf(secret, given),
  }
}

function tokensOfHoldfast(csrf: SessionCsrf): Tokens {
  let token: string | undefined
  return {
    token: () => (token ??= csrf.token()),
    verify: (given) => typeof given === 'string' && csrf.verify(given),
  }
}

/** Of a session of Holdfast itself, which needs nothing to be kept. */
function ownTokens(session: unknown): SessionCsrf | undefined {
  const csrf = typeof session === 'object' && session !== null ? (session as Bag).csrf : undefined
  if (typeof csrf !== 'object' || csrf === null) return undefined
  const { token, verify } = csrf as { token?: unknown; verify?: unknown }
  return typeof token === 'function' && typeof verify === 'function' ? (csrf as SessionCsrf) : undefined
}

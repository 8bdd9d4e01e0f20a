/** Where the secret of a visitor's tokens is: in the session, or in a cookie. Or in neither, where Holdfast has its own. */
import type { ServerResponse } from 'node:http'
import { rawValuesOf, decoded } from '../cookie-values.ts'
import { signed, verifiedId, type Secret } from '../express-session/signature.ts'
import { serializeCookie } from '../express-session/set-cookie.ts'
import type { CookieSettings } from './options.ts'
import type { Bag, CsurfRequest } from './request.ts'

/** Makes and judges the tokens of one request. */
export interface Keeping {
  /** What tokens are made of; `undefined` where there is nothing yet. Throws where there is no place for it any more. */
  secret(): unknown
  keep(secret: string): void
}

/** Thrown, or passed on, where what is mounted before does not fit: `misconfigured csrf`, and what is missing. */
export function misconfigured(missing: string): Error {
  return new Error(`misconfigured csrf: ${missing}`)
}

/** In the session, under the name that csurf has for it. */
export function inSession(request: CsurfRequest, sessionKey: string): Keeping {
  const bag = (): Bag => {
    const session = request[sessionKey]
    if (typeof session === 'object' && session !== null) return session
    throw misconfigured(`there is no req.${sessionKey}; mount a session before csurf, or use the option cookie`)
  }
  bag()
  return {
    secret: () => bag().csrfSecret,
    keep: (secret) => {
      bag().csrfSecret = secret
    },
  }
}

/** In a cookie, signed: without that anybody who can set a cookie for this host can forge a token that fits. */
export function inCookie(request: CsurfRequest, response: ServerResponse, cookie: CookieSettings): Keeping {
  const secrets = cookie.secrets.length > 0 ? cookie.secrets : parsersSecrets(request)
  const [first] = secrets
  if (first === undefined)
    throw misconfigured('the cookie is to be signed; give csurf or cookie-parser the option secret')
  let known = brought(request, cookie.key, secrets)
  return {
    secret: () => known,
    keep: (secret) => {
      known = secret
      addCookie(response, cookie, signed(secret, first))
    },
  }
}

function parsersSecrets({ secret }: CsurfRequest): readonly Secret[] {
  return typeof secret === 'string' && secret !== '' ? [secret] : []
}

/** The first value that we signed. Where something has parsed the cookies and taken the header away, its result. */
function brought(request: CsurfRequest, key: string, secrets: readonly Secret[]): string | undefined {
  for (const value of rawValuesOf(request.headers.cookie, key)) {
    const secret = verifiedId(decoded(value), secrets)
    if (secret !== undefined) return secret
  }
  const parsed = request.signedCookies?.[key]
  return typeof parsed === 'string' && parsed !== '' ? parsed : undefined
}

function addCookie(response: ServerResponse, { key, maxAge, ...attributes }: CookieSettings, value: string): void {
  const line = serializeCookie(key, value, attributes)
  const before = response.getHeader('set-cookie')
  const others = before === undefined ? [] : Array.isArray(before) ? before : [String(before)]
  response.setHeader('set-cookie', [...others, maxAge === undefined ? line : `${line}; Max-Age=${Math.floor(maxAge)}`])
}

/** Requests as express-session leaves them to applications. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Session } from './session.ts'
import type { Secret } from './signature.ts'
import type { SessionStore } from './store-contract.ts'

export interface SessionRequest extends IncomingMessage {
  session?: Session | null | undefined
  /** Written by applications, too: what is no string is neither saved nor sent. */
  sessionID?: unknown
  sessionStore?: SessionStore
  /** Express's. */
  readonly originalUrl?: string
  readonly secure?: boolean
  /** cookie-parser's. */
  readonly secret?: Secret
  readonly cookies?: Readonly<Record<string, unknown>>
  readonly signedCookies?: Readonly<Record<string, unknown>>
}

export type Next = (error?: unknown) => void

export type RequestHandler = (request: SessionRequest, response: ServerResponse, next: Next) => void

/**
 * Whether the request came over TLS. `proxy`: whether `X-Forwarded-Proto` is believed; `undefined`: what Express says,
 * which goes by its setting `trust proxy`.
 */
export function isSecure(request: SessionRequest, proxy: boolean | undefined): boolean {
  if ((request.socket as { encrypted?: boolean } | undefined)?.encrypted === true) return true
  if (proxy === undefined) return request.secure === true
  if (!proxy) return false
  const [forwarded = ''] = String(request.headers['x-forwarded-proto'] ?? '').split(',')
  return forwarded.trim().toLowerCase() === 'https'
}

/** The path that the browser asked for, without its query. */
export function pathOf({ originalUrl, url }: SessionRequest): string {
  const target = originalUrl ?? url ?? '/'
  const path = target.startsWith('/') ? target.replace(/[?#].*$/s, '') : pathOfAbsolute(target)
  return path === '' ? '/' : path
}

function pathOfAbsolute(target: string): string {
  return URL.canParse(target) ? new URL(target).pathname : target
}

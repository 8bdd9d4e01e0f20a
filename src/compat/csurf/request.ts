/** Requests as this middleware finds them: what was mounted before it has left things there. */
import type { IncomingMessage } from 'node:http'

/** What a request may carry. */
export interface CsurfRequest extends IncomingMessage {
  body?: unknown
  /** Of cookie-parser. */
  secret?: unknown
  signedCookies?: Readonly<Record<string, unknown>>
  csrfToken?: () => string
  [property: string]: unknown
}

/** What a session holds, as far as it matters here. */
export interface Bag {
  csrfSecret?: unknown
  /** Of a session of Holdfast itself. */
  readonly csrf?: unknown
}

/**
 * The types of cookies and handlers are those of `@types/csurf`, which stays installed: it tells TypeScript of
 * `req.csrfToken()`. The options are those of csurf, and `secret`.
 */
import type original from 'csurf'

type Handler = ReturnType<typeof original>
type Request = Parameters<Handler>[0]

export type CookieOptions = original.CookieOptions

export interface Options {
  /** Where the token of a request is. Default: the field `_csrf` of the body, else one of the headers `csrf-token`, `xsrf-token`, `x-csrf-token`, `x-xsrf-token`. */
  value?: ((request: Request) => unknown) | undefined
  /** Keeps what tokens are made of in a signed cookie instead of the session. Default `false`. */
  cookie?: NonNullable<Parameters<typeof original>[0]>['cookie']
  /** Methods that need no token. Default `['GET', 'HEAD', 'OPTIONS']`. */
  ignoreMethods?: string[] | undefined
  /** The request's property that holds the session. Default `'session'`. */
  sessionKey?: string | undefined
  /** Signs the cookie; of several the first signs, and all are good. Default: the secret that cookie-parser was given. */
  secret?: string | Uint8Array | readonly (string | Uint8Array)[] | undefined
}

export default function csurf(options?: Options): Handler

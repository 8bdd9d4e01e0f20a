/** The same for `require()` and for `import csurf = require(…)`; see `module.d.ts`. */
import type original = require('csurf')

type Handler = ReturnType<typeof original>
type Request = Parameters<Handler>[0]

declare function csurf(options?: csurf.Options): Handler

declare namespace csurf {
  type CookieOptions = original.CookieOptions

  interface Options {
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
}

export = csurf

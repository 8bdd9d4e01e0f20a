/** The loud way around the CSRF check. */

/**
 * Marks what is not checked for forgery, with the reason why it need not be. A symbol, so that every place in a
 * program can be found by its name: `[dangerouslySkipCsrf]: 'signed with HMAC'`.
 */
export const dangerouslySkipCsrf: unique symbol = Symbol('holdfast.dangerouslySkipCsrf')

/** One route that is not checked: exactly this method and path, and why. */
export interface SkippedRoute {
  readonly method: string
  readonly path: string
  readonly reason: string
}

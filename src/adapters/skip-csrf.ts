/** The loud way around the CSRF check. */
import { refuseUnknown } from '../core/options.ts'
import { isSafe } from '../core/request.ts'
import { isExactPath } from '../csrf/exact-path.ts'
import { OptionsError } from '../errors.ts'

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

/** Whether a request of this method to this path, as the router sees them, is exempt. */
export type Exemptions = (method: string | undefined, path: string) => boolean

const OPTION = 'dangerouslySkipCsrf'

/** The exemptions of a list. Throws `OptionsError` for what is not exact, or has no reason. */
export function exemptionsOf(routes: readonly SkippedRoute[]): Exemptions {
  if (!Array.isArray(routes)) throw new OptionsError(OPTION, `[${OPTION}] must be a list of routes.`)
  const exempt = new Set(routes.map(checked))
  return (method, path) => exempt.size > 0 && exempt.has(`${method} ${path}`)
}

/** Throws `OptionsError` where the reason of an exemption says nothing. */
export function checkReason(reason: unknown): void {
  if (typeof reason === 'string' && reason.trim() !== '') return
  throw new OptionsError(OPTION, `[${OPTION}] needs a reason, such as 'signed with HMAC'.`)
}

function checked(route: SkippedRoute): string {
  refuseUnknown(`${OPTION}.`, route, { method: 0, path: 0, reason: 0 })
  const { method, path, reason } = route
  checkReason(reason)
  if (typeof method !== 'string' || !/^[A-Z]+(?:-[A-Z]+)*$/.test(method) || !isExactPath(path))
    throw new OptionsError(
      OPTION,
      `[${OPTION}] lists routes as { method: 'POST', path: '/webhook', reason: 'signed with HMAC' }: one method in capitals, and one exact path without query or pattern.`,
    )
  if (isSafe(method))
    throw new OptionsError(
      OPTION,
      `[${OPTION}] has ${method} ${path}, and a ${method} is not checked in the first place.`,
    )
  return `${method} ${path}`
}

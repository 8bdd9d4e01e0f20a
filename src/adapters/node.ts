/**
 * `holdfast/node`: sessions for a bare `node:http` server, and for frameworks that stand on one.
 *
 * ```ts
 * import { createServer } from 'node:http'
 * import { answerWith, attach } from 'holdfast/node'
 *
 * createServer(async (request, response) => {
 *   try {
 *     const session = await attach(sessions, request, response)
 *     session.data.visits += 1
 *     response.end(`visit ${session.data.visits}`)
 *   } catch (error) {
 *     if (!(error instanceof HoldfastError)) throw error
 *     answerWith(error, request, response)
 *   }
 * })
 * ```
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { HoldfastError } from '../errors.ts'
import type { Session, Sessions } from '../types.ts'
import { answerToCallback, passedOn } from './callback.ts'
import { factsOf } from './facts.ts'
import { mount, settingsFor, someMountsOf } from './mount.ts'
import type { RouteOptions } from './seen.ts'
import { checkReason, dangerouslySkipCsrf } from './skip-csrf.ts'
import { watchMethod } from './watched-method.ts'

export { type Answer, answerFor, type AnswerOptions } from './answer.ts'
export { answerWith } from './mount.ts'
export { dangerouslySkipCsrf } from './skip-csrf.ts'
export { upgrade, type UpgradeOptions } from './upgrade.ts'

export interface AttachOptions extends Pick<RouteOptions, 'fresh' | 'touch' | 'signOut'> {
  /** The parsed body, for a CSRF token in the field `_csrf`. Without it a token is looked for in the header `x-csrf-token` only. */
  readonly body?: unknown
  /** `'later'`: call `verifyCsrf` once the body is known. Until then nothing is saved and no response leaves. Default: now. */
  readonly csrf?: 'now' | 'later' | undefined
  /** Takes an error that comes up while the response is held, instead of our own answer. */
  readonly forward?: ((error: HoldfastError) => void) | undefined
  /** No CSRF check, for this reason. */
  readonly [dangerouslySkipCsrf]?: string | undefined
}

/**
 * Gives the request its session; from here on the response waits until the session is saved. Rejects with
 * `StoreUnavailableError` or `CsrfError` before anything was answered: `answerWith` sends what fits. So it does for a
 * declared callback of another site: to its `CsrfError` belongs the page that submits it again.
 */
export async function attach<Data extends object>(
  sessions: Sessions<Data>,
  request: IncomingMessage,
  response: ServerResponse,
  options: AttachOptions = {},
): Promise<Session<Data>> {
  const reason = options[dangerouslySkipCsrf]
  if (reason !== undefined) checkReason(reason)
  const facts = factsOf(request)
  const again = answerToCallback(facts, settingsFor(sessions), request.url ?? '/', options.body)
  if (again !== undefined) throw passedOn(again)
  const mounted = mount(sessions, facts, { request, response }, options.forward)
  await mounted.open(options)
  if (reason !== undefined) return mounted.session
  if (options.csrf === 'later') mounted.checkLater()
  else mounted.check(options.body)
  if (!mounted.checked) watchMethod(request)
  return mounted.session
}

/** The CSRF check of a request that was attached with `csrf: 'later'`. Throws `CsrfError`. */
export function verifyCsrf(request: IncomingMessage, body: unknown): void {
  for (const mounted of someMountsOf(request)) mounted.catchUp(body)
}

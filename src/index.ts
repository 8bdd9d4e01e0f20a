/**
 * Sessions that stay whole behind a load balancer, with the CSRF token that travels with them.
 * Start with `createSessions`; mount it with `holdfast/express`, `holdfast/fastify` or `holdfast/node`.
 */
import { resolveOptions } from './core/options.ts'
import { Manager } from './core/sessions.ts'
import { openStore } from './stores/by-url.ts'
import { findSecret } from './stores/secret.ts'
import type { OnlyStorable, Options, Sessions } from './types.ts'

export * from './errors.ts'
export type * from './types.ts'
export type {
  Awaitable,
  Durability,
  Durable,
  EndCondition,
  Enrolment,
  Patched,
  RecordBytes,
  Roll,
  Selector,
  Span,
  Store,
  StoreStats,
  StoreWatcher,
  Swap,
} from './core/store.ts'
export { DONE, UNCONFIRMED } from './core/store.ts'
export { isEnded, userOf, versionOf } from './core/record.ts'

/**
 * Makes the sessions of an application. Options are checked here and frozen; connecting to the store begins at once.
 *
 * Throws `OptionsError` for an option that is unknown, missing or wrong: in production `secret` and `store` must be given.
 */
export function createSessions<Data extends object = Record<string, unknown>>(
  options: Options<Data> & OnlyStorable<Data>,
): Sessions<Data> {
  const settings = resolveOptions(options)
  const secret = findSecret(options.secret, options.store, settings)
  return new Manager<Data>({ settings, secret, store: openStore(options.store, settings) })
}

/** Sessions of express-session. */
import type { Adopted, OldSessions } from '../../core/old-sessions.ts'
import { refuseUnknown } from '../../core/options.ts'
import { valuesOf } from '../cookie-values.ts'
import { verifiedId } from '../express-session/signature.ts'
import { COMMON, commonOf, secretsOf, type SourceOptions } from './source-options.ts'
import { type OldStore, storedSessions } from './stored-sessions.ts'

/** An old session as its store has it, without its cookie. */
export type OldExpressSession = Record<string, unknown>

/** As the old servers are told. */
export interface ExpressSessionSource extends SourceOptions {
  /** One, or several: all verify. */
  readonly secret: string | Buffer | readonly (string | Buffer)[]
  /** Of the cookie. Default `'connect.sid'`. */
  readonly name?: string | undefined
  readonly store: OldStore
}

/** Adopts sessions of express-session. `map` says what becomes data, and who was signed in. Throws `OptionsError`. */
export function fromExpressSession<Data extends object>(
  options: ExpressSessionSource & { readonly map: (old: OldExpressSession) => Adopted<Data> | undefined },
): OldSessions<Data>
/** The same; all members become data, and nobody is signed in. */
export function fromExpressSession(options: ExpressSessionSource): OldSessions<never>
export function fromExpressSession(
  options: ExpressSessionSource & { readonly map?: ((old: OldExpressSession) => Adopted | undefined) | undefined },
): OldSessions<never> {
  refuseUnknown('adopt.', options, { ...COMMON, secret: 0, name: 0, store: 0 })
  const name = options.name ?? 'connect.sid'
  const secrets = secretsOf('secret', options.secret)
  return storedSessions({
    kind: 'express-session',
    store: options.store,
    common: commonOf(options, [name]),
    idsIn: (header) => valuesOf(header, name).flatMap((value) => verifiedId(value, secrets) ?? []),
  })
}

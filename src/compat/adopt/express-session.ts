/** Sessions of express-session. */
import type { Adopted, Mirrored, OldSessions } from '../../core/old-sessions.ts'
import { refuseUnknown } from '../../core/options.ts'
import { valuesOf } from '../cookie-values.ts'
import { signed, verifiedId } from '../express-session/signature.ts'
import { MIRRORED_COOKIE, type MirrorOptions } from './mirroring.ts'
import { commonOf, secretsOf, type SourceOptions, STORED } from './source-options.ts'
import { type OldStore, storedSessions } from './stored-sessions.ts'

/** An old session as its store has it, without its cookie. */
export type OldExpressSession = Record<string, unknown>

/** As the old servers are told. */
export interface ExpressSessionSource extends Omit<SourceOptions, 'cookie'>, MirrorOptions {
  /** One, or several: all verify. */
  readonly secret: string | Buffer | readonly (string | Buffer)[]
  /** Of the cookie. Default `'connect.sid'`. */
  readonly name?: string | undefined
  readonly store: OldStore
}

/**
 * Adopts sessions of express-session. `map` says what becomes data, and who was signed in; `unmap`, where
 * old servers are to find what new ones change, the other way round. Throws `OptionsError`.
 */
export function fromExpressSession<Data extends object>(
  options: ExpressSessionSource & {
    readonly map: (old: OldExpressSession) => Adopted<Data> | undefined
    readonly unmap?: ((session: Mirrored<Data>, old: OldExpressSession) => object) | undefined
  },
): OldSessions<Data>
/** The same; all members become data, and nobody is signed in. */
export function fromExpressSession(options: ExpressSessionSource): OldSessions<never>
export function fromExpressSession(
  options: ExpressSessionSource & {
    readonly map?: ((old: OldExpressSession) => Adopted | undefined) | undefined
    readonly unmap?: ((session: Mirrored<never>, old: OldExpressSession) => object) | undefined
  },
): OldSessions<never> {
  refuseUnknown('adopt.', options, { ...STORED, secret: 0, name: 0, store: 0 })
  const name = options.name ?? 'connect.sid'
  const secrets = secretsOf('secret', options.secret)
  return storedSessions({
    kind: 'express-session',
    store: options.store,
    common: commonOf(options, [name], MIRRORED_COOKIE),
    mirroring: { options, cookieName: name, sign: (id) => signed(id, secrets[0] as string | Buffer) },
    idsIn: (header) => valuesOf(header, name).flatMap((value) => verifiedId(value, secrets) ?? []),
  })
}

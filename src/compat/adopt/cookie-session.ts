/** Sessions of cookie-session: the cookie is all there is, with a second one that signs it. */
import { createHmac, timingSafeEqual } from 'node:crypto'

import type { Adopted, OldSessions, OldVisit } from '../../core/old-sessions.ts'
import { refuseUnknown } from '../../core/options.ts'
import { rawValuesOf } from '../cookie-values.ts'
import { membersIn } from './members.ts'
import { COMMON, commonOf, refuseMirror, secretsOf, type SourceOptions } from './source-options.ts'

/** An old session's members. */
export type OldCookieSession = Record<string, unknown>

/** As the old servers are told. */
export interface CookieSessionSource extends SourceOptions {
  /** All verify. */
  readonly keys: string | Buffer | readonly (string | Buffer)[]
  /** Of the cookie. Default `'session'`. */
  readonly name?: string | undefined
}

/** Adopts sessions of cookie-session. `map` says what becomes data, and who was signed in. Throws `OptionsError`. */
export function fromCookieSession<Data extends object>(
  options: CookieSessionSource & { readonly map: (old: OldCookieSession) => Adopted<Data> | undefined },
): OldSessions<Data>
/** The same; all members become data, and nobody is signed in. */
export function fromCookieSession(options: CookieSessionSource): OldSessions<never>
export function fromCookieSession(
  options: CookieSessionSource & { readonly map?: ((old: OldCookieSession) => Adopted | undefined) | undefined },
): OldSessions<never> {
  refuseMirror(options)
  refuseUnknown('adopt.', options, { ...COMMON, keys: 0, name: 0 })
  const name = options.name ?? 'session'
  const keys = secretsOf('keys', options.keys)
  const common = commonOf(options, [name, `${name}.sig`])
  return {
    ...common,
    kind: 'cookie-session',
    adopted: common.adopted as OldSessions<never>['adopted'],
    presented: (header) => {
      const signatures = rawValuesOf(header, `${name}.sig`)
      return rawValuesOf(header, name)
        .filter(
          (value) => value !== '' && signatures.some((signature) => isSigned(`${name}=${value}`, signature, keys)),
        )
        .map((id): OldVisit => ({ id, load: async () => membersIn(Buffer.from(id, 'base64').toString('utf8')) }))
    },
  }
}

/** SHA-1 is what these cookies are signed with; as an HMAC it still holds. */
function isSigned(signed: string, signature: string, keys: readonly (string | Buffer)[]): boolean {
  const given = Buffer.from(signature)
  return keys.some((key) => {
    const made = Buffer.from(createHmac('sha1', key).update(signed).digest('base64url'))
    return made.length === given.length && timingSafeEqual(made, given)
  })
}

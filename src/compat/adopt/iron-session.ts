/**
 * Sessions of iron-session: sealed in the cookie. A seal has eight parts with a star between: its format, which password, the
 * salt and the vector of the cipher (AES-256-CBC), what it hides, when it expires, the salt of the MAC and the MAC (HMAC-SHA256)
 * over all before. Both keys are drawn from the password by PBKDF2. A tilde and the version of iron-session's own follow.
 */
import { createDecipheriv, createHmac, pbkdf2Sync, timingSafeEqual } from 'node:crypto'

import type { Adopted, OldSessions, OldVisit } from '../../core/old-sessions.ts'
import { refuseUnknown } from '../../core/options.ts'
import { OptionsError } from '../../errors.ts'
import { valuesOf } from '../cookie-values.ts'
import { membersIn } from './members.ts'
import { COMMON, commonOf, refuseMirror, type SourceOptions } from './source-options.ts'

/** An old session's members. */
export type OldIronSession = Record<string, unknown>

/** As the old servers are told. */
export interface IronSessionSource extends SourceOptions {
  /** One, or several by number. */
  readonly password: string | Readonly<Record<string, string>>
  readonly cookieName: string
}

const FORMAT = 'Fe26.2'
const KEY_BYTES = 32
/** How much longer than it says a seal counts, in milliseconds: clocks differ. */
const SKEW = 60_000
const PASSWORD_LEAST = 32
/** Browsers send no longer cookie. */
const SEAL_MOST = 8_192

/** Adopts sessions of iron-session 8 and 9. `map` says what becomes data, and who was signed in. Throws `OptionsError`. */
export function fromIronSession<Data extends object>(
  options: IronSessionSource & { readonly map: (old: OldIronSession) => Adopted<Data> | undefined },
): OldSessions<Data>
/** The same; all members become data, and nobody is signed in. */
export function fromIronSession(options: IronSessionSource): OldSessions<never>
export function fromIronSession(
  options: IronSessionSource & { readonly map?: ((old: OldIronSession) => Adopted | undefined) | undefined },
): OldSessions<never> {
  refuseMirror(options)
  refuseUnknown('adopt.', options, { ...COMMON, password: 0, cookieName: 0 })
  const passwords = passwordsOf(options.password)
  const { cookieName } = options
  const common = commonOf(options, [cookieName])
  return {
    ...common,
    kind: 'iron-session',
    adopted: common.adopted as OldSessions<never>['adopted'],
    presented: (header, now) =>
      valuesOf(header, cookieName).flatMap((value): OldVisit[] => {
        const text = unsealed(value, passwords, now)
        return text === undefined ? [] : [{ id: value, load: async () => sessionIn(text, value) }]
      }),
  }
}

function passwordsOf(given: unknown): ReadonlyMap<string, string> {
  const passwords = typeof given === 'string' ? { 1: given } : given
  const entries = Object.entries((passwords ?? {}) as Record<string, unknown>)
  const usable = ([, password]: [string, unknown]): boolean =>
    typeof password === 'string' && password.length >= PASSWORD_LEAST
  if (entries.length > 0 && entries.every(usable)) return new Map(entries as [string, string][])
  throw new OptionsError(
    'adopt.password',
    `password must be what the old servers have: a text of ${PASSWORD_LEAST} characters or more, or an object of them.`,
  )
}

/** What a seal hides. `undefined` where we did not make it, or it is over. */
function unsealed(value: string, passwords: ReadonlyMap<string, string>, now: number): string | undefined {
  if (value.length > SEAL_MOST) return undefined
  const [seal = ''] = value.split('~')
  const parts = seal.split('*')
  const [format, passwordId, salt, vector, hidden, expires, macSalt, given] = parts
  if (parts.length !== 8 || format !== FORMAT) return undefined
  const password = passwords.get(passwordId === '' ? 'default' : (passwordId ?? ''))
  if (password === undefined || salt === undefined || macSalt === undefined) return undefined
  const mac = createHmac('sha256', keyOf(password, macSalt)).update(parts.slice(0, 6).join('*')).digest()
  const theirs = Buffer.from(given ?? '', 'base64url')
  if (theirs.length !== mac.length || !timingSafeEqual(theirs, mac)) return undefined
  if (expires !== '' && !(Number(expires) > now - SKEW)) return undefined
  const decipher = createDecipheriv('aes-256-cbc', keyOf(password, salt), Buffer.from(vector ?? '', 'base64url'))
  return decipher.update(hidden ?? '', 'base64url', 'utf8') + decipher.final('utf8')
}

/** One round is what the format has: its passwords are long and random. */
function keyOf(password: string, salt: string): Buffer {
  return pbkdf2Sync(password, salt, 1, KEY_BYTES, 'sha1')
}

/** Before version 2 the members stood one level deeper. */
function sessionIn(text: string, value: string): object | undefined {
  const members = membersIn(text)
  if (value.endsWith('~2')) return members
  const { persistent } = members ?? {}
  return typeof persistent === 'object' && persistent !== null ? persistent : undefined
}

/** Sessions of @fastify/session: an id and its signature, as @fastify/cookie makes it. */
import { createHmac, timingSafeEqual } from 'node:crypto'

import type { Adopted, Mirrored, OldSessions } from '../../core/old-sessions.ts'
import { refuseUnknown } from '../../core/options.ts'
import { OptionsError } from '../../errors.ts'
import { valuesOf } from '../cookie-values.ts'
import { MIRRORED_COOKIE, type MirrorOptions } from './mirroring.ts'
import { commonOf, secretsOf, type SourceOptions, STORED } from './source-options.ts'
import { type OldStore, storedSessions } from './stored-sessions.ts'

/** An old session as its store has it, without its cookie. */
export type OldFastifySession = Record<string, unknown>

/** As the old servers are told. */
export interface FastifySessionSource extends Omit<SourceOptions, 'cookie'>, MirrorOptions {
  /** One, or several: all verify. */
  readonly secret: string | Buffer | readonly (string | Buffer)[]
  /** Default `'sessionId'`. */
  readonly cookieName?: string | undefined
  /** What the cookie's value begins with. Default: nothing. */
  readonly cookiePrefix?: string | undefined
  /** Of the signature. Default `'sha256'`. */
  readonly algorithm?: string | undefined
  readonly store: OldStore
}

/**
 * Adopts sessions of @fastify/session. `map` says what becomes data, and who was signed in; `unmap`, where
 * old servers are to find what new ones change, the other way round. Throws `OptionsError`.
 */
export function fromFastifySession<Data extends object>(
  options: FastifySessionSource & {
    readonly map: (old: OldFastifySession) => Adopted<Data> | undefined
    readonly unmap?: ((session: Mirrored<Data>, old: OldFastifySession) => object) | undefined
  },
): OldSessions<Data>
/** The same; all members become data, and nobody is signed in. */
export function fromFastifySession(options: FastifySessionSource): OldSessions<never>
export function fromFastifySession(
  options: FastifySessionSource & {
    readonly map?: ((old: OldFastifySession) => Adopted | undefined) | undefined
    readonly unmap?: ((session: Mirrored<never>, old: OldFastifySession) => object) | undefined
  },
): OldSessions<never> {
  refuseUnknown('adopt.', options, { ...STORED, secret: 0, cookieName: 0, cookiePrefix: 0, algorithm: 0, store: 0 })
  const { cookieName = 'sessionId', cookiePrefix = '', algorithm = 'sha256' } = options
  const secrets = secretsOf('secret', options.secret)
  checkAlgorithm(algorithm)
  return storedSessions({
    kind: '@fastify/session',
    store: options.store,
    common: commonOf(options, [cookieName], MIRRORED_COOKIE),
    mirroring: {
      options,
      cookieName,
      sign: (id) => `${cookiePrefix}${id}.${signatureOf(id, secrets[0] as string | Buffer, algorithm)}`,
    },
    idsIn: (header) =>
      valuesOf(header, cookieName).flatMap((value) =>
        value.startsWith(cookiePrefix) ? (unsigned(value.slice(cookiePrefix.length), secrets, algorithm) ?? []) : [],
      ),
  })
}

function checkAlgorithm(algorithm: string): void {
  try {
    createHmac(algorithm, 'any')
  } catch {
    throw new OptionsError('adopt.algorithm', `algorithm names no hash that this Node has: '${algorithm}'.`)
  }
}

function unsigned(value: string, secrets: readonly (string | Buffer)[], algorithm: string): string | undefined {
  const point = value.lastIndexOf('.')
  if (point <= 0) return undefined
  const id = value.slice(0, point)
  const signature = Buffer.from(value.slice(point + 1))
  const signs = (secret: string | Buffer): boolean => {
    const made = Buffer.from(signatureOf(id, secret, algorithm))
    return made.length === signature.length && timingSafeEqual(made, signature)
  }
  return secrets.some(signs) ? id : undefined
}

function signatureOf(id: string, secret: string | Buffer, algorithm: string): string {
  return createHmac(algorithm, secret).update(id).digest('base64').replace(/=+$/, '')
}

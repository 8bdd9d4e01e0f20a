/** The secret of an application that names none: outside production, and only where no server is shared. */
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

import { hasSecret, type Settings } from '../core/options.ts'
import type { Store } from '../core/store.ts'
import { OptionsError } from '../errors.ts'
import type { Secrets } from '../types.ts'
import { lmdbPath } from './by-url.ts'

/** The given secret, or one that is made up and kept beside the embedded store. Throws `OptionsError` where it must be given. */
export function findSecret(
  secret: Secrets | undefined,
  store: string | Store | undefined,
  settings: Settings,
): Secrets {
  if (hasSecret(secret)) return secret
  const embedded = store === undefined || (typeof store === 'string' && /^(memory|lmdb):/.test(store))
  if (settings.production || !embedded) {
    throw new OptionsError(
      'secret',
      'A secret is needed, the same on every server: secret: process.env.SESSION_SECRET. Make one with: openssl rand -base64 32',
    )
  }
  settings.log.warn(
    { option: 'secret' },
    'No secret was given, so one was made up. Give one before there is more than one server.',
  )
  return typeof store === 'string' && store.startsWith('lmdb:') ? kept(`${lmdbPath(store)}.secret`) : randomBytes(32)
}

/** The secret in a file, made by whichever process comes first. */
function kept(file: string): string {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  try {
    writeFileSync(file, randomBytes(32).toString('base64url'), { flag: 'wx', mode: 0o600 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST')
      throw new OptionsError('secret', `The made-up secret cannot be kept in ${file}. Give a secret.`, { cause: error })
  }
  return readFileSync(file, 'utf8')
}

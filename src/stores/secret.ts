/** The secret of an application that names none: outside production, and only where no server is shared. */
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

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
  const file = typeof store === 'string' && store.startsWith('lmdb:') ? resolve(`${lmdbPath(store)}.secret`) : undefined
  const found = file === undefined ? randomBytes(32) : kept(file)
  const where =
    file === undefined
      ? 'for this process alone, and is gone with it'
      : `and is kept in ${file}, for all who use this store`
  settings.log.warn(
    { option: 'secret', file },
    `No secret was given, so one was made up ${where}. For production make one (openssl rand -base64 32) and give it to every server: secret: process.env.SESSION_SECRET.`,
  )
  return found
}

/** The secret in a file, made by whichever process comes first. */
function kept(file: string): string {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    makeOnce(file)
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new OptionsError('secret', `The made-up secret cannot be kept in ${file}. Give a secret.`, { cause: error })
  }
}

function makeOnce(file: string): void {
  try {
    writeFileSync(file, randomBytes(32).toString('base64url'), { flag: 'wx', mode: 0o600 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

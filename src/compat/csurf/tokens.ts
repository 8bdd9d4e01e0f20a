/**
 * Tokens as csurf makes them, so that old and new servers take each other's: salt, hyphen, and the SHA-1 of salt, hyphen
 * and secret in base64url. The secret is 144 random bits that nobody but the server and its session know; what SHA-1 has
 * lost is no way from a token to the secret.
 */
import { hash, randomBytes, timingSafeEqual } from 'node:crypto'

const SECRET_BYTES = 18
const SALT_BYTES = 6

/** What a visitor's tokens are made of. */
export function newSecret(): string {
  return randomBytes(SECRET_BYTES).toString('base64url')
}

/** Another one with each call, so that a compressed page gives nothing away (BREACH). */
export function makeToken(secret: string): string {
  // No hyphen, which ends the salt.
  return tokenOf(secret, randomBytes(SALT_BYTES).toString('base64url').replaceAll('-', 'x'))
}

/** Whether the token was made of this secret. In a time that tells nothing of the right one. */
export function isTokenOf(secret: unknown, token: unknown): boolean {
  if (typeof secret !== 'string' || secret === '' || typeof token !== 'string') return false
  const hyphen = token.indexOf('-')
  if (hyphen < 0) return false
  const [given, right] = [Buffer.from(token), Buffer.from(tokenOf(secret, token.slice(0, hyphen)))]
  return given.length === right.length && timingSafeEqual(given, right)
}

function tokenOf(secret: string, salt: string): string {
  return `${salt}-${hash('sha1', `${salt}-${secret}`, 'base64url')}`
}

/** Ids as they travel in cookies: `s:` and the id, a point, and its HMAC-SHA256 in base64 without padding. */
import { createHmac, timingSafeEqual, type BinaryLike, type KeyObject } from 'node:crypto'

/** A key for `createHmac`. */
export type Secret = BinaryLike | KeyObject

const PREFIX = 's:'

export function signed(id: string, secret: Secret): string {
  return `${PREFIX}${id}.${tagOf(id, secret)}`
}

/** The id, if one of these secrets signed it. */
export function verifiedId(value: string, secrets: readonly Secret[]): string | undefined {
  if (!value.startsWith(PREFIX)) return undefined
  const point = value.lastIndexOf('.')
  if (point < PREFIX.length) return undefined
  const id = value.slice(PREFIX.length, point)
  const tag = value.slice(point + 1)
  return secrets.some((secret) => isSame(tag, tagOf(id, secret))) ? id : undefined
}

function tagOf(id: string, secret: Secret): string {
  return createHmac('sha256', secret).update(id).digest('base64').replace(/=+$/, '')
}

function isSame(left: string, right: string): boolean {
  const [a, b] = [Buffer.from(left), Buffer.from(right)]
  return a.length === b.length && timingSafeEqual(a, b)
}

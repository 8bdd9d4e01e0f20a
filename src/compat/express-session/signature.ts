/** Ids as they travel in cookies: `s:` and the id, a point, and its HMAC-SHA256 in base64 without padding. */
import { createHmac, timingSafeEqual, type BinaryLike, type KeyObject } from 'node:crypto'

/** A key for `createHmac`. */
export type Secret = BinaryLike | KeyObject

const PREFIX = 's:'
const REMEMBERED_MOST = 10_000
/** Of a value that is remembered. Ours have 83 characters. */
const LENGTH_MOST = 256

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

/** Values that were found good a moment ago, so that a visitor's next requests cost no arithmetic. */
export class Verified {
  readonly #secrets: readonly Secret[]
  readonly #ids = new Map<string, string>()

  constructor(secrets: readonly Secret[]) {
    this.#secrets = secrets
  }

  /** `verifiedId` of what this makes of the raw value. */
  idOf(raw: string, decode: (raw: string) => string): string | undefined {
    const known = this.#ids.get(raw)
    if (known !== undefined) return known
    const id = verifiedId(decode(raw), this.#secrets)
    if (id === undefined || raw.length > LENGTH_MOST) return id
    if (this.#ids.size >= REMEMBERED_MOST) this.#ids.delete(this.#ids.keys().next().value as string)
    this.#ids.set(raw, id)
    return id
  }
}

function tagOf(id: string, secret: Secret): string {
  return createHmac('sha256', secret).update(id).digest('base64').replace(/=+$/, '')
}

function isSame(left: string, right: string): boolean {
  const [a, b] = [Buffer.from(left), Buffer.from(right)]
  return a.length === b.length && timingSafeEqual(a, b)
}

/**
 * The three cookies. `sid` carries the id of a signed-in session, `gid` that of a guest, `visit` that of a
 * visitor with nothing stored, or the version floor of who has a session (`floor.ts`). A value is the id and a MAC of 112 bits with the key of its rank, so that
 * none can stand in for another; whether we minted it is known by arithmetic, without the store.
 */
import type { Stored } from './commits.ts'
import { openFloor, type OpenedFloor } from './floor.ts'
import { mac } from './hmac.ts'
import { FINGERPRINT_LENGTH, sameBytes, type Keyring } from './keyring.ts'
import { hashVerifier, SELECTOR_BYTES, VERIFIER_BYTES, type Id, type Verifier } from './session-id.ts'
import type { Selector } from './store.ts'

/** Cookies by rank, the highest first. */
export type Rank = 'sid' | 'gid' | 'visit'
export const RANKS: readonly Rank[] = ['sid', 'gid', 'visit']

/** Values of one name that are tried; a browser sends one, an attacker on a sibling host may add some. */
export const VALUES_MOST = 4

const FORMAT = 1
const MAC_BYTES = 14
const BODY_BYTES = 1 + FINGERPRINT_LENGTH + SELECTOR_BYTES + VERIFIER_BYTES + 4
const VALUE = /^[A-Za-z0-9_-]{76}$/

/** An id that this deployment minted, with the hash of its verifier. */
export interface GenuineId extends Id {
  /** Of the cookie that brought it, or will. */
  readonly rank: Rank
  readonly hash: Buffer
  /** The record that it led to last, where the store answers the very same object again for as long as that is the same. */
  stored?: Stored | undefined
}

/** What a cookie's value turned out to be. */
export type Opened = { readonly id: GenuineId } | { readonly why: 'malformed' | 'forged' | 'unknown-key' }

/** Writes the value of a cookie. */
export function sealId(keyring: Keyring, rank: Rank, id: Id): string {
  const body = Buffer.alloc(BODY_BYTES)
  body[0] = FORMAT
  body.set(keyring.active.fingerprint, 1)
  body.set(Buffer.from(id.selector, 'base64url'), 1 + FINGERPRINT_LENGTH)
  body.set(id.verifier, 1 + FINGERPRINT_LENGTH + SELECTOR_BYTES)
  body.writeUInt32BE(Math.floor(id.mintedAt / 1000), BODY_BYTES - 4)
  return Buffer.concat([body, mac(keyring.active.keys[rank], fieldsOf(body), MAC_BYTES)]).toString('base64url')
}

/** Reads the value of a cookie. */
export function openId(keyring: Keyring, rank: Rank, value: string): Opened {
  if (!VALUE.test(value)) return { why: 'malformed' }
  const bytes = Buffer.from(value, 'base64url')
  const body = bytes.subarray(0, BODY_BYTES)
  if (body[0] !== FORMAT) return { why: 'malformed' }
  const key = keyring.find(body.subarray(1, 1 + FINGERPRINT_LENGTH))
  if (key === undefined) return { why: 'unknown-key' }
  if (!sameBytes(mac(key.keys[rank], fieldsOf(body), MAC_BYTES), bytes.subarray(BODY_BYTES))) return { why: 'forged' }
  const [, , selector, verifier] = fieldsOf(body)
  return {
    id: {
      rank,
      selector: (selector as Buffer).toString('base64url') as Selector,
      verifier: verifier as Verifier,
      hash: hashVerifier(verifier as Verifier),
      mintedAt: body.readUInt32BE(BODY_BYTES - 4) * 1000,
      stored: undefined,
    },
  }
}

function fieldsOf(body: Buffer): Buffer[] {
  const selector = 1 + FINGERPRINT_LENGTH
  const verifier = selector + SELECTOR_BYTES
  const minted = verifier + VERIFIER_BYTES
  return [
    body.subarray(0, 1),
    body.subarray(1, selector),
    body.subarray(selector, verifier),
    body.subarray(verifier, minted),
    body.subarray(minted),
  ]
}

/** Remembers what genuine values opened to, so that a browser's cookie is verified once and not at each request. */
export class CookieReader {
  readonly #keyring: Keyring
  readonly #most: number
  readonly #opened: Readonly<Record<Rank, Map<string, Opened>>> = { sid: new Map(), gid: new Map(), visit: new Map() }
  readonly #floors = new Map<string, OpenedFloor>()

  constructor(keyring: Keyring, most = 8192) {
    this.#keyring = keyring
    this.#most = most
  }

  open(rank: Rank, value: string): Opened {
    const known = this.#opened[rank].get(value)
    if (known !== undefined) return known
    const opened = openId(this.#keyring, rank, value)
    if ('id' in opened) this.#remember(this.#opened[rank], value, opened)
    return opened
  }

  openFloor(value: string): OpenedFloor {
    const known = this.#floors.get(value)
    if (known !== undefined) return known
    const opened = openFloor(this.#keyring, value)
    if ('floor' in opened) this.#remember(this.#floors, value, opened)
    return opened
  }

  #remember<Value>(map: Map<string, Value>, value: string, opened: Value): void {
    if (map.size >= this.#most) map.delete(map.keys().next().value as string)
    map.set(value, opened)
  }
}

/** How cookies travel: `host` over HTTPS with the `__Host-` prefix, `plain` without, or not at all. */
export type Transport = 'host' | 'plain' | 'none'

/** The names of the cookies of one application, by rank. */
export type CookieNames = Readonly<Record<Rank, string>>

export function cookieNames(name: string, transport: Transport): CookieNames {
  const start = (transport === 'host' ? '__Host-' : '') + (name === '' ? '' : `${name}-`)
  return { sid: `${start}sid`, gid: `${start}gid`, visit: `${start}visit` }
}

const NOTHING: Readonly<Record<Rank, readonly string[]>> = { sid: [], gid: [], visit: [] }

/** The values that a `Cookie` header brings under our names; at most four of each. */
export function readCookies(header: string | undefined, names: CookieNames): Readonly<Record<Rank, readonly string[]>> {
  if (header === undefined) return NOTHING
  let found: Record<Rank, string[]> | undefined
  let start = 0
  while (start < header.length) {
    const semicolon = header.indexOf(';', start)
    const end = semicolon === -1 ? header.length : semicolon
    const equals = header.indexOf('=', start)
    if (equals !== -1 && equals < end) {
      const rank = rankOf(header.slice(start, equals).trim(), names)
      if (rank !== undefined) {
        found ??= { sid: [], gid: [], visit: [] }
        if (found[rank].length < VALUES_MOST) found[rank].push(unquote(header.slice(equals + 1, end).trim()))
      }
    }
    start = end + 1
  }
  return found ?? NOTHING
}

function rankOf(name: string, names: CookieNames): Rank | undefined {
  if (name === names.sid) return 'sid'
  if (name === names.gid) return 'gid'
  return name === names.visit ? 'visit' : undefined
}

function unquote(value: string): string {
  return value.length > 1 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value
}

export type SameSite = 'lax' | 'strict' | 'none'

/** How our cookies are sent. */
export interface CookieStyle {
  readonly secure: boolean
  readonly sameSite: SameSite
}

const SAME_SITE = { lax: 'Lax', strict: 'Strict', none: 'None' } as const

/** One `Set-Cookie` value (RFC 6265bis); without a value it clears the cookie. Our cookies end with the browser's own session. */
export function setCookie(name: string, value: string | undefined, { secure, sameSite }: CookieStyle): string {
  // Browsers drop `None` without `Secure`.
  const sent = sameSite === 'none' && !secure ? 'lax' : sameSite
  const attributes = `; Path=/; HttpOnly; SameSite=${SAME_SITE[sent]}${secure ? '; Secure' : ''}`
  return value === undefined ? `${name}=${attributes}; Max-Age=0` : `${name}=${value}${attributes}`
}

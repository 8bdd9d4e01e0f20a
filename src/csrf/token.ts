/**
 * CSRF tokens: HMAC-signed, bound to a session's lineage, nothing kept on the server (OWASP's signed double
 * submit, with the session where that has a cookie). Every call makes different bytes, tags included, so that a
 * compressed page gives nothing away (BREACH), and two tokens do not show that one visitor made them.
 *
 * Layout: format and flags 1, key fingerprint 4, nonce 9, lineage tag 12, path tag 12 where bound, id of an action cycle
 * 18 where it carries one, MAC 16; in base64url 56, 72, 80 or 96 characters, a multiple of four, so that each token has
 * one spelling.
 *
 * The MAC covers every byte before it and needs no lineage: genuine and ours can be told apart. The lineage tag is a
 * MAC too, over the nonce and the lineage, so nobody without the key can compute or compare one, and a genuine token
 * passes for one given other lineage with a chance of 2^-96, which no number of sessions of one's own improves. The
 * path tag is a plain hash over nonce and path: a path is no secret, and the MAC vouches for it.
 */
import { mac, sha256 } from '../core/hmac.ts'
import { FINGERPRINT_LENGTH, sameBytes, type Key, type Keyring } from '../core/keyring.ts'
import type { RandomSource } from '../core/random.ts'

/** What a token is bound to. It stays from a visitor's first page over renewals; sign-in and sign-out end it. */
export interface Lineage {
  readonly selector: string
  readonly epoch: number
  readonly signedIn: boolean
}

/**
 * What a token is to a request. `'stale'`: genuine, of a visit or guest that this is not, or of before sign-in.
 * `'other-session'`: genuine, made for a signed-in session that this is not. `'wrong-path'`: of this session, bound to
 * another path. `'forged'`: not made by a key of ours, malformed, or made by a key that this server does not know.
 */
export type TokenVerdict = 'valid' | 'stale' | 'other-session' | 'wrong-path' | 'forged'

const FORMAT = 0x10
const PATH_BOUND = 1
const SIGNED_IN = 2
const WITH_CYCLE = 4
const NONCE_AT = 1 + FINGERPRINT_LENGTH
const LINEAGE_AT = NONCE_AT + 9
const TAG_LENGTH = 12
const PATH_AT = LINEAGE_AT + TAG_LENGTH
const MAC_LENGTH = 16
/** Bytes of an action cycle's id. */
export const CYCLE_LENGTH = 18
const SHAPE = /^(?:[\w-]{56}|[\w-]{72}|[\w-]{80}|[\w-]{96})$/

const OF_TOKEN = Buffer.from('token')
const OF_LINEAGE = Buffer.from('lineage')

/** What a token may carry besides its lineage. */
export interface Bound {
  /** As the router sees it, without query: the token serves requests to exactly that path. */
  readonly path?: string | undefined
  /** The id of an action cycle; no secret. */
  readonly cycle?: Uint8Array | undefined
}

/** Makes a token. */
export function makeToken(key: Key, random: RandomSource, lineage: Lineage, { path, cycle }: Bound = {}): string {
  const flags = (path === undefined ? 0 : PATH_BOUND) | (cycle === undefined ? 0 : WITH_CYCLE)
  const end = endOf(flags)
  const bytes = Buffer.allocUnsafe(end + MAC_LENGTH)
  bytes[0] = FORMAT | flags | (lineage.signedIn ? SIGNED_IN : 0)
  bytes.set(key.fingerprint, 1)
  bytes.set(random(LINEAGE_AT - NONCE_AT), NONCE_AT)
  bytes.set(lineageTag(key, bytes, lineage), LINEAGE_AT)
  if (path !== undefined) bytes.set(pathTag(bytes, path), PATH_AT)
  if (cycle !== undefined) bytes.set(cycle, end - CYCLE_LENGTH)
  bytes.set(sealOf(key, bytes.subarray(0, end)), end)
  return bytes.toString('base64url')
}

/**
 * Judges a token against the session and the path of the request that brought it. Without a lineage (nothing of ours
 * came along) none is valid. All comparisons of secret bytes take constant time.
 *
 * A fingerprint that this server does not know is `'forged'`, not something milder: whoever forges may write any
 * fingerprint. While secrets change, add the new one to `verify` everywhere before it signs anywhere.
 */
export function judgeToken(
  keyring: Keyring,
  token: string,
  lineage: Lineage | undefined,
  path: string | undefined,
): TokenVerdict {
  const bytes = decode(token)
  const key = bytes === undefined ? undefined : keyring.find(bytes.subarray(1, NONCE_AT))
  if (bytes === undefined || key === undefined) return 'forged'
  const end = bytes.length - MAC_LENGTH
  if (!sameBytes(sealOf(key, bytes.subarray(0, end)), bytes.subarray(end))) return 'forged'
  const tag = bytes.subarray(LINEAGE_AT, PATH_AT)
  if (lineage === undefined || !sameBytes(lineageTag(key, bytes, lineage), tag))
    return has(bytes, SIGNED_IN) ? 'other-session' : 'stale'
  if (!has(bytes, PATH_BOUND)) return 'valid'
  const own = bytes.subarray(PATH_AT, PATH_AT + TAG_LENGTH)
  return path !== undefined && sameBytes(pathTag(bytes, path), own) ? 'valid' : 'wrong-path'
}

/** The id of the action cycle that a token carries; `undefined` for none. Worth something only once the token was judged. */
export function cycleOf(token: string): Buffer | undefined {
  const bytes = decode(token)
  if (bytes === undefined || !has(bytes, WITH_CYCLE)) return undefined
  const end = bytes.length - MAC_LENGTH
  return bytes.subarray(end - CYCLE_LENGTH, end)
}

function decode(token: string): Buffer | undefined {
  if (!SHAPE.test(token)) return undefined
  const bytes = Buffer.from(token, 'base64url')
  const first = bytes[0] ?? 0
  const known = (first & ~(PATH_BOUND | SIGNED_IN | WITH_CYCLE)) === FORMAT
  return known && bytes.length === endOf(first) + MAC_LENGTH ? bytes : undefined
}

/** Where the MAC begins. */
function endOf(flags: number): number {
  return PATH_AT + (flags & PATH_BOUND ? TAG_LENGTH : 0) + (flags & WITH_CYCLE ? CYCLE_LENGTH : 0)
}

function has(bytes: Buffer, flag: number): boolean {
  return ((bytes[0] ?? 0) & flag) !== 0
}

function sealOf(key: Key, body: Buffer): Buffer {
  return mac(key.keys.csrf, [OF_TOKEN, body], MAC_LENGTH)
}

function lineageTag(key: Key, token: Buffer, lineage: Lineage): Buffer {
  const name = `${lineage.signedIn ? 'user' : 'guest'} ${lineage.epoch} ${lineage.selector}`
  return mac(key.keys.csrf, [OF_LINEAGE, nonceOf(token), nameOf(name)], TAG_LENGTH)
}

function pathTag(token: Buffer, path: string): Buffer {
  return sha256(Buffer.concat([nonceOf(token), nameOf(path)]), TAG_LENGTH)
}

function nonceOf(token: Buffer): Buffer {
  return token.subarray(NONCE_AT, LINEAGE_AT)
}

/** UTF-16, because UTF-8 writes every lone surrogate as the same three bytes. */
function nameOf(text: string): Buffer {
  return Buffer.from(text, 'utf16le')
}

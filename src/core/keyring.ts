/**
 * Secrets, and the keys made from them. Every purpose has a key of its own (HKDF, RFC 5869), so that
 * a value made for one purpose is worth nothing for another. The first secret signs; all verify.
 */
import { createSecretKey, hkdfSync, timingSafeEqual, type KeyObject } from 'node:crypto'

import { OptionsError } from '../errors.ts'
import type { Secret, Secrets } from '../types.ts'
import { MacKey } from './hmac.ts'

const MAC_PURPOSES = ['sid', 'gid', 'visit', 'floor', 'succession', 'csrf', 'adoption'] as const
export type MacPurpose = (typeof MAC_PURPOSES)[number]

/** What keys are made for: MACs, and two ciphers. */
export type Keys = Readonly<Record<MacPurpose, MacKey>> & {
  /** AES-128. */
  readonly selector: KeyObject
  /** AES-256. */
  readonly note: KeyObject
}

/** Bytes of a key's fingerprint, as cookies and tokens carry it. */
export const FINGERPRINT_LENGTH = 4
const SECRET_LEAST = 32

/** One secret with its keys. The fingerprint names it without giving it away. */
export interface Key {
  readonly fingerprint: Buffer
  readonly keys: Keys
}

export interface Keyring {
  /** Signs. */
  readonly active: Key
  /** All that verify, the active one first. */
  readonly all: readonly Key[]
  /** The key with this fingerprint (its first four bytes count). */
  find(fingerprint: Uint8Array): Key | undefined
}

/** Makes the keyring of an application. `name` separates applications that share a secret. */
export function createKeyring(secrets: Secrets, name: string): Keyring {
  const [sign, ...others] = normalise(secrets)
  if (sign === undefined)
    throw new OptionsError('secret', 'secret is an empty list: give at least one secret of 32 bytes or more.')
  const all = distinct([sign, ...others].map((secret) => deriveKey(secret, name)))
  const active = all[0] as Key
  return { active, all, find: (fingerprint) => all.find((key) => begins(fingerprint, key.fingerprint)) }
}

/** Compares in a time that does not tell where the first difference is. */
export function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && timingSafeEqual(left, right)
}

/** The same for short values, in a loop whose length and steps depend on nothing that is compared: a native call takes ten times as long. */
export function sameHash(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false
  let difference = 0
  for (let at = 0; at < left.length; at++) difference |= (left[at] as number) ^ (right[at] as number)
  return difference === 0
}

function normalise(secrets: Secrets): readonly Secret[] {
  if (typeof secrets === 'string' || secrets instanceof Uint8Array) return [secrets]
  if (Array.isArray(secrets)) return secrets as readonly Secret[]
  const apart = secrets as { sign: Secret; verify: readonly Secret[] } | null
  if (typeof apart === 'object' && apart?.sign !== undefined && Array.isArray(apart.verify))
    return [apart.sign, ...(apart.verify as readonly Secret[])]
  throw new OptionsError('secret', 'secret must be a text or bytes, a list of them, or { sign, verify: [] }.')
}

function deriveKey(secret: Secret, name: string): Key {
  const bytes = typeof secret === 'string' ? Buffer.from(secret, 'utf8') : secret
  if (!(bytes instanceof Uint8Array) || bytes.length < SECRET_LEAST) {
    const size = bytes instanceof Uint8Array ? `one of ${bytes.length} bytes` : typeof secret
    throw new OptionsError(
      'secret',
      `secret needs at least ${SECRET_LEAST} bytes each, got ${size}. Make one with: openssl rand -base64 32`,
    )
  }
  const derive = (purpose: string, length: number): Buffer =>
    Buffer.from(hkdfSync('sha256', bytes, '', `holdfast/1 ${purpose} ${name}`, length))
  const macs = MAC_PURPOSES.map((purpose) => [purpose, new MacKey(derive(purpose, 32))] as const)
  const keys = {
    ...(Object.fromEntries(macs) as Record<MacPurpose, MacKey>),
    selector: createSecretKey(derive('selector', 16)),
    note: createSecretKey(derive('note', 32)),
  }
  return { fingerprint: derive('fingerprint', FINGERPRINT_LENGTH), keys }
}

function distinct(keys: readonly Key[]): readonly Key[] {
  return keys.filter((key, at) => keys.findIndex((other) => other.fingerprint.equals(key.fingerprint)) === at)
}

function begins(bytes: Uint8Array, start: Uint8Array): boolean {
  for (let at = 0; at < start.length; at++) if (bytes[at] !== start[at]) return false
  return true
}

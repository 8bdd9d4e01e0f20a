/**
 * Ids. An id is a selector, which names the visit and is its key in the store, and a verifier, which is
 * the secret. The store keeps only a hash of the verifier.
 */
import { createCipheriv, createHash, createHmac } from 'node:crypto'

import { mac, sha256, type MacKey } from './hmac.ts'
import { sameBytes, type Key, type Keyring } from './keyring.ts'
import type { RandomSource } from './random.ts'
import type { Selector } from './store.ts'

export const SELECTOR_BYTES = 18
export const VERIFIER_BYTES = 16
export const NONCE_BYTES = 8
const SELECTOR_FINGERPRINT = 2
const HASH_BYTES = 16

/** The secret of an id: 128 bits. */
export type Verifier = Buffer & { readonly '~verifier': true }

/** What a cookie carries. `mintedAt` in milliseconds, whole seconds. */
export interface Id {
  readonly selector: Selector
  readonly verifier: Verifier
  readonly mintedAt: number
}

/** What makes a selector one of a kind: a lease, the process's nonce (32 bits), and a counter. Lease and counter have 48 bits. */
export interface Place {
  readonly lease: number
  readonly nonce: number
  readonly counter: number
}

/** Enciphers the place under the minting key, with the key's fingerprint before it: one to one, and nothing can be read from it. */
export function selectorAt(key: Key, place: Place): Selector {
  const block = Buffer.alloc(16)
  block.writeUIntBE(place.lease, 0, 6)
  block.writeUInt32BE(place.nonce, 6)
  block.writeUIntBE(place.counter, 10, 6)
  const cipher = createCipheriv('aes-128-ecb', key.keys.selector, null).setAutoPadding(false)
  const bytes = Buffer.concat([key.fingerprint.subarray(0, SELECTOR_FINGERPRINT), cipher.update(block)])
  return bytes.toString('base64url') as Selector
}

/**
 * A selector that follows from what it is for: the same on every server, whichever secret signs there. 144 bits of a
 * SHA-256, so that it meets none that was minted.
 */
export function placeOf(purpose: string, parts: readonly string[]): Selector {
  const hash = createHash('sha256')
  for (const part of [purpose, ...parts]) hash.update(`${Buffer.byteLength(part)}:`).update(part)
  return hash.digest().subarray(0, SELECTOR_BYTES).toString('base64url') as Selector
}

export function selectorBytes(selector: Selector): Buffer {
  return Buffer.from(selector, 'base64url')
}

export function freshVerifier(random: RandomSource): Verifier {
  return random(VERIFIER_BYTES) as Verifier
}

/** What the store keeps of a verifier: 128 bits of its SHA-256. */
export function hashVerifier(verifier: Verifier): Buffer {
  return sha256(verifier, HASH_BYTES)
}

/** The verifier that follows: the same for all who bring the one before, and for nobody who reads the store. */
export function successor(key: MacKey, selector: Selector, verifier: Verifier, nonce: Uint8Array): Verifier {
  return mac(key, [selectorBytes(selector), verifier, nonce], VERIFIER_BYTES) as Verifier
}

/** The successor whose hash is the one that the record keeps, under whichever secret it was made. */
export function findSuccessor(keyring: Keyring, id: Id, nonce: Uint8Array, hash: Uint8Array): Verifier | undefined {
  for (const key of keyring.all) {
    const next = successor(key.keys.succession, id.selector, id.verifier, nonce)
    if (sameBytes(hashVerifier(next), hash)) return next
  }
  return undefined
}

/** The public name of a session: 16 characters from which neither id nor selector can be read. */
export function handleOf(selector: Selector, epoch: number): string {
  return createHmac('sha256', 'holdfast handle')
    .update(`${selector} ${epoch}`)
    .digest()
    .subarray(0, 12)
    .toString('base64url')
}

/** How a record becomes the next one: first stored value, renewal, sign-in. Pure; times in milliseconds. */
import { mayRenew, previousServes, type Timers } from './expiry.ts'
import { sameHash, type Keyring } from './keyring.ts'
import type { LiveRecord } from './live-record.ts'
import type { RandomSource } from './random.ts'
import { findSuccessor, hashVerifier, NONCE_BYTES, successor, type Id, type Verifier } from './session-id.ts'
import type { GenuineId } from './cookie.ts'

/** What succession needs. */
export interface Lineal {
  readonly keyring: Keyring
  readonly random: RandomSource
  readonly settings: { readonly timers: Timers }
}

/** How a presented verifier stands to a record. */
export type Standing = 'current' | 'previous' | 'after-grace' | 'superseded'

export function standingOf(record: LiveRecord, hash: Uint8Array, now: number): Standing {
  if (sameHash(hash, record.hash)) return 'current'
  if (record.previous === undefined || !sameHash(hash, record.previous.hash)) return 'superseded'
  return previousServes(record, now) ? 'previous' : 'after-grace'
}

/**
 * Whether an id that the record does not know comes after it: the store has lost what made it the valid one. Of the ids of a
 * visit none bears an earlier time than the one before it, and who was signed in is no guest again, but in another visit
 * that began later under the same selector. Cookies count in whole seconds.
 */
export function comesAfter({ rank, mintedAt }: GenuineId, { userId, idMintedAt, createdAt }: LiveRecord): boolean {
  if (mintedAt > idMintedAt) return true
  return rank === 'sid' && userId === undefined && mintedAt >= Math.floor(createdAt / 1000) * 1000
}

/** The first record of a visit. An id that the browser already has is followed by its successor; one that it has not is valid itself. */
export function firstRecord(
  lineal: Lineal,
  id: GenuineId,
  known: boolean,
  payload: Uint8Array,
  now: number,
): LiveRecord {
  const begun = {
    counter: 0,
    userId: undefined,
    epoch: 0,
    createdAt: now,
    idMintedAt: now,
    signedInAt: undefined,
    sparedAt: undefined,
    payload,
  }
  if (!known) return { ...begun, hash: id.hash, previous: undefined }
  return { ...begun, ...succession(lineal, id) }
}

/** The record with its id renewed; the same record where the id is too young for that, or the one before it still serves. */
export function renewed(lineal: Lineal, record: LiveRecord, id: GenuineId, now: number): LiveRecord {
  if (!sameHash(id.hash, record.hash) || !mayRenew(record, lineal.settings.timers, now)) return record
  return { ...record, ...succession(lineal, id), idMintedAt: mintingTime(record, now) }
}

function succession({ keyring, random }: Lineal, id: Id): Pick<LiveRecord, 'hash' | 'previous'> {
  const nonce = random(NONCE_BYTES)
  const next = successor(keyring.active.keys.succession, id.selector, id.verifier, nonce)
  return { hash: hashVerifier(next), previous: { hash: hashVerifier(id.verifier), nonce, graceEnds: undefined } }
}

/** The record with a fresh id that nothing leads to from the one before: sign-in, or a rise in privilege. */
export function raised(record: LiveRecord, verifier: Verifier, now: number): LiveRecord {
  return {
    ...record,
    hash: hashVerifier(verifier),
    previous: undefined,
    epoch: record.epoch + 1,
    idMintedAt: mintingTime(record, now),
  }
}

/** The record with the grace of its previous id begun, because the new one has been presented. */
export function graceBegun(record: LiveRecord, timers: Timers, now: number): LiveRecord {
  if (record.previous === undefined || record.previous.graceEnds !== undefined) return record
  return { ...record, previous: { ...record.previous, graceEnds: now + timers.grace } }
}

/** The verifier that is valid for the record, as far as the holder of `id` may know it. */
export function validVerifier(keyring: Keyring, record: LiveRecord, id: GenuineId): Verifier | undefined {
  if (sameHash(id.hash, record.hash)) return id.verifier
  if (record.previous === undefined || !sameHash(id.hash, record.previous.hash)) return undefined
  return findSuccessor(keyring, id, record.previous.nonce, record.hash)
}

/**
 * In whole seconds of the visit; in no earlier second of the clock than the id that it follows, though a clock be put back:
 * that is what cookies count in.
 */
function mintingTime({ createdAt, idMintedAt }: LiveRecord, now: number): number {
  const followed = Math.floor(idMintedAt / 1000) * 1000
  const seconds = Math.max(Math.ceil((followed - createdAt) / 1000), Math.floor((now - createdAt) / 1000))
  return createdAt + seconds * 1000
}

/**
 * Names of a cycle. Its id is public: it says when the cycle began, how long it lives, and whether it was stored from
 * its beginning on; and it has a tag, so that nobody can make one up and a cycle of another session or kind is told
 * apart without a look into the store. Its key in the store is a hash of the id and of what it is bound to.
 */
import { createHash } from 'node:crypto'

import { mac } from '../core/hmac.ts'
import { sameBytes, type Key, type Keyring } from '../core/keyring.ts'
import type { RandomSource } from '../core/random.ts'
import type { Selector } from '../core/store.ts'
import { CYCLE_LENGTH, type Lineage } from '../csrf/token.ts'

/** The bytes of a cycle's id: flags 1, when it began 4 and its lifetime 4 (seconds), random 5, tag 4. */
export type CycleId = Buffer & { readonly '~cycle': true }

/** What cycles of one kind and session are bound to, as one text. */
export type Owner = string & { readonly '~owner': true }

const STORED = 1
const LIFETIME_AT = 5
const RANDOM_AT = 9
const TAG_LENGTH = 4
const TAG_AT: number = CYCLE_LENGTH - TAG_LENGTH
const SHAPE = /^[\w-]{24}$/
const KEY_BYTES = 18
const OF_CYCLE = Buffer.from('cycle')

/** `application`: its name among those that share a store. `kind`: the name of the cycle's kind. */
export function ownerOf(application: string, kind: string, { selector, epoch, signedIn }: Lineage): Owner {
  return JSON.stringify([application, kind, selector, epoch, signedIn]) as Owner
}

/** What an id is made of; times in milliseconds. `stored`: the cycle has a state from its beginning on. */
export interface Beginning {
  readonly now: number
  readonly lifetime: number
  readonly stored: boolean
}

export function mintId(key: Key, random: RandomSource, owner: Owner, { now, lifetime, stored }: Beginning): CycleId {
  const bytes = Buffer.alloc(CYCLE_LENGTH)
  bytes[0] = stored ? STORED : 0
  bytes.writeUInt32BE(Math.floor(now / 1000), 1)
  bytes.writeUInt32BE(Math.ceil(lifetime / 1000), LIFETIME_AT)
  bytes.set(random(TAG_AT - RANDOM_AT), RANDOM_AT)
  bytes.set(tagOf(key, owner, bytes), TAG_AT)
  return bytes as CycleId
}

/** Whether the bytes are an id that was made under a key of ours, for this owner. */
export function isGenuine(keyring: Keyring, owner: Owner, bytes: Buffer): bytes is CycleId {
  return (
    bytes.length === CYCLE_LENGTH &&
    keyring.all.some((key) => sameBytes(tagOf(key, owner, bytes), bytes.subarray(TAG_AT)))
  )
}

/** Reads what has the form of an id, as URLs carry it. */
export function parseId(text: string): Buffer | undefined {
  return SHAPE.test(text) ? Buffer.from(text, 'base64url') : undefined
}

export function wasStored(id: CycleId): boolean {
  return ((id[0] ?? 0) & STORED) !== 0
}

/** When it began, in milliseconds; whole seconds. */
export function begunAt(id: CycleId): number {
  return id.readUInt32BE(1) * 1000
}

/** Milliseconds from its beginning to its end; whole seconds. Part of the id, so that it stays what it was for all servers. */
export function lifetimeOf(id: CycleId): number {
  return id.readUInt32BE(LIFETIME_AT) * 1000
}

/** Where a cycle is in the store. */
export function keyOf(owner: Owner, id: CycleId): Selector {
  return hashOf('cycle', owner, id).toString('base64url') as Selector
}

/** Under which name the store has the index of the open cycles. No user id begins with this sign. */
export function indexOf(owner: Owner): string {
  return `\0${hashOf('open cycles', owner).toString('base64url')}`
}

/** Names the one effect of a cycle; the same on every server and over every retry. */
export function idempotencyKeyOf(owner: Owner, id: CycleId): string {
  return hashOf('effect', owner, id).toString('base64url')
}

function tagOf(key: Key, owner: Owner, bytes: Buffer): Buffer {
  return mac(key.keys.csrf, [OF_CYCLE, Buffer.from(owner), bytes.subarray(0, TAG_AT)], TAG_LENGTH)
}

function hashOf(purpose: string, owner: Owner, id?: CycleId): Buffer {
  const hash = createHash('sha256').update(`${purpose} ${owner}`)
  if (id !== undefined) hash.update(id)
  return hash.digest().subarray(0, KEY_BYTES)
}

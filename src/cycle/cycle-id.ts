/**
 * Names of a cycle. Its id is public: it says when the cycle began, and whether it was stored then. Its key in the store
 * is a hash of the id together with what it is bound to, so that the same id leads nowhere in another session.
 */
import { createHash } from 'node:crypto'

import type { RandomSource } from '../core/random.ts'
import type { Selector } from '../core/store.ts'
import { CYCLE_LENGTH, type Lineage } from '../csrf/token.ts'

/** The bytes of a cycle's id: flags 1, when it began 4 (seconds), random 13. */
export type CycleId = Buffer & { readonly '~cycle': true }

const STORED = 1
const SHAPE = /^[\w-]{24}$/
const KEY_BYTES = 18

/** `stored`: the cycle has a state from its beginning on, which is in the store. */
export function mintId(random: RandomSource, now: number, stored: boolean): CycleId {
  const bytes = Buffer.alloc(CYCLE_LENGTH)
  bytes[0] = stored ? STORED : 0
  bytes.writeUInt32BE(Math.floor(now / 1000), 1)
  bytes.set(random(CYCLE_LENGTH - 5), 5)
  return bytes as CycleId
}

/** Reads an id as URLs carry it. */
export function parseId(text: string): CycleId | undefined {
  return SHAPE.test(text) ? (Buffer.from(text, 'base64url') as CycleId) : undefined
}

export function wasStored(id: CycleId): boolean {
  return ((id[0] ?? 0) & STORED) !== 0
}

/** When it began, in milliseconds; whole seconds. */
export function begunAt(id: CycleId): number {
  return id.readUInt32BE(1) * 1000
}

/** What cycles of one kind and session have in common. */
export interface Realm {
  /** The name of the application among those that share a store. */
  readonly application: string
  /** The name of the cycle's kind. */
  readonly kind: string
  readonly lineage: Lineage
}

/** Where a cycle is in the store. */
export function keyOf(realm: Realm, id: CycleId): Selector {
  return hashOf('cycle', realm, id).toString('base64url') as Selector
}

/** Under which name the store has the index of the open cycles. No user id begins with this sign. */
export function indexOf(realm: Realm): string {
  return `\0${hashOf('open cycles', realm).toString('base64url')}`
}

/** Names the one effect of a cycle; the same on every server and over every retry. */
export function idempotencyKeyOf(realm: Realm, id: CycleId): string {
  return hashOf('effect', realm, id).toString('base64url')
}

function hashOf(purpose: string, { application, kind, lineage }: Realm, id?: CycleId): Buffer {
  const { selector, epoch, signedIn } = lineage
  const name = JSON.stringify([purpose, application, kind, selector, epoch, signedIn])
  const hash = createHash('sha256').update(name)
  if (id !== undefined) hash.update(id)
  return hash.digest().subarray(0, KEY_BYTES)
}

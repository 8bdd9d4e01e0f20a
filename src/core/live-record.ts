/**
 * Live records, whole. After kind, version and user (see `record.ts`) come: a number of epoch and flags,
 * the hash of the valid verifier, the times, and where there was one before, its hash, the nonce of its
 * succession and the end of its grace; then the encoded data. Numbers are varints (LEB128); times count
 * in milliseconds from when the visit was created, that of the id in seconds.
 */
import { counterOf, KIND_LIVE, USER_OFFSET, VERSION_OFFSET } from './record.ts'
import { NONCE_BYTES } from './session-id.ts'
import type { RecordBytes } from './store.ts'

/** The verifier before the valid one. `graceEnds` is `undefined` until the new id was first presented. */
export interface Previous {
  readonly hash: Uint8Array
  readonly nonce: Uint8Array
  readonly graceEnds: number | undefined
}

/** A live record. Times in milliseconds of the store's clock. */
export interface LiveRecord {
  /** Counts the replacements, from 1. */
  readonly counter: number
  readonly userId: string | undefined
  readonly epoch: number
  readonly hash: Uint8Array
  readonly createdAt: number
  /** When the valid id was minted; whole seconds after `createdAt`. */
  readonly idMintedAt: number
  readonly signedInAt: number | undefined
  /** A revocation of the user's sessions up to this moment has spared this one. */
  readonly sparedAt: number | undefined
  readonly previous: Previous | undefined
  /** The encoded data. */
  readonly payload: Uint8Array
}

const HASH_BYTES = 16
const HAS_PREVIOUS = 1
const GRACE_RUNS = 2
const SPARED = 4
/** What the flags take up below the epoch. */
const FLAG_BITS = 8
const COUNTER_LIMIT = 2 ** 32

/** The record's bytes, with `stamp` (32 random bits) as its writer's mark. */
export function encodeRecord(record: LiveRecord, stamp: Uint8Array): RecordBytes {
  const user = record.userId === undefined ? Buffer.alloc(0) : Buffer.from(record.userId, 'utf8')
  const head = Buffer.alloc(USER_OFFSET + 1)
  head[0] = KIND_LIVE
  head.writeUInt32BE(record.counter % COUNTER_LIMIT, VERSION_OFFSET)
  head.set(stamp.subarray(0, 4), VERSION_OFFSET + 4)
  head[USER_OFFSET] = user.length
  return Buffer.concat([head, user, ownPart(record), record.payload])
}

function ownPart(record: LiveRecord): Buffer {
  const { previous, createdAt } = record
  const flags = flagsOf(record)
  const bytes: number[] = []
  pushNumber(bytes, record.epoch * FLAG_BITS + flags)
  bytes.push(...record.hash)
  pushNumber(bytes, createdAt)
  pushNumber(bytes, Math.max(0, Math.round((record.idMintedAt - createdAt) / 1000)))
  if (record.userId !== undefined) pushNumber(bytes, Math.max(0, (record.signedInAt ?? createdAt) - createdAt))
  if (record.sparedAt !== undefined) pushNumber(bytes, Math.max(0, record.sparedAt - createdAt))
  if (previous !== undefined) {
    bytes.push(...previous.hash, ...previous.nonce)
    if (previous.graceEnds !== undefined) pushNumber(bytes, Math.max(0, Math.round(previous.graceEnds - createdAt)))
  }
  return Buffer.from(bytes)
}

function flagsOf({ previous, sparedAt }: LiveRecord): number {
  const spared = sparedAt === undefined ? 0 : SPARED
  if (previous === undefined) return spared
  return spared | HAS_PREVIOUS | (previous.graceEnds === undefined ? 0 : GRACE_RUNS)
}

/** Reads a record. `undefined` for what this version of Holdfast cannot read: garbage, a newer format. */
export function decodeRecord(bytes: RecordBytes): LiveRecord | undefined {
  if (bytes[0] !== KIND_LIVE || bytes.length <= USER_OFFSET) return undefined
  const reader = new Reader(bytes, USER_OFFSET)
  const userId = reader.text(reader.byte())
  const mark = reader.number()
  const hash = reader.bytes(HASH_BYTES)
  const createdAt = reader.number()
  const idMintedAt = createdAt + reader.number() * 1000
  const signedInAt = userId === '' ? undefined : createdAt + reader.number()
  const sparedAt = (mark & SPARED) === 0 ? undefined : createdAt + reader.number()
  const previous = (mark & HAS_PREVIOUS) === 0 ? undefined : readPrevious(reader, createdAt, (mark & GRACE_RUNS) !== 0)
  if (reader.failed) return undefined
  return {
    counter: counterOf(bytes),
    userId: userId === '' ? undefined : userId,
    epoch: Math.floor(mark / FLAG_BITS),
    hash,
    createdAt,
    idMintedAt,
    signedInAt,
    sparedAt,
    previous,
    payload: reader.rest(),
  }
}

function readPrevious(reader: Reader, createdAt: number, graceRuns: boolean): Previous {
  const hash = reader.bytes(HASH_BYTES)
  const nonce = reader.bytes(NONCE_BYTES)
  return { hash, nonce, graceEnds: graceRuns ? createdAt + reader.number() : undefined }
}

function pushNumber(bytes: number[], value: number): void {
  let rest = Math.floor(value)
  while (rest > 127) {
    bytes.push((rest % 128) | 128)
    rest = Math.floor(rest / 128)
  }
  bytes.push(rest)
}

/** Reads forward; past the end it answers zeros and remembers that it failed. */
class Reader {
  failed = false
  readonly #bytes: Uint8Array
  #at: number

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes
    this.#at = at
  }

  byte(): number {
    const value = this.#bytes[this.#at++]
    if (value === undefined) this.failed = true
    return value ?? 0
  }

  number(): number {
    let value = 0
    for (let scale = 1; scale < 2 ** 53; scale *= 128) {
      const byte = this.byte()
      value += (byte & 127) * scale
      if (byte < 128) break
    }
    if (!Number.isSafeInteger(value)) this.failed = true
    return value
  }

  bytes(length: number): Uint8Array {
    const end = this.#at + length
    if (end > this.#bytes.length) this.failed = true
    const found = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return found
  }

  text(length: number): string {
    if (length === 0) return ''
    const start = this.#at
    const found = this.bytes(length)
    if (Buffer.isBuffer(this.#bytes)) return this.#bytes.toString('utf8', start, start + length)
    return Buffer.from(found.buffer, found.byteOffset, found.length).toString('utf8')
  }

  rest(): Uint8Array {
    return this.#bytes.subarray(this.#at)
  }
}

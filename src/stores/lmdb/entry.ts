/**
 * How an entry stands in the LMDB file. One table holds every kind of entry under keys that begin with a
 * letter; another, ordered, holds a time for each entry that expires, for the sweeper:
 *
 * | table | key | value |
 * |---|---|---|
 * | `entries` | `r` selector, `u` user, `l` lease … | expiry (8 bytes), time in the index (8 bytes), payload |
 * | `expiry` | time (8 bytes), key of the entry | one byte |
 *
 * The time in the index is never after the expiry, but may be before it: a touch moves the expiry only, and
 * the sweeper puts the index right when it comes by. Times are milliseconds of the machine's clock; numbers
 * are big-endian floats, which for times order as they count.
 */

/** What is kept under a key. */
export interface Entry {
  /** Counts up with every write to the key; what a write is conditional on. */
  readonly version: number
  /** When it counts as absent; `Infinity`: never. */
  readonly expires: number
  /** Its time in the expiry index, at or before `expires`; `Infinity`: it is not there. */
  readonly indexed: number
  readonly payload: Uint8Array
}

/** Where the payload begins. */
export const HEADER = 16

export function encodeEntry(expires: number, indexed: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER + payload.length)
  const view = new DataView(bytes.buffer)
  view.setFloat64(0, expires)
  view.setFloat64(8, indexed)
  bytes.set(payload, HEADER)
  return bytes
}

/** Reads an entry; its payload is a copy. */
export function decodeEntry(bytes: Uint8Array, version: number): Entry {
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER)
  const payload = new Uint8Array(bytes.length - HEADER)
  payload.set(bytes.subarray(HEADER, bytes.length))
  return { version, expires: view.getFloat64(0), indexed: view.getFloat64(8), payload }
}

/** The key of a visit's record. */
export function recordKey(selector: string): string {
  return `r${selector}`
}

/** A key of the expiry index. */
export function indexKey(time: number, key: string): Buffer {
  const bytes = Buffer.allocUnsafe(8 + Buffer.byteLength(key))
  bytes.writeDoubleBE(time)
  bytes.write(key, 8)
  return bytes
}

export function decodeIndexKey(bytes: Buffer): { time: number; key: string } {
  return { time: bytes.readDoubleBE(), key: bytes.toString('utf8', 8) }
}

/**
 * SHA-256 and HMAC-SHA256 (RFC 2104) of short messages. `createHmac` sets up a context for each message, which takes
 * three times as long as the two hashes that an HMAC is. And a digest comes from OpenSSL as text of one character for
 * each byte, because a Buffer from there takes longer than its hash.
 */
import { hash } from 'node:crypto'

const BLOCK_BYTES = 64
const DIGEST_BYTES = 32
/** By what the two copies of a key differ. */
const INNER_PAD = 0x36
const OUTER_PAD = 0x5c

/** A key for `mac`. What it holds is as secret as the key; nothing prints it. */
export class MacKey {
  readonly #inner = Buffer.allocUnsafeSlow(BLOCK_BYTES)
  readonly #outer = Buffer.allocUnsafeSlow(BLOCK_BYTES)

  /** Of at most 64 bytes. */
  constructor(bytes: Uint8Array) {
    if (bytes.length > BLOCK_BYTES) throw new RangeError(`A key has at most ${BLOCK_BYTES} bytes, not ${bytes.length}.`)
    for (let at = 0; at < BLOCK_BYTES; at++) {
      const byte = bytes[at] ?? 0
      this.#inner[at] = byte ^ INNER_PAD
      this.#outer[at] = byte ^ OUTER_PAD
    }
  }

  /** The HMAC of what is in `message` after the room for a block. */
  digest(message: Buffer): string {
    message.set(this.#inner)
    OUTER.set(this.#outer)
    OUTER.write(hash('sha256', message, 'binary'), BLOCK_BYTES, 'latin1')
    return hash('sha256', OUTER, 'binary')
  }
}

/** Where messages are put together. In one piece, because it saves a call for each part. */
const DESK = Buffer.allocUnsafeSlow(1_024)
const OUTER = Buffer.allocUnsafeSlow(BLOCK_BYTES + DIGEST_BYTES)

/**
 * HMAC-SHA256 over the parts, each with its length before it, so that no two lists of parts are one message.
 * The first `length` bytes of it.
 */
export function mac(key: MacKey, parts: readonly Uint8Array[], length: number = DIGEST_BYTES): Buffer {
  let size = BLOCK_BYTES
  for (const part of parts) size += 4 + part.length
  const message = size <= DESK.length ? DESK : Buffer.allocUnsafeSlow(size)
  let at = BLOCK_BYTES
  for (const part of parts) {
    message.writeUInt32BE(part.length, at)
    message.set(part, at + 4)
    at += 4 + part.length
  }
  return Buffer.from(key.digest(message.subarray(0, size)).slice(0, length), 'latin1')
}

/** The first `length` bytes of the SHA-256. */
export function sha256(message: Uint8Array, length: number = DIGEST_BYTES): Buffer {
  return Buffer.from(hash('sha256', message, 'binary').slice(0, length), 'latin1')
}

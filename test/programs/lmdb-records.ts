/** Records and randomness for the tests of the LMDB store. */
import { createHash } from 'node:crypto'

/** A live record of about that size, of a guest; the write's number is its version and fills it. */
export function record(write: number, size: number, stamp = 0): Uint8Array {
  const bytes = Buffer.alloc(10 + size, write % 256)
  bytes[0] = 1
  bytes.writeUInt32BE(write, 1)
  bytes.writeUInt32BE(stamp, 5)
  bytes[9] = 0
  return bytes
}

/** The number of the write that a record comes from; refuses a record that is of two writes. */
export function writeOf(bytes: Uint8Array): number {
  const write = Buffer.from(bytes).readUInt32BE(1)
  const body = bytes.subarray(10)
  if (!body.every((byte) => byte === write % 256))
    throw new Error(`a record is torn: ${Buffer.from(bytes).toString('hex')}`)
  return write
}

/** Bytes that look random and are the same for the same seed. */
export function randomBytesFrom(seed: number, length: number): Buffer {
  const blocks = Array.from({ length: Math.ceil(length / 32) }, (_, block) =>
    createHash('sha256').update(`${seed} ${block}`).digest(),
  )
  return Buffer.concat(blocks).subarray(0, length)
}

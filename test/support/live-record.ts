/** A live record of a guest, in this version and of about this size. */
import { encodeRecord } from '../../src/core/live-record.ts'
import type { RecordBytes } from '../../src/core/store.ts'

export function liveRecord(counter: number, size = 100): RecordBytes {
  const times = { createdAt: 1_000_000, idMintedAt: 1_000_000, signedInAt: undefined, sparedAt: undefined }
  const record = { ...times, counter, userId: undefined, epoch: 0, hash: Buffer.alloc(16, 7), previous: undefined }
  return encodeRecord({ ...record, payload: Buffer.alloc(size, 32) }, Buffer.alloc(4, counter))
}

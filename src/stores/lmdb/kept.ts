/**
 * Payloads that were read lately, so that reading one again, unchanged, makes no other copy. LMDB is asked all the
 * same: what is kept counts only while the entry has the very version that it was copied from.
 */
import { BoundedMap } from '../../core/bounded-map.ts'

/** Bytes of payloads that are kept. */
const BYTES_MOST = 8 * 1024 * 1024
/** What an entry costs besides its payload, about. */
const OVERHEAD = 200

interface Kept {
  readonly version: number
  readonly payload: Uint8Array
}

export class KeptPayloads {
  readonly #kept = new BoundedMap<string, Kept>(BYTES_MOST, ({ payload }) => payload.length + OVERHEAD)

  /** The payload of exactly this version. */
  of(key: string, version: number): Uint8Array | undefined {
    const kept = this.#kept.get(key)
    return kept?.version === version ? kept.payload : undefined
  }

  keep(key: string, version: number, payload: Uint8Array): void {
    this.#kept.set(key, { version, payload })
  }
}

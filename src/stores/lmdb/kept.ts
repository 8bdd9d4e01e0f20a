/**
 * Payloads that were read lately, so that reading one again, unchanged, makes no other copy. LMDB is asked all the
 * same: what is kept counts only while the entry has the very version that it was copied from.
 */

/** Bytes of payloads that are kept. */
const BYTES_MOST = 8 * 1024 * 1024
/** What an entry costs besides its payload, about. */
const OVERHEAD = 200

interface Kept {
  readonly version: number
  readonly payload: Uint8Array
}

export class KeptPayloads {
  readonly #kept = new Map<string, Kept>()
  #bytes = 0

  /** The payload of exactly this version. */
  of(key: string, version: number): Uint8Array | undefined {
    const kept = this.#kept.get(key)
    return kept?.version === version ? kept.payload : undefined
  }

  keep(key: string, version: number, payload: Uint8Array): void {
    const before = this.#kept.get(key)
    if (before !== undefined) this.#drop(key, before)
    this.#kept.set(key, { version, payload })
    this.#bytes += payload.length + OVERHEAD
    for (const [oldest, kept] of this.#kept) {
      if (this.#bytes <= BYTES_MOST) break
      this.#drop(oldest, kept)
    }
  }

  #drop(key: string, { payload }: Kept): void {
    this.#kept.delete(key)
    this.#bytes -= payload.length + OVERHEAD
  }
}

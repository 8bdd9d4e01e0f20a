/**
 * Records that were read lately, so that reading one again, unchanged, makes no other copy. LMDB is asked all the
 * same: what is kept counts only while the entry has the very version that it was copied from.
 */
import { BoundedMap } from '../../core/bounded-map.ts'
import type { Entry } from './entry.ts'

/** Bytes of records that are kept. */
const BYTES_MOST = 8 * 1024 * 1024
/** What an entry costs besides its record, about. */
const OVERHEAD = 300

/** A class, and flat, so that a look at it is a look at one place in memory. */
export class Kept {
  /** The entry's key, which need not be put together again. */
  readonly key: string
  readonly version: number
  readonly expires: number
  readonly payload: Uint8Array

  constructor(key: string, { version, expires, payload }: Entry) {
    this.key = key
    this.version = version
    this.expires = expires
    this.payload = payload
  }
}

export class KeptEntries {
  readonly #kept = new BoundedMap<string, Kept>(BYTES_MOST, ({ payload }) => payload.length + OVERHEAD)

  /** What is kept of a visit's record, in whichever version. */
  of(selector: string): Kept | undefined {
    return this.#kept.get(selector)
  }

  keep(selector: string, key: string, entry: Entry): Kept {
    const kept = new Kept(key, entry)
    this.#kept.set(selector, kept)
    return kept
  }
}

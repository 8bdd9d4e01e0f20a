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

/** More than a small integer takes has a place of its own in memory, and who serves many visitors waits for each of those. */
const SMALL = 2 ** 31

export class Kept {
  /** The entry's key, which need not be put together again. */
  readonly key: string
  readonly payload: Uint8Array
  readonly expires: number
  readonly #version: number
  readonly #versions: number
  readonly #expiresSecond: number

  constructor(key: string, { version, expires, payload }: Entry) {
    this.key = key
    this.payload = payload
    this.expires = expires
    this.#version = version % SMALL
    this.#versions = Math.floor(version / SMALL)
    this.#expiresSecond = Math.floor(expires / 1000)
  }

  isOf(version: number): boolean {
    return version % SMALL === this.#version && Math.floor(version / SMALL) === this.#versions
  }

  isOver(now: number): boolean {
    return Math.floor(now / 1000) >= this.#expiresSecond && now >= this.expires
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

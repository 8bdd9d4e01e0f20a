/**
 * What was made of the records that a store answered lately. Of use where a store answers the very same object for as long
 * as a value is the same one (`Store.steady`): then nothing of it has to be read again.
 */
import { BoundedMap } from './bounded-map.ts'
import { standingOf, type Standing, type Stored } from './commits.ts'
import type { RecordBytes, Selector } from './store.ts'

/** Bytes of the records that are kept here, beside what the store keeps. */
const BYTES_MOST = 8 * 1024 * 1024
/** What a record costs besides its bytes, about. */
const OVERHEAD = 500

export class Standings {
  readonly #known = new BoundedMap<Selector, Stored>(BYTES_MOST, ({ bytes }) => bytes.length + OVERHEAD)

  /** As `standingOf`, of what the store answered for this selector. */
  of(selector: Selector, bytes: RecordBytes | undefined): Standing {
    const known = this.#known.get(selector)
    if (known !== undefined && known.bytes === bytes) return known
    const standing = standingOf(bytes)
    if ('gone' in standing) this.#known.delete(selector)
    else this.#known.set(selector, standing)
    return standing
  }
}

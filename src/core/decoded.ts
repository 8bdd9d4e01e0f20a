/**
 * What payloads decode to, kept for sessions that this process reads again and again. The store is read all the
 * same, and what it answered is compared byte for byte: this saves the parsing, not the trip.
 */
import { decode } from './codec.ts'
import type { Selector } from './store.ts'

const PAYLOAD_MOST = 4_096
/** Bytes of encoded payloads that are kept; decoded they take a few times as much. */
const BYTES_MOST = 2_097_152

interface Entry {
  readonly payload: Uint8Array
  readonly data: object
}

export class DecodedPayloads {
  readonly #entries = new Map<Selector, Entry>()
  #bytes = 0

  /** The data of the payload, for comparing and copying only: others read the same. Not frozen, because V8 copies frozen objects slowly. Throws `DataError`. */
  of(selector: Selector, payload: Uint8Array): object {
    const known = this.#entries.get(selector)
    if (known !== undefined && Buffer.compare(known.payload, payload) === 0) return known.data
    const data = decode(payload)
    if (known !== undefined) this.#drop(selector, known)
    if (payload.length <= PAYLOAD_MOST) this.#keep(selector, { payload: Uint8Array.from(payload), data })
    return data
  }

  #keep(selector: Selector, entry: Entry): void {
    for (const [oldest, dropped] of this.#entries) {
      if (this.#bytes + entry.payload.length <= BYTES_MOST) break
      this.#drop(oldest, dropped)
    }
    this.#entries.set(selector, entry)
    this.#bytes += entry.payload.length
  }

  #drop(selector: Selector, entry: Entry): void {
    this.#entries.delete(selector)
    this.#bytes -= entry.payload.length
  }
}

/**
 * What payloads decode to, kept for sessions that this process reads again and again. The store is read all the
 * same, and what it answered is compared byte for byte: this saves the parsing, not the trip.
 */
import { BoundedMap } from './bounded-map.ts'
import { decode } from './codec.ts'
import type { Selector } from './store.ts'

const PAYLOAD_MOST = 4_096
/** Bytes of encoded payloads that are kept; decoded they take a few times as much. */
const BYTES_MOST = 2_097_152

interface Entry {
  readonly payload: Uint8Array
  readonly data: object
  /** The payload as it was asked about last: the very same object has the same bytes. */
  last: Uint8Array
}

export class DecodedPayloads {
  readonly #entries = new BoundedMap<Selector, Entry>(BYTES_MOST, ({ payload }) => payload.length)

  /** The data of the payload, for comparing and copying only: others read the same. Not frozen, because V8 copies frozen objects slowly. Throws `DataError`. */
  of(selector: Selector, payload: Uint8Array): object {
    const known = this.#entries.get(selector)
    if (known?.last === payload) return known.data
    if (known !== undefined && Buffer.compare(known.payload, payload) === 0) {
      if (payload.buffer.byteLength <= PAYLOAD_MOST) known.last = payload
      return known.data
    }
    const data = decode(payload)
    if (payload.length <= PAYLOAD_MOST) {
      const copy = Uint8Array.from(payload)
      this.#entries.set(selector, { payload: copy, data, last: copy })
    } else this.#entries.delete(selector)
    return data
  }
}

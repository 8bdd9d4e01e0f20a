/**
 * What payloads decode to, kept for sessions that this process reads again and again. The store is read all the
 * same, and what it answered is compared byte for byte: this saves the parsing, not the trip.
 */
import { BoundedMap } from './bounded-map.ts'
import { decode } from './codec.ts'
import { Mould } from './mould.ts'
import type { Selector } from './store.ts'

const PAYLOAD_MOST = 4_096
/** Bytes of what is kept. */
const BYTES_MOST = 16 * 1024 * 1024
/** What an entry costs, about: so many times its payload, as data and as a mould of them, and so much besides. */
const TIMES = 12
const OVERHEAD = 500

/** A payload with its data. */
export class Decoded {
  readonly payload: Uint8Array
  /** For comparing and copying only: others read the same. Not frozen, because V8 copies frozen objects slowly. `undefined` once there was no more room for them. */
  data: object | undefined
  #mould: Mould | undefined
  #asked: 'never' | 'once' | 'again' = 'never'

  constructor(payload: Uint8Array, data: object) {
    this.payload = payload
    this.data = data
  }

  /** What requests get their copies of the data from, where there is one: not for the first, which may be the last. */
  get mould(): Mould | undefined {
    if (this.#asked === 'once' && this.data !== undefined) this.#mould = Mould.of(this.data)
    this.#asked = this.#asked === 'never' ? 'once' : 'again'
    return this.#mould
  }

  forget(): void {
    this.data = undefined
    this.#mould = undefined
  }
}

export class DecodedPayloads {
  // What is held by others, too, is to give its room back.
  readonly #entries = new BoundedMap<Selector, Decoded>(
    BYTES_MOST,
    ({ payload }) => payload.length * TIMES + OVERHEAD,
    (dropped) => dropped.forget(),
  )

  /** The payload, decoded; `undefined` where that is too large to be kept. Throws `DataError`. */
  of(selector: Selector, payload: Uint8Array): Decoded | undefined {
    const known = this.#entries.get(selector)
    if (known !== undefined && Buffer.compare(known.payload, payload) === 0) return known
    this.#entries.delete(selector)
    if (payload.length > PAYLOAD_MOST) return undefined
    const copy = Uint8Array.from(payload)
    const decoded = new Decoded(copy, decode(copy))
    this.#entries.set(selector, decoded)
    return decoded
  }
}

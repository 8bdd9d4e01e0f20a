/**
 * What payloads decode to, kept for sessions that this process reads again and again. The store is read all the
 * same, and what it answered is compared byte for byte: this saves the parsing, not the trip.
 */
import { BoundedMap } from './bounded-map.ts'
import { Mould } from './mould.ts'
import type { Selector } from './store.ts'

const PAYLOAD_MOST = 4_096
/** Bytes of what is kept, where nothing else is said. */
const BYTES_MOST = 16 * 1024 * 1024
const FORGOTTEN = new Uint8Array()
/** What an entry costs, about: so many times its payload, as data and as a mould of them, and so much besides. */
const TIMES = 12
const OVERHEAD = 500

/** A payload with its data. */
export class Decoded {
  payload: Uint8Array
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
    this.payload = FORGOTTEN
    this.data = undefined
    this.#mould = undefined
  }
}

export class DecodedPayloads {
  // What is held by others, too, is to give its room back.
  readonly #entries: BoundedMap<Selector, Decoded>

  readonly #decode: (payload: Uint8Array) => object

  /** `read`: decodes a payload. */
  constructor(read: (payload: Uint8Array) => object, bytesMost: number = BYTES_MOST) {
    this.#decode = read
    const bytesOf = ({ payload }: Decoded): number => payload.length * TIMES + OVERHEAD
    this.#entries = new BoundedMap(bytesMost, bytesOf, (dropped) => dropped.forget())
  }

  /** The payload, decoded; `undefined` where that is too large to be kept. Throws what decoding throws. */
  of(selector: Selector, payload: Uint8Array): Decoded | undefined {
    const known = this.#entries.get(selector)
    if (known !== undefined && Buffer.compare(known.payload, payload) === 0) return known
    this.#entries.delete(selector)
    if (payload.length > PAYLOAD_MOST) return undefined
    // Of the pool, because a buffer of its own takes as much again.
    const copy = Buffer.from(payload)
    const decoded = new Decoded(copy, this.#decode(copy))
    this.#entries.set(selector, decoded)
    return decoded
  }
}

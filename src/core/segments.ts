/**
 * Room for the bytes of many small records that are forgotten in the order in which they came. They stand one after the
 * other in segments, because a buffer of its own for each would cost more than the record, and a view of what a socket
 * delivered would keep all of that alive. What is forgotten is always the oldest segment, whole.
 */
import type { RecordBytes } from './store.ts'

/** How large a segment may get. */
export interface SegmentSize {
  /** Bytes; a record that is larger gets a segment of its own. */
  readonly bytes: number
  readonly records: number
}

export class Segment<Key> {
  /** Whose records were put here, in order; some of them may stand elsewhere, too, by now. */
  readonly keys: Key[] = []
  /** When the latest record was put here, of its maker's clock. */
  latest: number = -Infinity
  readonly #room: Buffer
  readonly #most: number
  #used = 0

  constructor({ bytes, records }: SegmentSize) {
    this.#room = Buffer.allocUnsafeSlow(bytes)
    this.#most = records
  }

  get size(): number {
    return this.#room.length
  }

  fits(length: number): boolean {
    return this.keys.length < this.#most && this.#used + length <= this.#room.length
  }

  /** Copies the bytes in. */
  put(key: Key, bytes: RecordBytes, now: number): RecordBytes {
    const copy = this.#room.subarray(this.#used, this.#used + bytes.length)
    copy.set(bytes)
    this.#used += bytes.length
    this.keys.push(key)
    this.latest = Math.max(this.latest, now)
    return copy
  }
}

export class Segments<Key> {
  readonly #segments: Segment<Key>[] = []
  readonly #size: SegmentSize
  /** Of all segments, used or not. */
  bytes = 0

  constructor(size: SegmentSize) {
    this.#size = size
  }

  get oldest(): Segment<Key> | undefined {
    return this.#segments[0]
  }

  /** The segment that takes so many bytes next. */
  for(length: number): Segment<Key> {
    const last = this.#segments.at(-1)
    if (last?.fits(length) === true) return last
    const segment = new Segment<Key>({ ...this.#size, bytes: Math.max(this.#size.bytes, length) })
    this.#segments.push(segment)
    this.bytes += segment.size
    return segment
  }

  /** Forgets the oldest segment. */
  drop(): void {
    const segment = this.#segments.shift()
    if (segment !== undefined) this.bytes -= segment.size
  }

  clear(): void {
    this.#segments.length = 0
    this.bytes = 0
  }
}

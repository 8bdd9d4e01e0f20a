/**
 * Records as this process last saw them, for the time in which the store cannot be asked. Bounded in number and bytes;
 * what was not seen for longest goes first. A copy is worth nothing by itself: who is served from it must bring the
 * verifier that its record asks for.
 */
import type { Clock } from './clock.ts'
import type { LiveRecord } from './live-record.ts'
import { sameVersion, versionOf } from './record.ts'
import type { RecordBytes, Selector } from './store.ts'

export interface CopiesSettings {
  readonly clock: Clock
  /** How old a copy may be, in milliseconds. */
  readonly age: number
  /** How many are kept. */
  readonly most: number
  /** How many bytes their records have together. */
  readonly bytesMost: number
}

/** A record, or the knowledge that the visit is over. */
interface Copy {
  /** `undefined`: what the visit was up to this epoch is over. */
  readonly bytes: RecordBytes | undefined
  readonly counter: number
  readonly epoch: number
  /** When it was seen last. */
  at: number
  /** When it was put last in the order. */
  placedAt: number
}

export class Copies {
  readonly #settings: CopiesSettings
  /** What was seen longest ago is first, to within a tenth of the age. */
  readonly #copies = new Map<Selector, Copy>()
  #bytes = 0

  constructor(settings: CopiesSettings) {
    this.#settings = settings
  }

  get size(): number {
    return this.#copies.size
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Takes note of what the store has, or has just taken. What is over stays over, and a newer version stays. */
  keep(selector: Selector, record: LiveRecord, bytes: RecordBytes): void {
    const now = this.#settings.clock.now()
    const found = this.#copies.get(selector)
    const known = found !== undefined && this.#isFresh(found) ? found : undefined
    if (known !== undefined) {
      if (known.bytes === undefined ? record.epoch <= known.epoch : record.counter < known.counter) return
      if (known.bytes !== undefined && sameVersion(versionOf(known.bytes), versionOf(bytes)))
        return this.#seen(selector, known, now)
    }
    // Copied, because what a store answers may be a view of much more.
    const copied = Uint8Array.from(bytes)
    this.#put(selector, { bytes: copied, counter: record.counter, epoch: record.epoch, at: now, placedAt: now })
  }

  /** The record, unless it is too old. */
  of(selector: Selector): RecordBytes | undefined {
    const copy = this.#copies.get(selector)
    return copy !== undefined && this.#isFresh(copy) ? copy.bytes : undefined
  }

  /** The visit is over, or what it was up to this epoch is. */
  over(selector: Selector, epoch: number = Number.POSITIVE_INFINITY): void {
    const known = this.#copies.get(selector)
    if (known !== undefined && known.epoch > epoch) return
    const now = this.#settings.clock.now()
    this.#put(selector, { bytes: undefined, counter: 0, epoch, at: now, placedAt: now })
  }

  /** What is kept of the visit may be wrong. */
  forget(selector: Selector): void {
    const known = this.#copies.get(selector)
    if (known?.bytes !== undefined) this.#drop(selector, known)
  }

  /** The same again: most reads come here. */
  #seen(selector: Selector, copy: Copy, now: number): void {
    copy.at = now
    if (now - copy.placedAt < this.#settings.age / 10) return
    copy.placedAt = now
    this.#copies.delete(selector)
    this.#copies.set(selector, copy)
  }

  #put(selector: Selector, copy: Copy): void {
    const known = this.#copies.get(selector)
    if (known !== undefined) this.#drop(selector, known)
    const { most, bytesMost } = this.#settings
    const added = copy.bytes?.length ?? 0
    if (added > bytesMost) return
    for (const [oldest, dropped] of this.#copies) {
      if (this.#isFresh(dropped) && this.#copies.size < most && this.#bytes + added <= bytesMost) break
      this.#drop(oldest, dropped)
    }
    this.#copies.set(selector, copy)
    this.#bytes += added
  }

  #drop(selector: Selector, copy: Copy): void {
    this.#copies.delete(selector)
    this.#bytes -= copy.bytes?.length ?? 0
  }

  #isFresh(copy: Copy): boolean {
    return this.#settings.clock.now() - copy.at < this.#settings.age
  }
}

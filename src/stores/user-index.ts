/**
 * One user's index, as the embedded stores keep it: which visits are the user's, and the time up to which
 * sign-ins are revoked. The times it hands out never go back, whatever the machine's clock does, so that a
 * `bar` always reaches every enrolment before it and none after it.
 */
import type { Roll, Selector } from '../core/store.ts'

export class UserIndex {
  /** Visits with the time of their enrolment, oldest first. */
  readonly #entries: Map<Selector, number>
  #notBefore: number
  /** The latest time that was handed out. */
  #latest: number
  #expires: number

  constructor(entries: Iterable<readonly [Selector, number]> = [], notBefore = 0, latest = 0, expires = 0) {
    this.#entries = new Map(entries)
    this.#notBefore = notBefore
    this.#latest = latest
    this.#expires = expires
  }

  get entries(): ReadonlyMap<Selector, number> {
    return this.#entries
  }

  get notBefore(): number {
    return this.#notBefore
  }

  get latest(): number {
    return this.#latest
  }

  /** When the whole index may be forgotten; the store's clock. */
  get expires(): number {
    return this.#expires
  }

  /** Enters the visit, with a new age when it was there, and drops what is older than `lifetime`. */
  enroll(selector: Selector, lifetime: number, wall: number): Pick<Roll, 'notBefore' | 'now'> {
    const now = this.#tick(wall)
    for (const [old, since] of this.#entries) {
      if (now - since <= lifetime) break
      this.#entries.delete(old)
    }
    this.#entries.delete(selector)
    this.#entries.set(selector, now)
    this.#keep(wall, lifetime)
    return { notBefore: this.#notBefore, now }
  }

  /** Takes the visit out, where it was entered by then. Answers whether it was. */
  withdraw(selector: Selector, until: number = Infinity): boolean {
    const since = this.#entries.get(selector)
    return since !== undefined && since <= until && this.#entries.delete(selector)
  }

  /** Revokes every sign-in up to now. */
  bar(lifetime: number, wall: number): Roll {
    this.#latest = Math.max(wall, this.#latest)
    this.#notBefore = this.#latest
    this.#keep(wall, lifetime)
    return this.roll(wall)
  }

  roll(wall: number): Roll {
    const now = Math.max(wall, this.#latest)
    const entries = Array.from(this.#entries, ([selector, since]) => ({ selector, age: now - since }))
    return { entries, notBefore: this.#notBefore, now }
  }

  // A sign-in in the very millisecond of the `bar` before it would count as revoked, and two in the same one would have no
  // order: each gets the next.
  #tick(wall: number): number {
    this.#latest = Math.max(wall, this.#latest === 0 ? 0 : this.#latest + 1)
    return this.#latest
  }

  #keep(wall: number, lifetime: number): void {
    this.#expires = Math.max(this.#expires, wall + lifetime)
  }
}

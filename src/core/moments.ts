/**
 * When sessions were last dealt with in this process: two moments for each, of tens of thousands of sessions, in tables
 * of numbers, because objects and their keys in a map would take eight times as much. A session is told by 64 bits made of
 * its selector, which is as good as random. In each group of eight places, the one dealt with longest ago makes room.
 */
import type { Selector } from './store.ts'

/** Which moment: when the idle deadline was moved, and when it was looked whether the user was revoked. */
export type Moment = 'moved' | 'looked'

const PAGES = 64
const PLACES = 1_024
const GROUP = 8
const GROUPS = PLACES / GROUP

/** Tables for a part of all sessions: in use from the first of them on. */
interface Page {
  /** Two for each place; both are 0 where it is free. */
  readonly marks: Uint32Array
  readonly moved: Float64Array
  readonly looked: Float64Array
}

interface Found {
  readonly page: Page
  readonly at: number
}

export class Moments {
  readonly #pages: (Page | undefined)[] = Array.from({ length: PAGES }, () => undefined)
  /** The mark of the selector asked for last. */
  #low = 0
  #high = 0

  /** Of the clock that it was noted by; `undefined` where none is known. */
  of(selector: Selector, moment: Moment): number | undefined {
    const found = this.#find(selector)
    const value = found?.page[moment][found.at]
    return value === undefined || Number.isNaN(value) ? undefined : value
  }

  note(selector: Selector, moment: Moment, now: number): void {
    const { page, at } = this.#find(selector) ?? this.#makeRoom()
    page[moment][at] = now
  }

  forget(selector: Selector): void {
    const found = this.#find(selector)
    if (found !== undefined) vacate(found.page, found.at)
  }

  #find(selector: Selector): Found | undefined {
    this.#mark(selector)
    const page = this.#pages[this.#low % PAGES]
    if (page === undefined) return undefined
    const from = this.#group()
    for (let at = from; at < from + GROUP; at++)
      if (page.marks[2 * at] === this.#low && page.marks[2 * at + 1] === this.#high) return { page, at }
    return undefined
  }

  /** A place for the selector asked for last. */
  #makeRoom(): Found {
    const page = (this.#pages[this.#low % PAGES] ??= emptyPage())
    const from = this.#group()
    let [oldest, since] = [from, Number.POSITIVE_INFINITY]
    for (let at = from; at < from + GROUP; at++) {
      const latest = latestOf(page, at)
      if (latest < since) [oldest, since] = [at, latest]
    }
    vacate(page, oldest)
    page.marks[2 * oldest] = this.#low
    page.marks[2 * oldest + 1] = this.#high
    return { page, at: oldest }
  }

  #group(): number {
    return (this.#high % GROUPS) * GROUP
  }

  #mark(selector: Selector): void {
    let [low, high] = [0x811c9dc5, 0x9e3779b9]
    for (let at = 0; at < selector.length; at++) {
      const code = selector.charCodeAt(at)
      low = Math.imul(low ^ code, 0x01000193)
      high = Math.imul((high ^ code) + (high << 5), 0x85ebca6b)
    }
    // The lowest bits depend on few bits of what was mixed in last; and no mark is that of a free place.
    this.#low = (low ^ (low >>> 15)) >>> 0 || 1
    this.#high = (high ^ (high >>> 13)) >>> 0
  }
}

function emptyPage(): Page {
  return {
    marks: new Uint32Array(2 * PLACES),
    moved: new Float64Array(PLACES).fill(Number.NaN),
    looked: new Float64Array(PLACES).fill(Number.NaN),
  }
}

function vacate({ marks, moved, looked }: Page, at: number): void {
  marks[2 * at] = 0
  marks[2 * at + 1] = 0
  moved[at] = Number.NaN
  looked[at] = Number.NaN
}

/** Of a free place: since ever. */
function latestOf({ marks, moved, looked }: Page, at: number): number {
  if (marks[2 * at] === 0) return Number.NEGATIVE_INFINITY
  const [one = Number.NaN, other = Number.NaN] = [moved[at], looked[at]]
  if (Number.isNaN(one)) return Number.isNaN(other) ? Number.NEGATIVE_INFINITY : other
  return Number.isNaN(other) ? one : Math.max(one, other)
}

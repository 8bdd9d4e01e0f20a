/**
 * The near cache: records that this process read a moment ago, so that the next request of the session needs no trip. It
 * can be wrong for as long as the news of a change is under way, and never for longer than its bound. So an entry is used
 * only while all of this holds:
 *
 * - the browser says which version it was shown last (its floor), and the entry is not older than that: nobody reads behind
 *   what he wrote or saw himself;
 * - the store tells of every change that comes after the entry was read; when it cannot, everything is dropped;
 * - the entry was asked for less than `maxAge` ago, by a clock that only goes forward;
 * - this process has not written the session itself since.
 *
 * News may overtake the answer that they make old, because they come another way. So every question leaves a mark before
 * it is sent, and an answer whose mark was touched meanwhile serves who asked, and is not kept.
 */
import type { NearCacheStats } from '../types.ts'
import { standingOf, type Standing } from './commits.ts'
import type { LiveRecord } from './live-record.ts'
import { type Segment, Segments } from './segments.ts'
import type { Selector, Tracked } from './store.ts'

/** Bounds of the near cache. */
export interface NearCacheBounds {
  /** Milliseconds after which an entry is no longer used, whatever the store has told or not. */
  readonly maxAge: number
  /** How many sessions are kept. */
  readonly entries: number
  /** Bytes that they take in this process, about, with all that is kept to serve them soon. */
  readonly bytes: number
}

/** Of the bytes that the near cache may take: for records, for what their data decode to, and for headers whose cookies are known. */
export function sharesOf({ bytes }: NearCacheBounds): {
  readonly records: number
  readonly decoded: number
  readonly headers: number
} {
  const decoded = Math.floor((bytes * 3) / 16)
  const headers = Math.floor(bytes / 16)
  return { records: bytes - decoded - headers, decoded, headers }
}

export interface NearCacheSettings extends NearCacheBounds {
  /** Reads a record, and has its next change told to `changed`. */
  readonly ask: (selector: Selector) => Promise<Tracked>
}

/** What a live session's record is, read. */
export type Live = Extract<Standing, { readonly record: LiveRecord }>

/** What was found under a selector. `own`: it was read for this request, and after it had come. */
export interface Looked {
  readonly standing: Standing
  readonly own: boolean
}

/** What an entry takes besides the bytes of its record: its head, decoded, and its places in maps, as `bench/crowd.ts` shows. */
const OVERHEAD = 760

/** Room is made by a segment at a time: that is this share of the bounds at most. */
const SEGMENTS_LEAST = 16
const SEGMENT_BYTES = 65_536

class Entry {
  readonly live: Live
  readonly askedAt: number
  readonly segment: Segment<Selector>

  constructor(live: Live, askedAt: number, segment: Segment<Selector>) {
    this.live = live
    this.askedAt = askedAt
    this.segment = segment
  }
}

/** The questions about one selector that wait for their answers. */
class Mark {
  /** How many there are. */
  waiting = 0
  /** Moves on with every change that is told of. */
  changes = 0
  /** The latest of them, and the changes known when it was sent. */
  latest: Promise<Standing> | undefined
  latestChanges = 0
}

export class NearCache {
  readonly #settings: NearCacheSettings
  readonly #entries = new Map<Selector, Entry>()
  readonly #segments: Segments<Selector>
  readonly #marks = new Map<Selector, Mark>()
  /** Moves on when everything is dropped. */
  #flushes = 0
  #hits = 0
  #joined = 0
  #reads = 0
  #untracked = 0

  constructor(settings: NearCacheSettings) {
    const { entries, bytes } = settings
    this.#settings = settings
    this.#segments = new Segments({
      bytes: Math.min(SEGMENT_BYTES, Math.ceil(bytes / SEGMENTS_LEAST)),
      records: Math.ceil(entries / SEGMENTS_LEAST),
    })
  }

  get stats(): NearCacheStats {
    return {
      entries: this.#entries.size,
      bytes: this.#bytes,
      hits: this.#hits,
      joined: this.#joined,
      reads: this.#reads,
      untracked: this.#untracked,
      flushed: this.#flushes,
    }
  }

  /** The session as it was a moment ago, in this version or a later one. */
  get(selector: Selector, version: number): Live | undefined {
    const entry = this.#entries.get(selector)
    if (entry === undefined) return undefined
    if (entry.live.record.counter < version || this.#isOld(entry.askedAt)) {
      this.#entries.delete(selector)
      return undefined
    }
    this.#hits++
    return entry.live
  }

  /** Asks the store; together with who is asking already, where that does for a browser that was shown this version. */
  async look(selector: Selector, version: number | undefined): Promise<Looked> {
    const mark = version === undefined ? undefined : this.#marks.get(selector)
    if (version === undefined || mark?.latest === undefined || mark.latestChanges !== mark.changes)
      return { standing: await this.#ask(selector), own: true }
    this.#joined++
    const standing = await mark.latest
    if ('record' in standing && standing.record.counter >= version) return { standing, own: false }
    return { standing: await this.#ask(selector), own: true }
  }

  /** What is kept of the session may be old: somebody changed it, or is about to. */
  changed(selector: Selector): void {
    this.#entries.delete(selector)
    const mark = this.#marks.get(selector)
    if (mark !== undefined) mark.changes++
  }

  /** News may have been lost: everything may be old. */
  flush(): void {
    this.#flushes++
    this.#entries.clear()
    this.#segments.clear()
    for (const mark of this.#marks.values()) mark.changes++
  }

  #ask(selector: Selector): Promise<Standing> {
    const mark = this.#marks.get(selector) ?? new Mark()
    this.#marks.set(selector, mark)
    mark.waiting++
    const { changes } = mark
    const askedAt = performance.now()
    const answer = this.#answer(selector, askedAt, () => mark.changes === changes).finally(() => {
      mark.waiting--
      if (mark.waiting === 0) this.#marks.delete(selector)
      if (mark.latest === answer) mark.latest = undefined
    })
    mark.latest = answer
    mark.latestChanges = changes
    return answer
  }

  async #answer(selector: Selector, askedAt: number, unchanged: () => boolean): Promise<Standing> {
    this.#reads++
    const { found, tracked } = await this.#settings.ask(selector)
    const standing = standingOf(found)
    if (!tracked) this.#untracked++
    return tracked && 'record' in standing && unchanged() ? this.#keep(selector, standing, askedAt) : standing
  }

  /** Keeps a copy, and answers it. */
  #keep(selector: Selector, read: Live, askedAt: number): Live {
    const { length } = read.bytes
    const segment = this.#segments.for(length)
    const copy = standingOf(segment.put(selector, read.bytes, askedAt)) as Live
    this.#entries.set(selector, new Entry(copy, askedAt, segment))
    this.#makeRoom(segment)
    return copy
  }

  get #bytes(): number {
    return this.#segments.bytes + this.#entries.size * OVERHEAD
  }

  /** Drops the oldest segments: while there is too much, and where all that is in them is too old. */
  #makeRoom(newest: Segment<Selector>): void {
    const { entries, bytes } = this.#settings
    for (;;) {
      const { oldest } = this.#segments
      if (oldest === undefined || oldest === newest) return
      if (this.#entries.size <= entries && this.#bytes <= bytes && !this.#isOld(oldest.latest)) return
      this.#segments.drop()
      for (const selector of oldest.keys)
        if (this.#entries.get(selector)?.segment === oldest) this.#entries.delete(selector)
    }
  }

  #isOld(askedAt: number): boolean {
    return performance.now() - askedAt >= this.#settings.maxAge
  }
}

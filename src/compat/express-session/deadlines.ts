/** Calls that have to be answered within the same time: one timer watches the oldest of them. */

/** What a timer of Node can wait for, in milliseconds. */
const LONGEST = 2 ** 31 - 1

interface Waiting {
  readonly until: number
  readonly late: () => void
}

export class Deadlines {
  readonly #within: number
  /** In the order in which their time is up. */
  readonly #waiting = new Set<Waiting>()
  #isTimed = false

  /** In milliseconds. */
  constructor(within: number) {
    this.#within = within
  }

  /** `late` is called when the time is up, unless the answer is called before. */
  watch(late: () => void): () => void {
    const waiting: Waiting = { until: performance.now() + this.#within, late }
    this.#waiting.add(waiting)
    if (!this.#isTimed) this.#lookIn(this.#within)
    return () => this.#waiting.delete(waiting)
  }

  readonly #look = (): void => {
    this.#isTimed = false
    try {
      for (const waiting of this.#waiting) {
        if (waiting.until > performance.now()) break
        this.#waiting.delete(waiting)
        waiting.late()
      }
    } finally {
      const [oldest] = this.#waiting
      if (oldest !== undefined && !this.#isTimed) this.#lookIn(oldest.until - performance.now())
    }
  }

  /** Rounded up, for a timer that fires early would look again at once, and again. It keeps no process alive. */
  #lookIn(milliseconds: number): void {
    this.#isTimed = true
    setTimeout(this.#look, Math.min(Math.ceil(milliseconds), LONGEST)).unref()
  }
}

const known = new Map<number, Deadlines>()

/** Those of this length; there are as many as options say different ones. */
export function deadlinesOf(within: number): Deadlines {
  const found = known.get(within)
  if (found !== undefined) return found
  const made = new Deadlines(within)
  known.set(within, made)
  return made
}

/** Work that is done again and again: after the time that it asks for, or at once when something has happened. */

/** Milliseconds between the beginnings of two rounds, however much happens. */
const LEAST = 50
/** Where a round fails in a way that it did not foresee. */
const AFTER_FAILURE = 1000

export class Rounds {
  readonly #work: () => Promise<number>
  #timer: NodeJS.Timeout | undefined
  #round: Promise<void> | undefined
  #again = false
  #begunAt = Number.NEGATIVE_INFINITY
  #stopped = false

  /** `work` answers after how many milliseconds it is to be done again. */
  constructor(work: () => Promise<number>) {
    this.#work = work
  }

  /** Begins a round now, or another one as soon as the present one is over. */
  hurry(): void {
    if (this.#round !== undefined) this.#again = true
    else this.#after(0)
  }

  /** No round any more. Settles when the present one is over. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#round
  }

  #after(ms: number): void {
    if (this.#stopped) return
    clearTimeout(this.#timer)
    const wait = Math.max(ms, this.#begunAt + LEAST - performance.now())
    if (wait <= 0) this.#begin()
    else this.#timer = setTimeout(() => this.#begin(), wait)
  }

  #begin(): void {
    this.#again = false
    this.#begunAt = performance.now()
    this.#round = this.#work()
      .catch(() => AFTER_FAILURE)
      .then((pause) => {
        this.#round = undefined
        this.#after(this.#again ? 0 : pause)
      })
  }
}

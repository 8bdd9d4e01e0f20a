/** Tells at once, and what comes within the next second only once more: slots that move one by one are one piece of news. */

const APART = 1000

export class Telling {
  readonly #tell: () => void
  #timer: NodeJS.Timeout | undefined
  #again = false

  constructor(tell: () => void) {
    this.#tell = tell
  }

  tell(): void {
    if (this.#timer !== undefined) {
      this.#again = true
      return
    }
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      if (this.#again) this.tell()
    }, APART)
    this.#again = false
    this.#tell()
  }

  stop(): void {
    clearTimeout(this.#timer)
  }
}

/** Entries that all have the same time to live, watched by a single timer: a timer for each would cost more than a command does. */
export class Deadlines<Entry extends object> {
  readonly #length: number
  readonly #expire: (entry: Entry) => void
  /** Oldest first, with the time at which each is due. */
  readonly #due = new Map<Entry, number>()
  #timer: NodeJS.Timeout | undefined

  /** `length`: milliseconds from `add` until `expire` is called with the entry. */
  constructor(length: number, expire: (entry: Entry) => void) {
    this.#length = length
    this.#expire = expire
  }

  get size(): number {
    return this.#due.size
  }

  /** The entry that expires next. */
  get oldest(): Entry | undefined {
    return this.#due.keys().next().value
  }

  has(entry: Entry): boolean {
    return this.#due.has(entry)
  }

  add(entry: Entry): void {
    this.#due.set(entry, performance.now() + this.#length)
    this.#timer ??= setTimeout(this.#fire, this.#length)
  }

  /** Takes the entry out. Answers whether it was still there. */
  delete(entry: Entry): boolean {
    return this.#due.delete(entry)
  }

  /** Stops the timer; nothing expires any more. */
  stop(): void {
    clearTimeout(this.#timer)
    this.#due.clear()
  }

  // Where this process itself was busy past a deadline, the answers lie in the socket already: they are read
  // between the timer and the immediate.
  readonly #fire = (): void => {
    setImmediate(() => this.#expireDue())
  }

  #expireDue(): void {
    const now = performance.now()
    this.#timer = undefined
    for (const [entry, due] of this.#due) {
      // Timers count whole milliseconds: what is left of one is no reason for another timer.
      if (due - now >= 1) {
        this.#timer = setTimeout(this.#fire, Math.ceil(due - now))
        return
      }
      this.#due.delete(entry)
      this.#expire(entry)
    }
  }
}

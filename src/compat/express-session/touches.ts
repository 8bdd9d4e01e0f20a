/** When the store heard last of each session: at most once per interval it is told again. */
const REMEMBERED_MOST = 50_000

export class Touches {
  readonly #interval: number
  readonly #heard = new Map<string, number>()

  /** In milliseconds; 0: it is told each time. */
  constructor(interval: number) {
    this.#interval = interval
  }

  due(id: string): boolean {
    if (this.#interval === 0) return true
    const heard = this.#heard.get(id)
    return heard === undefined || performance.now() - heard >= this.#interval
  }

  /** The store did not hear it after all. */
  forget(id: string): void {
    this.#heard.delete(id)
  }

  note(id: string): void {
    if (this.#interval === 0) return
    this.#heard.delete(id)
    if (this.#heard.size >= REMEMBERED_MOST) this.#heard.delete(this.#heard.keys().next().value as string)
    this.#heard.set(id, performance.now())
  }
}

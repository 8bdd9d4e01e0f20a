/** A map that holds so many bytes and no more: what was put in first goes first. */
export class BoundedMap<Key, Value> {
  readonly #entries = new Map<Key, Value>()
  readonly #bytesMost: number
  readonly #bytesOf: (value: Value, key: Key) => number
  readonly #dropped: ((value: Value) => void) | undefined
  #bytes = 0

  /** `bytesOf`: about what an entry costs, and the same each time it is asked. `dropped` hears of each that is no longer here. */
  constructor(bytesMost: number, bytesOf: (value: Value, key: Key) => number, dropped?: (value: Value) => void) {
    this.#bytesMost = bytesMost
    this.#bytesOf = bytesOf
    this.#dropped = dropped
  }

  get(key: Key): Value | undefined {
    return this.#entries.get(key)
  }

  set(key: Key, value: Value): void {
    this.delete(key)
    this.#entries.set(key, value)
    this.#bytes += this.#bytesOf(value, key)
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#bytesMost) break
      this.delete(oldest)
    }
  }

  delete(key: Key): void {
    const value = this.#entries.get(key)
    if (value === undefined) return
    this.#entries.delete(key)
    this.#bytes -= this.#bytesOf(value, key)
    this.#dropped?.(value)
  }
}

/**
 * Time that passes only when a test lets it: hours in a few milliseconds, and the same order of events in every run. The
 * timers and `performance.now` of this process are replaced while it is installed; `Date` is not.
 *
 * `node:timers/promises` has to be replaced by the test file itself:
 *
 * ```ts
 * vi.mock('node:timers/promises', async () => (await import('../support/virtual-time.ts')).virtualPromises)
 * ```
 */
interface Entry {
  due: number
  readonly order: number
  readonly call: () => void
  readonly every: number | undefined
  /** Whether it keeps a process alive. */
  referenced: boolean
}

interface Replaced {
  readonly timers: Pick<typeof globalThis, 'setTimeout' | 'clearTimeout' | 'setInterval' | 'clearInterval'>
  readonly now: typeof performance.now
}

/** More events than any test has: something waits in a circle. */
const EVENTS_MOST = 200_000

export class VirtualTime {
  #now: number
  #order = 0
  readonly #start: number
  readonly #entries = new Set<Entry>()
  #replaced: Replaced | undefined

  constructor(start: number = Date.UTC(2026, 10, 22)) {
    this.#start = start
    this.#now = start
  }

  get now(): number {
    return this.#now
  }

  /** How many timers wait; those of intervals too. */
  get waiting(): number {
    return this.#entries.size
  }

  /** How many of them would keep a process alive. */
  get referenced(): number {
    return [...this.#entries].filter(({ referenced }) => referenced).length
  }

  install(): this {
    const { setTimeout, clearTimeout, setInterval, clearInterval } = globalThis
    this.#replaced = { timers: { setTimeout, clearTimeout, setInterval, clearInterval }, now: performance.now }
    performance.now = () => this.#now - this.#start
    Object.defineProperty(performance, 'timeOrigin', { value: this.#start, configurable: true })
    const clear = (timer: unknown): void => void this.#entries.delete((timer as Handle | undefined)?.entry as Entry)
    Object.assign(globalThis, {
      setTimeout: (call: () => void, ms = 0) => this.#enter(call, ms),
      setInterval: (call: () => void, ms = 0) => this.#enter(call, ms, ms),
      clearTimeout: clear,
      clearInterval: clear,
    })
    return this
  }

  uninstall(): void {
    if (this.#replaced === undefined) return
    Object.assign(globalThis, this.#replaced.timers)
    performance.now = this.#replaced.now
    Reflect.deleteProperty(performance, 'timeOrigin')
    this.#replaced = undefined
    this.#entries.clear()
  }

  /** From the beginning again, and nothing is due any more. */
  restart(): void {
    this.#entries.clear()
    this.#now = this.#start
  }

  /** Lets so many milliseconds pass, with all that falls due in them. */
  async pass(ms: number): Promise<void> {
    const until = this.#now + ms
    await this.#advance((next) => next.due <= until)
    this.#now = Math.max(this.#now, until)
  }

  /** Lets time pass until the promise is settled, and answers it; rejects when nothing is left to wait for, or after `atMost` milliseconds. */
  async settle<Value>(promise: Promise<Value>, atMost = 3_600_000): Promise<Value> {
    let settled = false
    const note = (): void => void (settled = true)
    promise.then(note, note)
    const until = this.#now + atMost
    await this.#advance((next) => !settled && next.due <= until)
    if (!settled) throw new Error(`Nothing settled within ${atMost} ms of virtual time.`)
    return promise
  }

  #enter(call: () => void, ms: number, every?: number): Handle {
    const entry = { due: this.#now + Math.max(0, ms), order: this.#order++, call, every, referenced: true }
    this.#entries.add(entry)
    return new Handle(entry)
  }

  async #advance(wanted: (next: Entry) => boolean): Promise<void> {
    for (let events = 0; events < EVENTS_MOST; events++) {
      // All that needs no time comes first.
      await new Promise((resolve) => setImmediate(resolve))
      const next = this.#next()
      if (next === undefined || !wanted(next)) return
      this.#now = Math.max(this.#now, next.due)
      if (next.every === undefined) this.#entries.delete(next)
      else next.due = this.#now + Math.max(1, next.every)
      next.call()
    }
    throw new Error('Virtual time does not come to an end: something waits in a circle.')
  }

  #next(): Entry | undefined {
    let next: Entry | undefined
    for (const entry of this.#entries)
      if (next === undefined || entry.due < next.due || (entry.due === next.due && entry.order < next.order))
        next = entry
    return next
  }
}

class Handle {
  readonly entry: Entry

  constructor(entry: Entry) {
    this.entry = entry
  }

  ref(): this {
    this.entry.referenced = true
    return this
  }

  unref(): this {
    this.entry.referenced = false
    return this
  }
}

/** What stands for `node:timers/promises`: with the timers of the moment, virtual or not. */
export const virtualPromises = {
  setTimeout: (ms?: number, value?: unknown, { ref = true }: { ref?: boolean } = {}): Promise<unknown> =>
    new Promise((resolve) => {
      const timer = setTimeout(() => resolve(value), ms)
      if (!ref) timer.unref()
    }),
}

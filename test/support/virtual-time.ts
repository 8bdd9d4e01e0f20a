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
  cleared: boolean
}

export interface VirtualTimeOptions {
  /** In milliseconds since 1970. Default: a day in 2026. */
  readonly start?: number
  /**
   * Whether `setImmediate` is a timer of no time too. Then a moment is over when all promises are through, and nothing
   * from outside of this process comes in between: no I/O, and several times as quick. Default: false.
   */
  readonly immediates?: boolean
}

const TIMERS = ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate', 'clearImmediate'] as const

interface Replaced {
  readonly timers: Pick<typeof globalThis, (typeof TIMERS)[number]>
  readonly now: typeof performance.now
}

/** More events than any test has: something waits in a circle. */
const EVENTS_MOST = 200_000

export class VirtualTime {
  #now: number
  #order = 0
  readonly #start: number
  readonly #immediates: boolean
  readonly #entries = new Agenda()
  #replaced: Replaced | undefined

  constructor({ start = Date.UTC(2026, 10, 22), immediates = false }: VirtualTimeOptions = {}) {
    this.#start = start
    this.#now = start
    this.#immediates = immediates
  }

  get now(): number {
    return this.#now
  }

  /** How many timers wait; those of intervals too. */
  get waiting(): number {
    return this.#entries.waiting.length
  }

  /** How many of them would keep a process alive. */
  get referenced(): number {
    return this.#entries.waiting.filter(({ referenced }) => referenced).length
  }

  install(): this {
    const { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate, clearImmediate } = globalThis
    const timers = { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate, clearImmediate }
    this.#replaced = { timers, now: performance.now }
    performance.now = () => this.#now - this.#start
    Object.defineProperty(performance, 'timeOrigin', { value: this.#start, configurable: true })
    const clear = (timer: unknown): void => {
      if (timer instanceof Handle) timer.entry.cleared = true
    }
    Object.assign(globalThis, {
      setTimeout: (call: () => void, ms = 0) => this.#enter(call, ms),
      setInterval: (call: () => void, ms = 0) => this.#enter(call, ms, ms),
      clearTimeout: clear,
      clearInterval: clear,
      ...(this.#immediates && { setImmediate: (call: () => void) => this.#enter(call, 0), clearImmediate: clear }),
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
    const due = this.#now + Math.max(0, ms)
    const entry = { due, order: this.#order++, call, every, referenced: true, cleared: false }
    this.#entries.add(entry)
    return new Handle(entry)
  }

  async #advance(wanted: (next: Entry) => boolean): Promise<void> {
    for (let events = 0; events < EVENTS_MOST; events++) {
      // All that needs no time comes first.
      await new Promise<void>((resolve) => (this.#immediates ? process.nextTick(resolve) : setImmediate(resolve)))
      const { next } = this.#entries
      if (next === undefined || !wanted(next)) return
      this.#now = Math.max(this.#now, next.due)
      this.#entries.removeNext()
      if (next.every !== undefined) {
        next.due = this.#now + Math.max(1, next.every)
        this.#entries.add(next)
      }
      next.call()
    }
    throw new Error('Virtual time does not come to an end: something waits in a circle.')
  }
}

/** What is due, as a binary heap: the next one first, of several at one moment the one that was entered first. */
class Agenda {
  #heap: Entry[] = []

  /** All that are not cleared, in no order. */
  get waiting(): readonly Entry[] {
    return this.#heap.filter(({ cleared }) => !cleared)
  }

  get next(): Entry | undefined {
    while (this.#heap[0]?.cleared === true) this.removeNext()
    return this.#heap[0]
  }

  add(entry: Entry): void {
    const heap = this.#heap
    let at = heap.length
    for (let above; at > 0 && isBefore(entry, heap[(above = (at - 1) >> 1)] as Entry); at = above)
      heap[at] = heap[above] as Entry
    heap[at] = entry
  }

  removeNext(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let at = 0
    for (;;) {
      let below = 2 * at + 1
      if (below >= heap.length) break
      if (below + 1 < heap.length && isBefore(heap[below + 1] as Entry, heap[below] as Entry)) below++
      if (!isBefore(heap[below] as Entry, last)) break
      heap[at] = heap[below] as Entry
      at = below
    }
    heap[at] = last
  }

  clear(): void {
    this.#heap = []
  }
}

function isBefore(one: Entry, other: Entry): boolean {
  return one.due < other.due || (one.due === other.due && one.order < other.order)
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

/**
 * Removes expired entries in short batches, so that even a million of them never hold up a request for long.
 * Of the processes that share a store one sweeps at a time, and another takes over when it is gone.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { Environment } from './environment.ts'

export interface SweepOptions {
  /** Milliseconds between two looks for what has expired. */
  readonly interval: number
  /** Entries that are removed in one go. */
  readonly batch: number
  /** The store's clock. */
  readonly now: () => number
}

/** The entry whose holder sweeps. */
const SWEEPER_KEY = 'sweeper'
/** Milliseconds for which a process sweeps alone; renewed as long as there is work. */
const TURN = 10_000
/** Milliseconds between two batches, in which other writes get their turn. */
const BREATH = 5
/** Milliseconds between two rounds of maintenance. */
const MAINTENANCE = 30_000

export class Sweeper {
  readonly #environment: Environment
  readonly #options: SweepOptions
  readonly #name: Uint8Array = randomBytes(8)
  #timer: NodeJS.Timeout | undefined
  #running: Promise<unknown> | undefined
  #stopped = false
  #maintained = performance.now()

  constructor(environment: Environment, options: SweepOptions) {
    this.#environment = environment
    this.#options = options
  }

  start(): void {
    this.#timer = setInterval(() => this.#tick(), this.#options.interval).unref()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearInterval(this.#timer)
    await this.#running
  }

  /** Removes everything that has expired, if no other process is at it. Answers how many entries it looked at. */
  async sweep(): Promise<number> {
    let looked = 0
    while (!this.#stopped) {
      const now = this.#options.now()
      const due = this.#environment.due(now, this.#options.batch)
      if (due.length === 0 || !(await this.#takeTurn(now))) break
      await Promise.all(due.map((key) => this.#environment.settle(key, now)))
      looked += due.length
      if (due.length < this.#options.batch) break
      await pause(BREATH, undefined, { ref: false })
    }
    return looked
  }

  #tick(): void {
    if (this.#running !== undefined) return
    this.#running = this.#work().finally(() => {
      this.#running = undefined
    })
  }

  async #work(): Promise<void> {
    try {
      await this.sweep()
      if (performance.now() - this.#maintained < MAINTENANCE) return
      this.#maintained = performance.now()
      await this.#environment.maintain()
    } catch {
      // A store that fails tells it to the next request. What has expired is absent meanwhile, swept or not.
    }
  }

  /** Whether this process is the one that sweeps now. */
  #takeTurn(now: number): Promise<boolean> {
    return this.#environment.change(SWEEPER_KEY, now, 'needed', (found) => {
      const taken = found !== undefined && Buffer.compare(found.payload, this.#name) !== 0
      return taken ? { answer: false } : { answer: true, payload: this.#name, expires: now + TURN }
    })
  }
}

/**
 * Several servers whose calls reach their store, and are answered, in an order that a seed decides: for properties that
 * have to hold in every order.
 */
import type { Store } from '../../src/core/store.ts'
import { randomFrom } from '../../src/testing/store-contract/commands.ts'
import { standstill } from './paused-store.ts'

const OPERATIONS = [
  'load',
  'remaining',
  'create',
  'replace',
  'patch',
  'touch',
  'end',
  'enroll',
  'withdraw',
  'roll',
  'bar',
  'epoch',
  'moveEpoch',
] as const

/** Rounds without anything to go on, after which nothing will come any more. */
const PATIENCE = 100

export class Turns {
  readonly #random: (below: number) => number
  readonly #waiting: (() => void)[] = []
  #taken = false

  constructor(seed: number) {
    this.#random = randomFrom(seed)
  }

  /** One server's way to the store. Each call waits for a turn before it reaches the store, and for one before it is answered. */
  way(store: Store): Store {
    const way = Object.create(store) as Record<string, unknown>
    for (const name of OPERATIONS) {
      const call = (store[name] as (...given: unknown[]) => unknown).bind(store)
      way[name] = (...given: unknown[]): unknown => (this.#taken ? this.#inTurn(() => call(...given)) : call(...given))
    }
    for (const name of ['open', 'close', 'stats', 'nextLease', 'holdLease'] as const)
      way[name] = (store[name] as (...given: unknown[]) => unknown).bind(store)
    return way as unknown as Store
  }

  /** Runs everything at once, one call after the other, until all is done and nothing waits any more. Outside of it calls pass as they come. */
  async run(all: readonly (() => Promise<void>)[]): Promise<void> {
    this.#taken = true
    let done = false
    const running = Promise.allSettled(all.map((one) => one())).finally(() => (done = true))
    for (let idle = 0; idle < PATIENCE; idle++) {
      await standstill()
      const [next] = this.#waiting.splice(this.#random(Math.max(1, this.#waiting.length)), 1)
      if (next === undefined && done) break
      if (next !== undefined) idle = 0
      next?.()
    }
    if (!done) throw new Error('Something waits for what will not come.')
    this.#taken = false
    for (const one of await running) if (one.status === 'rejected') throw one.reason
  }

  async #inTurn(call: () => unknown): Promise<unknown> {
    await this.#turn()
    const answer = await call()
    await this.#turn()
    return answer
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }
}

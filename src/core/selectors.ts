/**
 * Mints selectors. Each is the enciphered triple of a lease that this process holds in the store, the
 * process's nonce and a counter: unique by construction. Without a lease random bits stand in.
 */
import * as channels from '../telemetry/channels.ts'
import type { Clock } from './clock.ts'
import type { Keyring } from './keyring.ts'
import type { RandomSource } from './random.ts'
import { selectorAt } from './session-id.ts'
import type { Selector, Store } from './store.ts'

/** Random leases have this bit, so that they never meet a counted one. */
const RANDOM_LEASE = 2 ** 47
const COUNTER_MOST = 2 ** 48 - 1
const ATTEMPTS_MOST = 8

/** How often the lease is confirmed, and how long it is held, in milliseconds. */
export const HEARTBEAT = 5_000
const LEASE_HELD_FOR = 15 * 60_000
/** Milliseconds within which an answer is young enough to set the clock by, and how often it is asked for if it is not. */
const QUICK = 50
const ASKS_MOST = 3

export class Selectors {
  readonly #keyring: Keyring
  readonly #store: Store
  readonly #random: RandomSource
  readonly #nonce: number
  readonly #owner: string
  #lease: number | undefined
  #counter = 0

  constructor(keyring: Keyring, store: Store, random: RandomSource) {
    this.#keyring = keyring
    this.#store = store
    this.#random = random
    this.#nonce = random(4).readUInt32BE(0)
    this.#owner = random(12).toString('base64url')
  }

  mint(): Selector {
    if (this.#counter >= COUNTER_MOST) this.#lease = undefined
    const lease = this.#lease ?? RANDOM_LEASE + (this.#random(6).readUIntBE(0, 6) % RANDOM_LEASE)
    return selectorAt(this.#keyring.active, { lease, nonce: this.#nonce, counter: this.#counter++ })
  }

  /** Takes a lease, or confirms the one that is held; where another process holds it, takes the next. */
  async hold(): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS_MOST; attempt++) {
      const lease = this.#lease ?? (await this.#store.nextLease())
      const holder = await this.#store.holdLease(lease, this.#owner, LEASE_HELD_FOR)
      if (holder === this.#owner) {
        this.#lease = lease
        return
      }
      this.#lease = undefined
      channels.collision.publish({ what: 'lease', lease })
    }
  }
}

/** What every process does at the beginning and then every five seconds: confirms its lease, reads the store's clock and the deployment's epoch. */
export class Heartbeat {
  /** Visits begun at or before this moment are revoked. */
  epoch = 0
  readonly #selectors: Selectors
  readonly #store: Store
  readonly #clock: Clock
  readonly #failed: (error: unknown) => void
  #timer: NodeJS.Timeout | undefined

  constructor(selectors: Selectors, store: Store, clock: Clock, failed: (error: unknown) => void) {
    this.#selectors = selectors
    this.#store = store
    this.#clock = clock
    this.#failed = failed
  }

  /** The two halves do not depend on each other: a full store refuses the lease, and answers the rest. */
  async beat(): Promise<void> {
    const halves = await Promise.allSettled([this.#selectors.hold(), this.#read()])
    for (const half of halves) if (half.status === 'rejected') throw half.reason
  }

  /**
   * The store's time is taken as it was when the store told it: its clock is ahead by what the answer was on its way for, and this one
   * never is. A visit dated ahead would outlive a revocation of everything. An answer that took long may be old, so it is asked for again.
   */
  async #read(): Promise<void> {
    let ahead = -Infinity
    for (let ask = 1, took = Infinity; took > QUICK && ask <= ASKS_MOST; ask++) {
      const asked = performance.now()
      const { epoch, now } = await this.#store.epoch()
      const told = performance.now()
      took = told - asked
      ahead = Math.max(ahead, now - told)
      this.epoch = Math.max(this.epoch, epoch)
    }
    this.#clock.set(ahead + performance.now())
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.beat().catch(this.#failed)
    }, HEARTBEAT)
    this.#timer.unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }
}

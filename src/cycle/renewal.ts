/** Keeps a claim alive while its final step runs. */
import type { RecordBytes } from '../core/store.ts'
import type { Held } from './claiming.ts'
import { expectStamp, writeClaim, type Claim } from './cycle-record.ts'
import type { Place } from './place.ts'

/** How many signs of life fall into one lease. */
const SIGNS = 3

export class Renewal<State> {
  readonly #place: Place<State>
  readonly #claim: Claim
  readonly #controller = new AbortController()
  /** Until when it may go on, on the process's monotonic clock: no request lasts longer. */
  readonly #until: number
  #record: RecordBytes
  #deadline: number
  #next: NodeJS.Timeout | undefined
  #end: NodeJS.Timeout | undefined
  #stopped = false

  constructor(place: Place<State>, { claim, bytes }: Held) {
    this.#place = place
    this.#claim = claim
    this.#record = bytes
    this.#deadline = claim.deadline
    this.#until = performance.now() + place.realm.services.settings.maxRequestTime
    this.#hold(claim.deadline - place.realm.now())
    this.#renewLater()
  }

  /** Aborts when the claim has run out, or is somebody else's. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Until when the claim holds, as far as is known. */
  get deadline(): number {
    return this.#deadline
  }

  /** The record as it stands, as far as is known: an answer to the last renewal may be missing. */
  get record(): RecordBytes {
    return this.#record
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#next)
    clearTimeout(this.#end)
  }

  #renewLater(): void {
    if (this.#stopped) return
    const { lease } = this.#place.realm.settings
    this.#next = setTimeout(() => {
      this.#renew().then(
        (ours) => {
          if (ours) this.#renewLater()
          else if (!this.#stopped) this.#controller.abort()
        },
        // The store did not answer: the next sign may reach it.
        () => this.#renewLater(),
      )
    }, lease / SIGNS).unref()
  }

  /** Answers whether the claim may still be ours, and is to be renewed again. */
  async #renew(): Promise<boolean> {
    if (performance.now() > this.#until) return false
    const { realm } = this.#place
    const sentAt = performance.now()
    const claim = { stamp: this.#claim.stamp, deadline: realm.now() + realm.settings.lease }
    const written = writeClaim({ phase: 'running', claim }, this.#place.version())
    const answer = await this.#place.patch(expectStamp('running', claim), written)
    if (!answer.done || this.#stopped) return false
    this.#record = answer.record
    this.#deadline = claim.deadline
    this.#hold(realm.settings.lease - (performance.now() - sentAt))
    return true
  }

  /** The claim holds so much longer, in milliseconds. */
  #hold(left: number): void {
    clearTimeout(this.#end)
    this.#end = setTimeout(() => this.#controller.abort(), Math.max(0, left)).unref()
  }
}

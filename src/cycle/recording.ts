/** Writes the outcome of a final step in the place of the claim, as long as that is ours. */
import { setTimeout as pause } from 'node:timers/promises'

import { versionOf } from '../core/record.ts'
import type { RecordBytes } from '../core/store.ts'
import { sameRecord } from './asking.ts'
import type { Held } from './claiming.ts'
import { headOf, NO_CLAIM, rewritten, type Claim } from './cycle-record.ts'
import type { Place } from './place.ts'

/** Milliseconds between two attempts: the first, and the longest of those that nobody waits for. */
const AGAIN_FIRST = 200
const AGAIN_MOST = 5_000

/** How a final step ended, as it is recorded. */
export type Ending =
  | { readonly phase: 'done' | 'failed'; readonly outcome: Uint8Array }
  /** Nothing happened. */
  | { readonly phase: 'open' }

/** What became of the record. `'lost'`: the cycle is somebody else's. `'later'`: the store did not answer while the claim held. */
export type Recorded = 'recorded' | 'lost' | 'later'

export class Recording<State> {
  readonly #place: Place<State>
  readonly #claim: Claim
  readonly #bytes: RecordBytes
  /** Whether the index has it, and is not to have it any more. */
  readonly #leaves: boolean
  #version: Uint8Array
  #tries = 0
  /** Why the last attempt failed. */
  error: unknown

  /** `latest`: the record that was claimed, as it stands since. */
  constructor(place: Place<State>, { claim, record }: Held, latest: RecordBytes, ending: Ending) {
    this.#place = place
    this.#claim = claim
    this.#version = versionOf(latest)
    this.#leaves = ending.phase !== 'open' && (place.stored || record.step !== undefined)
    const head = ending.phase === 'open' ? { phase: ending.phase, claim: NO_CLAIM } : { phase: ending.phase, claim }
    this.#bytes = rewritten(latest, head, place.version(), 'outcome' in ending ? ending.outcome : undefined)
  }

  /** Tries for as long as the claim holds; nobody else can take the cycle until then. */
  async whileItHolds(deadline: number): Promise<Recorded> {
    for (;;) {
      const what = await this.#attempt()
      if (what !== 'failed') return what
      if (this.#place.realm.now() >= deadline) return 'later'
      await pause(AGAIN_FIRST)
    }
  }

  /** Goes on for as long as a request may last; for what nobody waits for. */
  async afterwards(): Promise<Recorded> {
    const until = performance.now() + this.#place.realm.services.settings.maxRequestTime
    for (let wait = AGAIN_FIRST; performance.now() < until; wait = Math.min(2 * wait, AGAIN_MOST)) {
      await pause(wait, undefined, { ref: false })
      const what = await this.#attempt()
      if (what !== 'failed') return what
    }
    return 'later'
  }

  async #attempt(): Promise<'recorded' | 'lost' | 'failed'> {
    const first = this.#tries++ === 0
    // The outcome counts, whether or not the list learns of it: there it is left out anyway, and goes with the next look at it.
    const withdrawn = first && this.#leaves ? this.#place.withdraw().catch(() => undefined) : undefined
    try {
      return await this.#replace()
    } catch (error) {
      this.error = error
      return 'failed'
    } finally {
      await withdrawn
    }
  }

  async #replace(): Promise<'recorded' | 'lost'> {
    const { key, ttl, realm } = this.#place
    for (;;) {
      const swap = await realm.services.store.replace(key, this.#version, this.#bytes, ttl, 'replicated')
      // After an answer that was lost, what stands there is our own.
      if (swap.done || sameRecord(swap.found, this.#bytes)) return 'recorded'
      const version = this.#versionIfOurs(swap.found)
      if (version === undefined) return 'lost'
      this.#version = version
    }
  }

  /** A renewal whose answer was lost, or somebody who took the cycle to be in doubt, changed the version and nothing else. */
  #versionIfOurs(found: RecordBytes | undefined): Uint8Array | undefined {
    const head = found === undefined ? undefined : headOf(found)
    if (found === undefined || head === undefined || !head.claim.stamp.equals(this.#claim.stamp)) return undefined
    return head.phase === 'running' || head.phase === 'in-doubt' ? versionOf(found) : undefined
  }
}

/** How often requests were refused, or would have been: what a mode costs can be read from it before it is switched on. */
import type { CsrfReason } from '../errors.ts'
import type { CsrfStats } from '../types.ts'
import { REASONS } from './reasons.ts'
import type { CsrfVerdict } from './verdict.ts'

type ByReason = Record<CsrfReason, number>

/** Counts of one manager. */
export class CsrfCounts {
  #judged = 0
  #odd = 0
  readonly #refused = none()
  readonly #noted = none()
  readonly #reported = { auto: none(), strict: none() }

  /** A request was judged. `odd`: its `Sec-Fetch-Site` was no value that we know. */
  count(verdict: CsrfVerdict, odd: boolean): void {
    this.#judged++
    if (odd) this.#odd++
    this.again(verdict)
  }

  /** Something was found out later of a request that was judged. */
  again(verdict: CsrfVerdict): void {
    if (!verdict.pass) this.#refused[verdict.reason]++
    else if (verdict.count !== undefined)
      (verdict.under === undefined ? this.#noted : this.#reported[verdict.under])[verdict.count]++
  }

  /** As they stand; they do not change any more. */
  get stats(): CsrfStats {
    return {
      judged: this.#judged,
      odd: this.#odd,
      refused: { ...this.#refused },
      noted: { ...this.#noted },
      reported: { auto: { ...this.#reported.auto }, strict: { ...this.#reported.strict } },
    }
  }
}

function none(): ByReason {
  return Object.fromEntries(Object.keys(REASONS).map((reason) => [reason, 0])) as ByReason
}

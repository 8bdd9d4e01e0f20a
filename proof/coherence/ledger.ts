/** What was acknowledged of each session and when, and what is wrong by that. The checker's own clock, which only goes forward. */

/** `own-write`, `going-back`: a browser that waits for its answers read behind what it wrote, or behind what it read. */
export type Rule = 'own-write' | 'going-back' | 'bound' | 'end' | 'lost-addition' | 'answer' | 'set-up'

export interface Violation {
  readonly rule: Rule
  readonly text: string
}

/** Whether a reader would have seen it: not that the proof itself was badly set up, or disturbed. */
export function isWrongRead({ rule }: Violation): boolean {
  return rule === 'own-write' || rule === 'going-back' || rule === 'bound'
}

/** The additions to one session. */
export class Ledger {
  /** Those that were answered, and those of which nobody could say what became of them. */
  additions = 0
  unknown = 0
  /** Each higher than all before it, with the moment of its answer. */
  readonly #highest: { readonly count: number; readonly at: number }[] = []

  acknowledge(count: number, at: number): void {
    this.additions++
    if (count > (this.#highest.at(-1)?.count ?? 0)) this.#highest.push({ count, at })
  }

  /** For how many milliseconds a later count had been acknowledged to somebody when this read was sent; 0: for none. */
  staleness(count: number, sent: number): number {
    const next = this.#highest.find((one) => one.count > count)
    return next === undefined ? 0 : Math.max(0, sent - next.at)
  }
}

/** Milliseconds. */
export interface Spread {
  readonly number: number
  readonly p50: number
  readonly p99: number
  readonly most: number
}

export function spreadOf(times: readonly number[]): Spread {
  const sorted = times.toSorted((left, right) => left - right)
  const at = (share: number): number => sorted[Math.ceil(sorted.length * share) - 1] ?? 0
  return { number: sorted.length, p50: at(0.5), p99: at(0.99), most: sorted.at(-1) ?? 0 }
}

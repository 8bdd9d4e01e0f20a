/** How much stores forgot, and how much of that Holdfast itself noticed. */
import type { Violation } from './violations.ts'

export interface Forgotten {
  readonly times: number
  /** Of those: what Holdfast gave notice of, by an event about the session or about the store. */
  readonly noticed: number
  /** Of those: by an event about this very session. */
  readonly ofSession: number
}

export function forgottenOf(violations: readonly Violation[]): Forgotten {
  const excused = violations.filter(({ excusedBy }) => excusedBy !== undefined)
  const ofSession = excused.filter(({ noticed }) => noticed === 'session').length
  const ofStore = excused.filter(({ noticed }) => noticed === 'store').length
  return { times: excused.length, noticed: ofSession + ofStore, ofSession }
}

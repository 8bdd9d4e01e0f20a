/** Makes figures of what was recorded. */
import type { Asked, Found } from './visitors.ts'

export interface Figures extends Found {
  readonly requests: number
  readonly unavailable: number
  /** Neither a success nor a 503. */
  readonly otherErrors: number
  /** Milliseconds. */
  readonly errors: Spread
  readonly successes: Spread
  /** 503 of those that were sent a second or more after the fault, when a breaker can be open. */
  readonly lateErrors: Spread
  /** Milliseconds from the fault until every visitor had written again; `undefined`: nobody was kept from it. */
  readonly writesAgain: number | undefined
  readonly anonymousErrors: number
  readonly anonymous: Spread
  /** Bytes that the two servers grew by. */
  readonly grown: number
}

export interface Spread {
  readonly p99: number
  readonly worst: number
}

const SETTLED = 1_500

export function figuresOf(asked: readonly Asked[], fault: number, found: Found, grown: number): Figures {
  const during = asked.filter(({ at, took }) => at + took >= fault)
  const known = during.filter(({ kind }) => kind !== 'anonymous')
  const failed = known.filter(({ status }) => status !== 200)
  const strangers = during.filter(({ kind }) => kind === 'anonymous')
  return {
    ...found,
    requests: during.length,
    unavailable: failed.filter(({ status }) => status === 503).length,
    otherErrors: failed.filter(({ status }) => status !== 503).length,
    errors: spreadOf(failed),
    successes: spreadOf(known.filter(({ status }) => status === 200)),
    lateErrors: spreadOf(failed.filter(({ at }) => at > fault + SETTLED)),
    writesAgain: writesAgainOf(known, fault),
    anonymousErrors: strangers.filter(({ status }) => status !== 200).length,
    anonymous: spreadOf(strangers),
    grown,
  }
}

function spreadOf(asked: readonly Asked[]): Spread {
  const took = asked.map((one) => one.took).toSorted((left, right) => left - right)
  return { p99: took[Math.ceil(took.length * 0.99) - 1] ?? 0, worst: took.at(-1) ?? 0 }
}

/** Of those whom the store kept from a write after the fault: when the last of them was kept from it no more. */
function writesAgainOf(asked: readonly Asked[], fault: number): number | undefined {
  const writes = asked.filter(({ kind }) => kind === 'write')
  const lastRefusal = new Map<number, number>()
  for (const { visitor, at, status } of writes) if (status === 503 || status === 0) lastRefusal.set(visitor, at)
  let again: number | undefined
  for (const [visitor, refused] of lastRefusal) {
    const first = writes.find(
      (one) => one.visitor === visitor && one.status !== 503 && one.status !== 0 && one.at > refused,
    )
    again = Math.max(again ?? 0, first === undefined ? Number.POSITIVE_INFINITY : first.at + first.took - fault)
  }
  return again
}

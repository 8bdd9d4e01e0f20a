/**
 * The time, as policy sees it. It runs with the process's monotonic clock and is set by the store's, so that
 * a wall clock that jumps on one server ends nobody's session.
 */
export interface Clock {
  /** Whole milliseconds since 1970, by the store's clock as far as it is known. */
  now(): number
  /** Sets the clock by what the store said. */
  set(storeNow: number): void
}

/** A clock; `now` of the options stands in its place and is never set. */
export function createClock(now: (() => number) | undefined): Clock {
  if (now !== undefined) return { now, set: () => undefined }
  let offset = performance.timeOrigin
  return {
    now: () => Math.floor(offset + performance.now()),
    set: (storeNow) => {
      offset = storeNow - performance.now()
    },
  }
}

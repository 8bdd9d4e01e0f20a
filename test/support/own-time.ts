/** Time for bounds: what a call took of the time in which this process could run. */

const TICK = 10

export interface OwnTime {
  /** Milliseconds so far. */
  time(): number
  /** Ends it, and answers the milliseconds. */
  stop(): number
}

/** The time in which this process could run. A busy machine holds it up at times, and that is not what the tests measure. */
export function ownTime(): OwnTime {
  let [time, last] = [0, performance.now()]
  const since = (now: number): number => Math.min(now - last, 2 * TICK)
  const ticking = setInterval(() => {
    const now = performance.now()
    time += since(now)
    last = now
  }, TICK)
  const soFar = (): number => time + since(performance.now())
  return {
    time: soFar,
    stop() {
      clearInterval(ticking)
      return soFar()
    },
  }
}

/** How long it took until this was done. Rejects as it does. */
export async function ownTimeOf(call: () => unknown): Promise<number> {
  const own = ownTime()
  try {
    await call()
    return own.time()
  } finally {
    own.stop()
  }
}

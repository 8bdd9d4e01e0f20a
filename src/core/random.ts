/** Random bytes, drawn from a pool: one call to the system's generator for many small draws. */
import { randomBytes } from 'node:crypto'

const POOL_SIZE = 4096

/** Gives `size` random bytes. A test may pass one that repeats itself. */
export type RandomSource = (size: number) => Buffer

/** Random bytes of the system's generator. Every byte of the pool is handed out once, as a copy. */
export function pooledRandom(fill: (size: number) => Buffer = randomBytes): RandomSource {
  let pool: Buffer = Buffer.alloc(0)
  let used = 0
  return (size) => {
    if (used + size > pool.length) {
      pool = fill(Math.max(POOL_SIZE, size))
      used = 0
    }
    const bytes = Buffer.from(pool.subarray(used, used + size))
    pool.fill(0, used, used + size)
    used += size
    return bytes
  }
}

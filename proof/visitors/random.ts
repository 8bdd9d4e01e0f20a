/** Chance under a seed: the same seed, the same choices. */
export interface Chance {
  /** From 0 to 1, without 1. */
  next(): number
  /** An integer from 0 to `below`, without that. */
  below(below: number): number
  /** One of them, by their weights. */
  pick<Choice>(choices: readonly (readonly [weight: number, choice: Choice])[]): Choice
  /** Chance of its own for a part: what one part does with its does not change what another gets. */
  fork(): Chance
}

/** Mulberry32. */
export function chance(seed: number): Chance {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number): number => Math.floor(next() * limit)
  return {
    next,
    below,
    pick: (choices) => {
      let at = next() * choices.reduce((sum, [weight]) => sum + weight, 0)
      const [last] = choices.slice(-1)
      const picked = choices.find(([weight]) => (at -= weight) < 0) ?? last
      if (picked === undefined) throw new RangeError('there is nothing to pick from')
      return picked[1]
    },
    fork: () => chance(below(2 ** 32)),
  }
}

/**
 * Whether what a session costs depends on how many there are. Up to a million sessions in Redis, each signed in by
 * Holdfast itself, several to a user; every size in a server of its own, in interleaved rounds.
 */
import { rotated } from './compare.ts'
import { pin, SERVER_CORE } from './cores.ts'
import { tell } from './machine.ts'
import { type Operation, OPERATIONS, Population, SESSIONS_EACH } from './population.ts'
import { median, medianRatio, percentile } from './statistics.ts'

/** What one call on so many sessions takes. */
export interface ScaleLine {
  readonly operation: Operation
  readonly sessions: number
  /** Milliseconds. */
  readonly median: number
  readonly p99: number
  /** The median of the rounds' ratios to the smallest size. */
  readonly ratio: number
  readonly p99Ratio: number
}

export interface Scale {
  readonly part: 'scale'
  readonly rounds: number
  readonly sessionsEach: number
  readonly lines: readonly ScaleLine[]
  /** What Redis needs for them, indexes and all. */
  readonly memory: readonly { readonly sessions: number; readonly megabytes: number }[]
}

/** Milliseconds of each call, by round. */
type Calls = Readonly<Record<Operation, number[][]>>

/** Fills a Redis with each number of sessions, and measures calls on them. */
export async function measureScale(sizes: readonly number[], rounds: number): Promise<Scale> {
  pin(process.pid, SERVER_CORE)
  const populations: Population[] = []
  try {
    for (const size of sizes) populations.push(await populated(size))
    const calls = await measured(populations, rounds)
    const memory = populations.map(async (population) => ({
      sessions: population.sessions,
      megabytes: await population.megabytes(),
    }))
    return {
      part: 'scale',
      rounds,
      sessionsEach: SESSIONS_EACH,
      lines: linesOf(sizes, calls),
      memory: await Promise.all(memory),
    }
  } finally {
    for (const population of populations) await population.close()
  }
}

async function populated(size: number): Promise<Population> {
  tell(`  signing in ${size} sessions`)
  const start = performance.now()
  const population = await Population.start(size)
  const seconds = (performance.now() - start) / 1000
  tell(`  ${seconds.toFixed(1)} s, ${Math.round(await population.megabytes())} MB`)
  return population
}

async function measured(populations: readonly Population[], rounds: number): Promise<Map<Population, Calls>> {
  for (const population of populations) await population.round()
  const all = new Map(populations.map((population) => [population, noCalls()]))
  for (let round = 0; round < rounds; round++) {
    for (const population of rotated(populations, round)) {
      const took = await population.round()
      for (const operation of OPERATIONS) all.get(population)?.[operation].push(took[operation])
    }
    if ((round + 1) % 10 === 0) tell(`  round ${round + 1} of ${rounds}`)
  }
  return all
}

function noCalls(): Calls {
  return { load: [], replace: [], list: [], revokeUser: [] }
}

function linesOf(sizes: readonly number[], all: ReadonlyMap<Population, Calls>): ScaleLine[] {
  const calls = [...all.values()]
  return OPERATIONS.flatMap((operation) => {
    const smallest = calls[0]?.[operation] ?? []
    return sizes.map((sessions, at) => {
      const rounds = calls[at]?.[operation] ?? []
      const p99 = percentile(rounds.flat(), 0.99)
      return {
        operation,
        sessions,
        median: median(rounds.map(median)),
        p99,
        ratio: medianRatio(rounds.map(median), smallest.map(median)),
        p99Ratio: p99 / percentile(smallest.flat(), 0.99),
      }
    })
  })
}

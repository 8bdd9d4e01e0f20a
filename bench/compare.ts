/** Contenders under load, interleaved: every round gives each of them its turn, so that all see the same machine. */
import { start, type Contender, type Running } from './contender.ts'
import { requestsPerSecond } from './load.ts'

export interface Rounds {
  readonly rounds: number
  /** Seconds of each turn. */
  readonly seconds: number
  readonly connections: number
}

export interface Standing {
  readonly name: string
  /** Requests per second of each round. */
  readonly rates: readonly number[]
  readonly median: number
  /** The median, over the rounds, of this rate over the first contender's in the same round. */
  readonly ratio: number
}

/** Runs the comparison; the first contender is what the others are measured by. `tell` hears of progress. */
export async function compare(
  contenders: readonly Contender[],
  rounds: Rounds,
  tell: (line: string) => void,
): Promise<Standing[]> {
  const running: Running[] = []
  try {
    for (const contender of contenders) running.push(await start(contender))
    tell('warming up')
    await takeTurns(running, rounds)
    const table: number[][] = []
    for (let round = 0; round < rounds.rounds; round++) {
      const order = rotated(running, round)
      const rates = await takeTurns(order, rounds)
      table.push(running.map((contender) => rates[order.indexOf(contender)] as number))
      tell(`round ${round + 1} of ${rounds.rounds}: ${(table.at(-1) ?? []).map((rate) => Math.round(rate)).join('  ')}`)
    }
    return standings(contenders, table)
  } finally {
    await Promise.all(running.map((contender) => contender.stop()))
  }
}

async function takeTurns(order: readonly Running[], { seconds, connections }: Rounds): Promise<number[]> {
  const rates: number[] = []
  for (const { url, headers } of order) rates.push(await requestsPerSecond({ url, headers, seconds, connections }))
  return rates
}

/** Nobody is always the one after the busiest. */
function rotated<Item>(items: readonly Item[], by: number): Item[] {
  const at = by % items.length
  return [...items.slice(at), ...items.slice(0, at)]
}

function standings(contenders: readonly Contender[], table: readonly (readonly number[])[]): Standing[] {
  return contenders.map(({ name }, column) => {
    const rates = table.map((row) => row[column] as number)
    return {
      name,
      rates,
      median: median(rates),
      ratio: median(table.map((row) => (row[column] as number) / (row[0] as number))),
    }
  })
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

/**
 * `npm run bench:scale`: whether what a session costs depends on how many there are. Up to a million sessions in Redis,
 * each signed in by Holdfast itself, several to a user; every size in a server of its own, in interleaved rounds.
 */
import { parseArgs } from 'node:util'

import { tableOf } from '../proof/table.ts'
import { median } from './compare.ts'
import { pin, SERVER_CORE, STORE_CORE } from './cores.ts'
import { refuse, whole } from './options.ts'
import { type Operation, OPERATIONS, Population, SESSIONS_EACH } from './population.ts'
import { machineLine, tell } from './program.ts'

interface Options {
  readonly sizes: readonly number[]
  readonly rounds: number
  readonly json: boolean
}

interface Measured {
  readonly sessions: number
  readonly megabytes: number
  /** Milliseconds of each call, by round. */
  readonly calls: Readonly<Record<Operation, readonly (readonly number[])[]>>
}

/** One line of the table. */
interface Line {
  readonly operation: Operation
  readonly sessions: number
  /** Milliseconds. */
  readonly median: number
  readonly p99: number
  /** The median of the rounds' ratios to the smallest size. */
  readonly ratio: number
  readonly p99Ratio: number
}

const TARGET = 1.3

const options = readOptions()
if (options !== undefined) await main(options)

function readOptions(): Options | undefined {
  try {
    const { values } = parseArgs({
      options: {
        quick: { type: 'boolean', default: false },
        sizes: { type: 'string' },
        rounds: { type: 'string' },
        json: { type: 'boolean', default: false },
      },
    })
    const sizes = values.sizes ?? (values.quick ? '10000,100000' : '10000,100000,1000000')
    return {
      sizes: sizes.split(',').map((size) => whole('sizes', size, 0)),
      rounds: whole('rounds', values.rounds, values.quick ? 20 : 100),
      json: values.json,
    }
  } catch (error) {
    return refuse(error, '--sizes 10000,100000,1000000 --rounds 100 --quick --json')
  }
}

async function main({ sizes, rounds, json }: Options): Promise<void> {
  pin(process.pid, SERVER_CORE)
  const populations: Population[] = []
  try {
    for (const size of sizes) populations.push(await populated(size))
    const measured = await measure(populations, rounds)
    const lines = linesOf(measured)
    process.stdout.write(json ? asJson(lines, measured, rounds) : asTable(lines, measured, rounds))
  } finally {
    for (const population of populations) await population.close()
  }
}

async function populated(size: number): Promise<Population> {
  tell(`signing in ${size} sessions`)
  const start = performance.now()
  const population = await Population.start(size)
  const seconds = (performance.now() - start) / 1000
  tell(`${seconds.toFixed(1)} s, ${Math.round(await population.megabytes())} MB`)
  return population
}

async function measure(populations: readonly Population[], rounds: number): Promise<Measured[]> {
  tell('warming up')
  for (const population of populations) await population.round()
  const calls = populations.map((): Record<Operation, number[][]> => ({
    load: [],
    replace: [],
    list: [],
    revokeUser: [],
  }))
  for (let round = 0; round < rounds; round++) {
    for (const at of populations.keys()) {
      // Nobody is always the first.
      const turn = (at + round) % populations.length
      const took = await (populations[turn] as Population).round()
      for (const operation of OPERATIONS) calls[turn]?.[operation].push(took[operation])
    }
    if ((round + 1) % 10 === 0) tell(`round ${round + 1} of ${rounds}`)
  }
  const measured = populations.map(async (population, at) => ({
    sessions: population.sessions,
    megabytes: await population.megabytes(),
    calls: calls[at] as Measured['calls'],
  }))
  return await Promise.all(measured)
}

function linesOf(sizes: readonly Measured[]): Line[] {
  return OPERATIONS.flatMap((operation) => {
    const smallest = sizes[0]?.calls[operation] ?? []
    return sizes.map(({ sessions, calls }) => {
      const rounds = calls[operation]
      const p99 = percentile99(rounds.flat())
      return {
        operation,
        sessions,
        median: median(rounds.map(median)),
        p99,
        ratio: median(rounds.map((round, at) => median(round) / median(smallest[at] ?? []))),
        p99Ratio: p99 / percentile99(smallest.flat()),
      }
    })
  })
}

function percentile99(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right)
  return sorted[Math.ceil(sorted.length * 0.99) - 1] ?? Number.NaN
}

function asTable(lines: readonly Line[], sizes: readonly Measured[], rounds: number): string {
  const rows = lines.map(({ operation, sessions, median: middle, p99, ratio, p99Ratio }) => [
    operation,
    thousands(sessions),
    `${middle.toFixed(3)} ms`,
    ratio.toFixed(2),
    `${p99.toFixed(3)} ms`,
    p99Ratio.toFixed(2),
  ])
  const head = ['', 'sessions', 'median', 'of the smallest', 'p99', 'of the smallest']
  const worst = lines.reduce((most, line) => (line.ratio > most.ratio ? line : most))
  const verdict = worst.ratio <= TARGET ? 'met' : 'missed'
  const text = [
    `One call on the sessions in one Redis, ${SESSIONS_EACH} to a user`,
    '',
    tableOf([head, ...rows]),
    '',
    `Target: no median more than ${TARGET} × that of the smallest. The most is ${worst.ratio.toFixed(2)}, ${worst.operation} at ${thousands(worst.sessions)}: ${verdict}.`,
    ...conditions(rounds),
    `Redis: ${sizes.map(({ sessions, megabytes }) => `${thousands(sessions)} in ${Math.round(megabytes)} MB`).join(', ')}, indexes and all.`,
    machineLine(),
  ]
  return `\n${text.join('\n')}\n`
}

function asJson(lines: readonly Line[], sizes: readonly Measured[], rounds: number): string {
  const memory = sizes.map(({ sessions, megabytes }) => ({ sessions, megabytes }))
  return `${JSON.stringify({ machine: machineLine(), rounds, target: TARGET, lines, memory }, undefined, 2)}\n`
}

function conditions(rounds: number): string[] {
  return [
    `load and replace: calls of the store; list and revokeUser: of the application, each for one user with ${SESSIONS_EACH} sessions. One call after the`,
    `other, on sessions and users by chance. Medians of ${rounds} interleaved rounds; a ratio is the median of the rounds' ratios; p99 over all rounds.`,
    `Each size in a redis-server of its own, nothing kept on disk, on core ${STORE_CORE}; this program on core ${SERVER_CORE}. Holdfast signed every session in.`,
  ]
}

function thousands(value: number): string {
  return value.toLocaleString('en').replaceAll(',', ' ')
}

/** What the benchmark programs have in common: options, progress, the table. */
import { availableParallelism, cpus } from 'node:os'
import { parseArgs } from 'node:util'

import { tableOf } from '../proof/table.ts'
import { compare, type Rounds, type Standing } from './compare.ts'
import type { Contender } from './contender.ts'
import { PINNING } from './cores.ts'
import { LOADER } from './load.ts'

export interface Program {
  readonly title: string
  readonly contenders: readonly Contender[]
  /** The least ratio that a contender has to reach, by name. */
  readonly targets?: Readonly<Record<string, number>>
}

// With Ctrl-C too, what was written is cleared away: by the listeners of this process's end.
process.once('SIGINT', () => process.exit(130))

/** Runs the comparison with the options of the command line, and prints it. */
export async function runProgram({ title, contenders, targets = {} }: Program): Promise<void> {
  const options = readOptions()
  if (typeof options === 'string') {
    process.stderr.write(`${options}\n`)
    process.exitCode = 2
    return
  }
  const { json, ...rounds } = options
  const standings = await compare(contenders, rounds, (line) => process.stderr.write(`${line}\n`))
  const machine = `${cpus()[0]?.model.trim() ?? 'unknown processor'}, ${availableParallelism()} cores; Node ${process.version}; ${LOADER}; ${PINNING}`
  const told = json
    ? JSON.stringify({ title, machine, ...rounds, standings, targets }, undefined, 2)
    : `\n${title}\n\n${table(standings, targets)}\n\n${conditions(rounds)}\n${machine}`
  process.stdout.write(`${told}\n`)
}

function readOptions(): (Rounds & { readonly json: boolean }) | string {
  try {
    const { values } = parseArgs({
      options: {
        rounds: { type: 'string', default: '7' },
        seconds: { type: 'string', default: '3' },
        connections: { type: 'string', default: '32' },
        json: { type: 'boolean', default: false },
      },
    })
    return {
      rounds: whole('rounds', values.rounds),
      seconds: whole('seconds', values.seconds),
      connections: whole('connections', values.connections),
      json: values.json,
    }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    return `${why}\nOptions: --rounds 7 --seconds 3 --connections 32 --json`
  }
}

function table(standings: readonly Standing[], targets: Readonly<Record<string, number>>): string {
  const rows = standings.map(({ name, rates, median, ratio }) => [
    name,
    rate(median),
    `${rate(Math.min(...rates))} – ${rate(Math.max(...rates))}`,
    ratio.toFixed(2),
    targets[name] === undefined ? '' : `≥ ${targets[name].toFixed(2)}`,
  ])
  return tableOf([['', 'requests/s', 'least – most', 'ratio', 'target'], ...rows])
}

function conditions({ rounds, seconds, connections }: Rounds): string {
  return `Median of ${rounds} interleaved rounds of ${seconds} s, ${connections} connections; the ratio is the median of the rounds' ratios to the first line.`
}

function rate(value: number): string {
  return Math.round(value).toLocaleString('en').replaceAll(',', ' ')
}

function whole(option: string, value: string): number {
  if (!/^[1-9]\d{0,5}$/.test(value)) throw new Error(`--${option} takes a whole number above 0, not ${value}`)
  return Number(value)
}

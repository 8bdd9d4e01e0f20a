/** The command line of the benchmark programs. */
import { parseArgs } from 'node:util'

import type { Rounds } from './compare.ts'

export interface Options extends Rounds {
  readonly json: boolean
}

const FULL: Rounds = { rounds: 7, seconds: 3, connections: 32, visitors: 1000 }
const QUICK: Rounds = { rounds: 3, seconds: 1, connections: 32, visitors: 200 }

/** Reads the options. Where they are wrong it says so, and answers `undefined`: the program ends with 2. */
export function readOptions(): Options | undefined {
  try {
    const { values } = parseArgs({
      options: {
        quick: { type: 'boolean', default: false },
        rounds: { type: 'string' },
        seconds: { type: 'string' },
        connections: { type: 'string' },
        visitors: { type: 'string' },
        json: { type: 'boolean', default: false },
      },
    })
    const defaults = values.quick ? QUICK : FULL
    return {
      rounds: whole('rounds', values.rounds, defaults.rounds),
      seconds: whole('seconds', values.seconds, defaults.seconds),
      connections: whole('connections', values.connections, defaults.connections),
      visitors: whole('visitors', values.visitors, defaults.visitors),
      json: values.json,
    }
  } catch (error) {
    return refuse(error, '--rounds 7 --seconds 3 --connections 32 --visitors 1000 --quick --json')
  }
}

/** A whole number above 0, or the default where the option is not there. */
export function whole(option: string, value: string | undefined, standard: number): number {
  if (value === undefined) return standard
  if (!/^[1-9]\d{0,7}$/.test(value)) throw new Error(`--${option} takes a whole number above 0, not ${value}`)
  return Number(value)
}

/** Says what is wrong and what there is. */
export function refuse(error: unknown, known: string): undefined {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\nOptions: ${known}\n`)
  process.exitCode = 2
}

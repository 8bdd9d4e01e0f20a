/** The command line of `npm run bench`. */
import { parseArgs } from 'node:util'

import type { Rounds } from './compare.ts'
import { chosenContenders, type Contender, CONTENDERS, QUICK_CONTENDERS } from './contenders.ts'
import { KINDS, type Work, WORKS } from './work.ts'

const PARTS = [...WORKS, 'latency', 'memory', 'commands', 'scale'] as const
type PartName = (typeof PARTS)[number]

export interface Options {
  readonly contenders: readonly Contender[]
  readonly works: readonly Work[]
  /** Which of the other parts are measured. */
  readonly parts: ReadonlySet<PartName>
  /** How many server processes, one number after the other. */
  readonly processes: readonly number[]
  /** The kinds of work that are measured with more than one process. */
  readonly worksOfSeveral: readonly Work[]
  readonly rounds: Rounds
  /** Requests per second at which latency is measured. */
  readonly rate: number
  /** Seconds of a turn at that rate: long enough that there is something beyond p99.9. */
  readonly latencySeconds: number
  /** Sessions of which memory is measured. */
  readonly sessions: number
  readonly sizes: readonly number[]
  readonly scaleRounds: number
  readonly json: boolean
  readonly full: boolean
}

/** What there is to do. */
export type Task =
  | { readonly task: 'measure'; readonly options: Options }
  | { readonly task: 'charts'; readonly file: string | undefined }
  | { readonly task: 'help' }

const FULL = {
  rounds: { rounds: 7, seconds: 3, connections: 32, visitors: 1000, warmUp: true },
  latencySeconds: 10,
  processes: [1, 2, 4],
  sessions: 10_000,
  sizes: [10_000, 100_000, 1_000_000],
  scaleRounds: 100,
}
const QUICK: typeof FULL = {
  rounds: { rounds: 1, seconds: 1, connections: 32, visitors: 100, warmUp: false },
  latencySeconds: 1,
  processes: [1],
  sessions: 2000,
  sizes: [1000, 10_000],
  scaleRounds: 5,
}
const RATE = 1000

export const HELP: string = `npm run bench [-- options]

Measures Holdfast beside bare servers and beside other session libraries: interleaved rounds, medians, ratios. Writes
what it found to bench/results, and prints it. The full run takes about two hours, the quick one less than two minutes.

  --only <kinds>        ${PARTS.join(',')}
  --contenders <ids>    with * for anything; the bare framework comes along. See below.
  --processes 1,2,4     processes of each server (by default, with several: ${worksOfSeveral(WORKS, undefined).join(' and ')})
  --rounds 7            rounds, in each of which everybody has a turn
  --seconds 3           of each turn
  --connections 32      kept alive by the load
  --visitors 1000       who are signed in and take turns
  --rate ${RATE}           requests per second for latency
  --latency-seconds 10  of each turn at that rate
  --sessions 10000      of which memory is measured
  --sizes 10000,100000,1000000   sessions of the scaling run
  --scale-rounds 100    its rounds
  --quick               one short round of a few of them: shows that everything runs, not how fast
  --json                prints the results as JSON
  --charts [file]       draws the charts of the last results, or of the file's, and measures nothing: those of a full
                        run into docs/pictures, others beside the results
  --help

Kinds
${WORKS.map((work) => `  ${work.padEnd(22)}${KINDS[work].title}`).join('\n')}
  latency               reads at a constant rate: p50, p99, p99.9
  memory                bytes of a session, in the store and in the process
  commands              what each request sends to Redis
  scale                 single calls on 10 000 to 1 000 000 sessions

Contenders (in brackets: only where they are named)
${CONTENDERS.map(({ id, name, extra }) => `  ${(extra === true ? `[${id}]` : id).padEnd(32)}${name}`).join('\n')}
`

/** Reads the command line. Throws where it is wrong. */
export function readTask(args: readonly string[]): Task {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      only: { type: 'string' },
      contenders: { type: 'string' },
      processes: { type: 'string' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      connections: { type: 'string' },
      visitors: { type: 'string' },
      rate: { type: 'string' },
      'latency-seconds': { type: 'string' },
      sessions: { type: 'string' },
      sizes: { type: 'string' },
      'scale-rounds': { type: 'string' },
      quick: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      charts: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return { task: 'help' }
  if (values.charts && positionals.length <= 1) return { task: 'charts', file: positionals[0] }
  if (positionals.length > 0) throw new Error(`nothing is called ${positionals.join(' ')}`)
  const defaults = values.quick ? QUICK : FULL
  const { rounds } = defaults
  const parts = readParts(values.only)
  const works = WORKS.filter((work) => parts.has(work))
  const contenders = listed(values.contenders) ?? (values.quick ? QUICK_CONTENDERS : undefined)
  const given = Object.entries(values).filter(([name, value]) => name !== 'json' && value !== false)
  return {
    task: 'measure',
    options: {
      contenders: chosenContenders(contenders),
      works,
      parts,
      processes: numbers('processes', values.processes, defaults.processes),
      worksOfSeveral: worksOfSeveral(works, values.only),
      rounds: {
        rounds: whole('rounds', values.rounds, rounds.rounds),
        seconds: whole('seconds', values.seconds, rounds.seconds),
        connections: whole('connections', values.connections, rounds.connections),
        visitors: whole('visitors', values.visitors, rounds.visitors),
        warmUp: rounds.warmUp,
      },
      rate: whole('rate', values.rate, RATE),
      latencySeconds: whole('latency-seconds', values['latency-seconds'], defaults.latencySeconds),
      sessions: whole('sessions', values.sessions, defaults.sessions),
      sizes: numbers('sizes', values.sizes, defaults.sizes),
      scaleRounds: whole('scale-rounds', values['scale-rounds'], defaults.scaleRounds),
      json: values.json,
      full: given.length === 0,
    },
  }
}

function readParts(only: string | undefined): ReadonlySet<PartName> {
  const named = listed(only) ?? PARTS
  const unknown = named.filter((name) => !(PARTS as readonly string[]).includes(name))
  if (unknown.length > 0) throw new Error(`--only takes some of ${PARTS.join(', ')}, not ${unknown.join(', ')}`)
  return new Set(named as readonly PartName[])
}

/** Those by which the processes see each other's changes, unless others are named. */
function worksOfSeveral(works: readonly Work[], only: string | undefined): readonly Work[] {
  return only === undefined ? works.filter((work) => work === 'read' || work === 'write') : works
}

function listed(value: string | undefined): string[] | undefined {
  return value
    ?.split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}

function numbers(option: string, value: string | undefined, standard: readonly number[]): readonly number[] {
  return listed(value)?.map((item) => whole(option, item, 0)) ?? standard
}

/** A whole number above 0, or the default where the option is not there. */
function whole(option: string, value: string | undefined, standard: number): number {
  if (value === undefined) return standard
  if (!/^[1-9]\d{0,7}$/.test(value)) throw new Error(`--${option} takes a whole number above 0, not ${value}`)
  return Number(value)
}

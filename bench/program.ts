/** What the benchmark programs have in common: comparisons one after the other, and their tables. */
import { cpus } from 'node:os'

import { tableOf } from '../proof/table.ts'
import { compare, median, ratioOf, type Rounds, type Standing, type Turn, type Work } from './compare.ts'
import type { Contender } from './contender.ts'
import { PINNING } from './cores.ts'
import { LOADER } from './load.ts'
import type { Options } from './options.ts'

/** The least ratio that a contender has to reach to another. */
export interface Target {
  readonly of: string
  readonly over: string
  readonly least: number
  /** What would be better still. */
  readonly stretch?: number
}

export interface Comparison {
  readonly title: string
  readonly work: Work
  /** The first is what all are measured by. */
  readonly contenders: readonly Contender[]
  /** Another contender that all are measured by. */
  readonly peer?: string
  readonly targets?: readonly Target[]
  /** What has to be said below the table. */
  readonly notes?: readonly string[]
}

/** A part of what a program prints. */
export interface Part {
  /** For people. */
  readonly text: string
  /** For programs. */
  readonly json: object
}

// With Ctrl-C too, what was written is cleared away: by the listeners of this process's end.
process.once('SIGINT', () => process.exit(130))

/** Runs one comparison. */
export async function runComparison(comparison: Comparison, rounds: Rounds): Promise<Part> {
  const { title, work, contenders, notes = [] } = comparison
  tell(title)
  const standings = await compare(contenders, work, rounds, tell)
  const text = [title, '', table(comparison, standings), '', ...targetLines(comparison, standings), ...notes]
  return { text: text.join('\n'), json: { ...comparison, standings } }
}

/** Prints what came out, and on what machine. `conditions`: how it was measured. */
export function print(parts: readonly Part[], conditions: readonly string[], { json, ...options }: Options): void {
  const machine = machineLine()
  const written = json
    ? JSON.stringify({ machine, conditions, ...options, parts: parts.map((part) => part.json) }, undefined, 2)
    : `\n${parts.map(({ text }) => text).join('\n\n\n')}\n\n\n${[...conditions, machine].join('\n')}`
  process.stdout.write(`${written}\n`)
}

/** How comparisons are measured, in words. */
export function conditionsOf({ rounds, seconds, connections, visitors }: Rounds): string[] {
  return [
    `Medians of ${rounds} interleaved rounds of ${seconds} s; a ratio is the median of the rounds' ratios. ${connections} connections kept alive by ${LOADER}; ${visitors} visitors, each signed in, take turns. ${PINNING}.`,
    'µs of server: processor time of the server process for each request, whatever else the machine did.',
  ]
}

export function machineLine(): string {
  return `${cpus()[0]?.model.trim() ?? 'unknown processor'}, ${cpus().length} cores; Node ${process.version}`
}

export function tell(line: string): void {
  process.stderr.write(`${line}\n`)
}

function table({ peer }: Comparison, standings: readonly Standing[]): string {
  const first = standings[0] as Standing
  const other = standings.find(({ name }) => name === peer)
  const rows = standings.map((standing) => {
    const rates = standing.turns.map(({ rate }) => rate)
    return [
      standing.name,
      thousands(median(rates)),
      `${thousands(Math.min(...rates))} – ${thousands(Math.max(...rates))}`,
      ratioOf(standing, first).toFixed(2),
      ...(other === undefined ? [] : [ratioOf(standing, other).toFixed(2)]),
      `${middle(standing, 'p50').toFixed(2)} ms`,
      `${middle(standing, 'p99').toFixed(2)} ms`,
      middle(standing, 'used').toFixed(1),
    ]
  })
  const ratios = [`of ${first.name}`, ...(other === undefined ? [] : ['× the peer'])]
  return tableOf([['', 'requests/s', 'least – most', ...ratios, 'p50', 'p99', 'µs of server'], ...rows])
}

function middle({ turns }: Standing, what: keyof Turn): number {
  return median(turns.map((turn) => turn[what]))
}

function targetLines({ targets = [] }: Comparison, standings: readonly Standing[]): string[] {
  const named = (wanted: string): Standing => standings.find(({ name }) => name === wanted) as Standing
  return targets.map(({ of, over, least, stretch }) => {
    const ratio = ratioOf(named(of), named(over))
    const more = stretch === undefined ? '' : ` (stretch: ${stretch.toFixed(2)})`
    return `Target: ${of} at least ${least.toFixed(2)} × ${over}${more}. It is ${ratio.toFixed(2)}: ${verdict(ratio, least, stretch)}.`
  })
}

function verdict(ratio: number, least: number, stretch: number | undefined): string {
  if (ratio < least) return 'missed'
  return stretch !== undefined && ratio >= stretch ? 'met, stretch too' : 'met'
}

function thousands(value: number): string {
  return Math.round(value).toLocaleString('en').replaceAll(',', ' ')
}

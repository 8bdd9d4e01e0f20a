/**
 * The end of an action happens once, over HTTP, behind HAProxy, on two server processes over one store; then the same
 * while the servers are killed: `npm run proof:cycles -- [--store lmdb|redis]… [--cycles N] [--only calm|killing] [--json]`.
 */
import { parseArgs } from 'node:util'

import { closeConnections } from './browser.ts'
import type { StoreName } from './cycle/stage.ts'
import { runTrial, type Figures, type Trial } from './cycle/trial.ts'
import { tableOf } from './table.ts'

interface Options {
  readonly trials: readonly Trial[]
  readonly json: boolean
}

// With Ctrl-C too, what was started and written is cleared away: by the listeners of this process's end.
process.once('SIGINT', () => process.exit(130))

const options = readOptions()
if (typeof options === 'string') {
  process.stderr.write(options)
  process.exitCode = 2
} else {
  await main(options)
}

async function main({ trials, json }: Options): Promise<void> {
  const figures: Figures[] = []
  for (const trial of trials) {
    process.stderr.write(`${titleOf(trial)}: ${trial.cycles} cycles …\n`)
    figures.push(await runTrial(trial))
  }
  closeConnections()
  const violations = figures.flatMap((one) => one.violations)
  if (json) process.stdout.write(`${JSON.stringify(trials.map((trial, at) => ({ ...trial, ...figures[at] })))}\n`)
  else
    process.stdout.write(
      `\n${asTable(trials, figures)}\n${violations
        .slice(0, 20)
        .map((one) => `\n${one}`)
        .join('')}\n`,
    )
  process.exitCode = violations.length > 0 ? 1 : 0
}

function asTable(trials: readonly Trial[], figures: readonly Figures[]): string {
  const row = (name: string, cell: (figures: Figures) => string | number): string[] => [
    name,
    ...figures.map((one) => String(cell(one))),
  ]
  return tableOf([
    ['HAProxy, two server processes, one store', ...trials.map(titleOf)],
    row('cycles', ({ cycles }) => cycles),
    row('servers killed with -9', ({ killed }) => killed),
    row('servers stopped for longer than the lease', ({ halted }) => halted),
    row('final submissions, 2 to 5 at once for each cycle', ({ submissions }) => submissions),
    row('  answered by server A, by server B', ({ servers }) => `${servers['A'] ?? 0}, ${servers['B'] ?? 0}`),
    row('effects in the ledger', ({ effects }) => effects),
    row('duplicates that got the first outcome', ({ repeated }) => repeated),
    row('told to ask again, because it still runs', ({ busy }) => busy),
    row('not answered, because a server died', ({ lost }) => lost),
    row('cycles in doubt: it had happened', ({ doubtHappened }) => doubtHappened),
    row('cycles in doubt: it had not', ({ doubtNot }) => doubtNot),
    row('longest wait for an outcome, ms (lease 2 000)', ({ longest }) => Math.round(longest)),
    row('violations', ({ violations }) => violations.length),
  ])
}

function titleOf({ store, killing }: Trial): string {
  return `${store === 'lmdb' ? 'LMDB' : 'Redis'}${killing ? ', servers die' : ''}`
}

function readOptions(): Options | string {
  try {
    const { values } = parseArgs({
      options: {
        store: { type: 'string', multiple: true, default: ['lmdb', 'redis'] },
        cycles: { type: 'string', default: '1000' },
        only: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
    if (values.help) return usage()
    const cycles = Number(values.cycles)
    if (!Number.isInteger(cycles) || cycles < 1) throw new Error(`'${values.cycles}' is no number of cycles.`)
    const kinds = [false, true].filter(
      (killing) => values.only === undefined || (values.only === 'killing') === killing,
    )
    const stores = values.store.map(storeNamed)
    return {
      trials: kinds.flatMap((killing) => stores.map((store) => ({ store, cycles, killing }))),
      json: values.json,
    }
  } catch (error) {
    return `${error instanceof Error ? error.message : String(error)}\n\n${usage()}`
  }
}

function storeNamed(name: string): StoreName {
  if (name === 'lmdb' || name === 'redis') return name
  throw new Error(`There is no store ${name}.`)
}

function usage(): string {
  return `npm run proof:cycles -- [--store NAME]… [--cycles N] [--only calm|killing] [--json]

  --store    lmdb, redis; both by default
  --cycles   how many; 1000 by default
  --only     with servers that live, or with servers that are killed
  --json     what came out, for programs
`
}

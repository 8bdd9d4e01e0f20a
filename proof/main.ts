/** The proof: `npm run proof`. */
import { unexcused } from './checker/check.ts'
import { RULES, type RuleName } from './checker/violations.ts'
import { importing } from './mutants/importing.ts'
import { mutantsTable } from './mutants/table.ts'
import { installPeers } from './peers.ts'
import { forgottenTable } from './report/forgotten-table.ts'
import { afterProgress, progressOn } from './report/progress.ts'
import { mannersOf } from './report/shown.ts'
import { writeReport } from './report/write.ts'
import { type Options, type Planned, readOptions, usage } from './scenario/options.ts'
import { type Finished, run } from './scenario/run.ts'
import { tableOf } from './table.ts'

const DAY = 86_400_000
/** So many violations are told in words. */
const TOLD_MOST = 20

// With Ctrl-C too, what was started and written is cleared away: by the listeners of this process's end.
process.once('SIGINT', () => process.exit(130))

const asked = read()
if (typeof asked === 'string') {
  process.stderr.write(asked)
  process.exitCode = 2
} else {
  await main(asked)
}

function read(): Options | string {
  try {
    const options = readOptions(process.argv.slice(2), Math.floor(Date.now() / DAY))
    return options === 'help' ? usage() : options
  } catch (error) {
    return `${error instanceof Error ? error.message : String(error)}\n\n${usage()}`
  }
}

async function main(options: Options): Promise<void> {
  if (options.runs.some(({ target }) => target !== 'holdfast')) installPeers()
  const finished: Finished[] = []
  try {
    for (const planned of options.runs) finished.push(await carryOut(planned, options))
    process.exitCode = options.runs.every((planned, at) => isAsExpected(planned, finished[at])) ? 0 : 1
  } finally {
    // Where one run could not be carried out, those before it are told all the same.
    conclude(options, finished)
  }
}

async function carryOut(planned: Planned, { seed, visitors }: Options): Promise<Finished> {
  const title = titleOf(planned)
  process.stderr.write(`${title}: ${planned.seconds} s, seed ${seed} …\n`)
  const { mutant, ...rest } = planned
  const made = mutant && { name: mutant.name, options: importing(mutant.name) }
  const one = await run({
    ...rest,
    ...(made && { mutant: made }),
    seed,
    visitors,
    progress: progressOn(process.stderr, planned.seconds),
  })
  const bad = unexcused(one.violations)
  afterProgress(process.stderr, `${title}: ${one.history.operations.length} requests, ${bad.length} violations`)
  for (const { text, name } of bad.slice(0, isFaulty(planned) ? 1 : TOLD_MOST))
    process.stderr.write(`  ${name}: ${text}\n`)
  return one
}

function conclude({ runs, seed, visitors, report }: Options, finished: readonly Finished[]): void {
  const carriedOut = runs.slice(0, finished.length)
  for (const table of tablesOf(carriedOut, finished)) process.stdout.write(`\n${table}\n`)
  if (report === undefined) return
  const shown = carriedOut.map((planned, at) => ({
    ...(finished[at] as Finished),
    faulty: isFaulty(planned),
    ...(planned.mutant !== undefined && { expected: planned.mutant.caughtAs }),
    command: commandOf(planned, seed, visitors),
  }))
  const command = `npm run proof -- ${process.argv.slice(2).join(' ')}`
  process.stdout.write(`\n${writeReport(report, { at: new Date().toISOString(), command, runs: shown })}\n`)
}

/** A control or a mutant in which nothing is found shows that the checker finds nothing. */
function isAsExpected(planned: Planned, finished: Finished | undefined): boolean {
  const found = unexcused(finished?.violations ?? [])
  if (planned.mutant !== undefined) return found.some(({ name }) => planned.mutant?.caughtAs.includes(name))
  return isFaulty(planned) ? found.length > 0 : found.length === 0
}

/** Whether something has to be found. */
function isFaulty({ target, mutant }: Planned): boolean {
  return target !== 'holdfast' || mutant !== undefined
}

/** The scenarios and the controls, then the mutants. */
function tablesOf(runs: readonly Planned[], finished: readonly Finished[]): string[] {
  const all = runs.map((planned, at) => [planned, finished[at] as Finished] as const)
  const plain = all.filter(([{ mutant }]) => mutant === undefined)
  const mutants = all.flatMap(([{ mutant }, one]) => (mutant === undefined ? [] : [[mutant, one] as const]))
  const forgotten = forgottenTable(all.flatMap(([planned, { violations }]) => (isFaulty(planned) ? [] : violations)))
  return [
    ...(plain.length > 0
      ? [
          asTable(
            plain.map(([planned]) => planned),
            plain.map(([, one]) => one),
          ),
        ]
      : []),
    ...(forgotten === undefined ? [] : [forgotten]),
    ...(mutants.length > 0 ? [mutantsTable(mutants)] : []),
  ]
}

function asTable(runs: readonly Planned[], finished: readonly Finished[]): string {
  const row = (name: string, cell: (one: Finished) => string | number): string[] => [
    name,
    ...finished.map((one) => String(cell(one))),
  ]
  const found = (one: Finished, rule: RuleName): string => {
    const all = one.violations.filter(({ name }) => name === rule)
    const excused = all.length - unexcused(all).length
    return `${all.length - excused}${excused > 0 ? ` (+${excused})` : ''}`
  }
  return tableOf([
    ['(+n): where the store itself forgot', ...runs.map(titleOf)],
    row('requests', ({ history }) => history.operations.length),
    row(
      '  not answered, or with an error',
      ({ history }) => history.operations.filter(({ status }) => status === 0 || status >= 500).length,
    ),
    row('faults', ({ history }) => history.faults.length),
    ...(Object.keys(RULES) as RuleName[]).map((rule) => row(rule, (one) => found(one, rule))),
  ])
}

/** What repeats one of the runs. */
function commandOf(
  { scenario, store, target, durability, namespaces, seconds, mutant }: Planned,
  seed: number,
  visitors: number,
): string {
  if (mutant !== undefined)
    return `npm run proof -- --mutant ${mutant.name} --seconds ${seconds} --seed ${seed} --visitors ${visitors}`
  const options = [`--store ${store}`, `--seconds ${seconds}`, `--seed ${seed}`, `--visitors ${visitors}`]
  if (target !== 'holdfast') options.push(`--target ${target}`)
  if (durability === 'replicated') options.push('--replicated')
  if (namespaces === true) options.push('--namespaces')
  return `npm run proof -- ${scenario.name} ${options.join(' ')}`
}

function titleOf({ scenario, store, target, durability, namespaces, mutant }: Planned): string {
  const on = target === 'holdfast' ? store : `${target}/${store}`
  const what = mutant === undefined ? scenario.name : `mutant ${mutant.name}`
  return [`${what}/${on}`, ...mannersOf({ durability, namespaces })].join(', ')
}

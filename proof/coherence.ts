/**
 * Nobody reads behind what he wrote or saw, and nobody behind the bound, whatever becomes of the news of changes: browsers
 * behind HAProxy, on four server processes over one Redis; then the same with a protection taken out, which must be noticed:
 * `npm run proof:coherence -- [--quick] [--break floor-off|flush-off|mark-off|age-off]… [--whole] [--json]`.
 */
import { parseArgs } from 'node:util'

import { closeConnections } from './browser.ts'
import { isWrongRead, type Spread, spreadOf, type Violation } from './coherence/ledger.ts'
import { BREAKS, FULL, QUICK, withoutProtection } from './coherence/plans.ts'
import { type Break, type Figures, runTrial, type Trial } from './coherence/trial.ts'
import { tableOf } from './table.ts'

interface Options {
  readonly trials: readonly Trial[]
  readonly breaks: readonly Break[]
  readonly json: boolean
}

const SHOWN_MOST = 5

// With Ctrl-C too, what was started and written is cleared away: by the listeners of this process's end.
process.once('SIGINT', () => process.exit(130))

const options = readOptions()
if (typeof options === 'string') {
  process.stderr.write(options)
  process.exitCode = 2
} else {
  await main(options)
}

async function main({ trials, breaks, json }: Options): Promise<void> {
  const whole = await runAll(trials)
  const broken = await runAll(breaks.map(withoutProtection))
  closeConnections()
  if (json) process.stdout.write(`${JSON.stringify([...whole, ...broken])}\n`)
  else {
    if (whole.length > 0) process.stdout.write(`\n${asTable(whole)}\n${listOf(whole.flatMap(violationsOf))}`)
    for (const one of broken) process.stdout.write(`\n${foundWithout(one)}`)
  }
  const unnoticed = broken.some((one) => !one.violations.some(isWrongRead))
  process.exitCode = unnoticed || whole.some(({ violations }) => violations.length > 0) ? 1 : 0
}

async function runAll(trials: readonly Trial[]): Promise<readonly Figures[]> {
  const figures: Figures[] = []
  for (const trial of trials) {
    const without = trial.broken === undefined ? '' : `, ${trial.broken}`
    process.stderr.write(`four servers, maxAge ${trial.maxAge}${without}: ${trial.sessions} sessions sign in …\n`)
    const done = ({ phase, violations }: Figures): void =>
      void process.stderr.write(`  news ${phase.channel}: ${violations.length} violations\n`)
    figures.push(...(await runTrial(trial, done)))
  }
  return figures
}

function asTable(all: readonly Figures[]): string {
  const row = (name: string, cell: (figures: Figures) => string | number): string[] => [
    name,
    ...all.map((one) => String(cell(one))),
  ]
  return tableOf([
    ['HAProxy, four server processes, one Redis; the channels:', ...all.map(({ phase }) => phase.channel)],
    row('maxAge of the near cache', ({ trial }) => trial.maxAge),
    row('sessions visited, browsers in them', ({ sessions, browsers }) => `${sessions}, ${browsers}`),
    row('news of changes', ({ damage }) => damage.news),
    row('  held back, overtaken', ({ damage }) => `${damage.late}, ${damage.overtaken}`),
    row('  lost, and channels broken', ({ damage }) => `${damage.lost}, ${damage.breaks}`),
    row('everything dropped, times', ({ near }) => near.flushed),
    row(
      'reads, served from near',
      ({ waiting, overlapping, share }) => `${waiting.reads + overlapping.reads}, ${Math.round(share * 100)} %`,
    ),
    row('each server’s share of the requests, %', ({ near }) => sharesOf(near.asked)),
    row('additions', ({ waiting, overlapping }) => waiting.additions + overlapping.additions),
    row('not answered (503)', ({ waiting, overlapping }) => waiting.unavailable + overlapping.unavailable),
    row('browsers that wait: behind their own writes', ({ waiting }) => waiting.ownWrite),
    row('browsers that wait: reads going back', ({ waiting }) => waiting.goingBack),
    row('  behind other browsers: reads', ({ waiting }) => waiting.staleness.length),
    row('  by ms: p50, p99, most', ({ waiting }) => spread(spreadOf(waiting.staleness))),
    row('browsers that do not: behind the session, reads', ({ overlapping }) => overlapping.staleness.length),
    row('  by ms: p50, p99, most', ({ overlapping }) => spread(spreadOf(overlapping.staleness))),
    row('ends, and reads of thieves from near', ({ ends, stolen }) => `${ends.number}, ${stolen}`),
    row('  they read on, ms: p50, p99, most', ({ ends }) => spread(ends)),
    row('violations', ({ violations }) => violations.length),
  ])
}

function sharesOf(counts: readonly number[]): string {
  const all = counts.reduce((sum, count) => sum + count, 0)
  return counts.map((count) => Math.round((count / all) * 100)).join(' ')
}

function spread({ number, p50, p99, most }: Spread): string {
  return number === 0 ? '–' : [p50, p99, most].map((time) => Math.round(time)).join(', ')
}

function foundWithout(figures: Figures): string {
  const { trial, phase, waiting, overlapping } = figures
  const wrong = figures.violations.filter(isWrongRead)
  const by = (rule: Violation['rule']): number => wrong.filter((one) => one.rule === rule).length
  const counts = `${by('own-write')} behind own writes, ${by('going-back')} going back, ${by('bound')} beyond the bound`
  const head = `With ${trial.broken}, news ${phase.channel}: of ${waiting.reads + overlapping.reads} reads ${counts}`
  return `${head}${wrong.length === 0 ? ': NOT NOTICED' : ''}\n${listOf(wrong.map(({ text }) => text))}`
}

function violationsOf({ phase, violations }: Figures): string[] {
  return violations.map(({ rule, text }) => `${phase.channel}: ${rule}: ${text}`)
}

function listOf(texts: readonly string[]): string {
  const shown = texts.slice(0, SHOWN_MOST).map((text) => `  ${text}\n`)
  return [...shown, texts.length > SHOWN_MOST ? `  and ${texts.length - SHOWN_MOST} more\n` : ''].join('')
}

function readOptions(): Options | string {
  try {
    const { values } = parseArgs({
      options: {
        quick: { type: 'boolean', default: false },
        break: { type: 'string', multiple: true },
        whole: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
    if (values.help) return usage()
    const plan = values.quick ? QUICK : FULL
    const asked = values.break?.map(breakNamed)
    return {
      trials: asked === undefined ? plan : [],
      breaks: asked ?? (values.quick || values.whole ? [] : BREAKS),
      json: values.json,
    }
  } catch (error) {
    return `${error instanceof Error ? error.message : String(error)}\n\n${usage()}`
  }
}

function breakNamed(name: string): Break {
  const found = BREAKS.find((one) => one === name)
  if (found === undefined) throw new Error(`'${name}' is none of ${BREAKS.join(', ')}.`)
  return found
}

function usage(): string {
  return `npm run proof:coherence -- [--quick] [--whole] [--break NAME]… [--json]

  --quick   small, and with nothing taken out
  --whole   in full, and with nothing taken out
  --break   only with this taken out of the near cache: ${BREAKS.join(', ')}; ends with 1 if that is not noticed
  --json    what came out, for programs
`
}

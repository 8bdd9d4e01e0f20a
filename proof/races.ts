/**
 * The races that break sessions behind a load balancer, run over HTTP against two server processes:
 * `npm run proof:races -- [--target express/lmdb]… [--race WORD] [--quick] [--json]`.
 */
import { parseArgs } from 'node:util'

import { closeConnections } from './browser.ts'
import { installPeers } from './peers.ts'
import { DROP_IN_RACES, RACES, type Race, type Size } from './race/index.ts'
import { runRaces, type Outcome } from './race/run.ts'
import { nameOf, type Target } from './site.ts'
import { tableOf } from './table.ts'

const TARGETS: readonly Target[] = [
  { kind: 'holdfast', adapter: 'express', store: 'lmdb' },
  { kind: 'holdfast', adapter: 'express', store: 'redis' },
  { kind: 'holdfast', adapter: 'fastify', store: 'lmdb' },
  { kind: 'holdfast', adapter: 'fastify', store: 'redis' },
  { kind: 'holdfast', adapter: 'fastify', store: 'sentinel' },
  { kind: 'holdfast', adapter: 'fastify', store: 'cluster' },
  { kind: 'express-session', by: 'drop-in', keeping: 'holdfast' },
  { kind: 'express-session', by: 'drop-in', keeping: 'connect-redis' },
  { kind: 'express-session', by: 'original', keeping: 'connect-redis' },
]

interface Options {
  readonly targets: readonly Target[]
  readonly races: readonly Race[]
  readonly size: Size
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

function readOptions(): Options | string {
  try {
    const { values } = parseArgs({
      options: {
        target: { type: 'string', multiple: true, default: ['express/lmdb', 'fastify/redis', 'express-session'] },
        race: { type: 'string', default: '' },
        quick: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
    const races = RACES.filter((race) => race.name.includes(values.race))
    if (races.length === 0) throw new Error(`No race has '${values.race}' in its name.`)
    if (values.help) return usage()
    return {
      targets: values.target.flatMap(targetsOf),
      races,
      size: values.quick ? 'quick' : 'full',
      json: values.json,
    }
  } catch (error) {
    return `${error instanceof Error ? error.message : String(error)}\n\n${usage()}`
  }
}

async function main({ targets, races, size, json }: Options): Promise<void> {
  if (targets.some((target) => target.kind === 'express-session')) installPeers()
  const columns: Map<Race, Outcome>[] = []
  for (const target of targets) columns.push(await column(target, races, size))
  closeConnections()
  process.stdout.write(json ? asJson(targets, races, columns) : asTable(targets, races, columns))
  const broken = columns.some((outcomes, at) =>
    promisedBy(targets[at] as Target).some((race) => outcomes.has(race) && isBroken(outcomes.get(race))),
  )
  process.exitCode = broken ? 1 : 0
}

function targetsOf(name: string): readonly Target[] {
  const found = name === 'all' ? TARGETS : TARGETS.filter((target) => nameOf(target) === name)
  if (found.length === 0) throw new Error(`There is no target ${name}.`)
  return found
}

async function column(target: Target, races: readonly Race[], size: Size): Promise<Map<Race, Outcome>> {
  return runRaces(target, races, size, (race, outcome) => {
    process.stderr.write(`${nameOf(target)}: ${race.name}: ${told(race, outcome)}\n`)
  })
}

/** The races that a target has to win. */
function promisedBy(target: Target): readonly Race[] {
  if (target.kind === 'holdfast') return RACES
  return target.by === 'original' ? [] : DROP_IN_RACES[target.keeping]
}

function isBroken(outcome: Outcome | undefined): boolean {
  return outcome === undefined || 'failed' in outcome || outcome.wrong > 0
}

function told(race: Race, outcome: Outcome): string {
  if ('failed' in outcome) return `not finished: ${outcome.failed}`
  return `${outcome.wrong} of ${outcome.of} ${race.wrong}${outcome.note === undefined ? '' : ` (${outcome.note})`}`
}

function asTable(targets: readonly Target[], races: readonly Race[], columns: readonly Map<Race, Outcome>[]): string {
  const heads = targets.map(headOf)
  const others = targets.some((target) => target.kind !== 'holdfast')
  const notes = others ? [...new Set(races.flatMap((race) => race.unlike ?? []))] : []
  const rows = races.map((race) => {
    const mark = race.unlike === undefined ? '' : ` [${notes.indexOf(race.unlike) + 1}]`
    const cells = targets.map((target, at) => cellOf(columns[at]?.get(race)) + (target.kind === 'holdfast' ? '' : mark))
    return [`${race.name}: ${race.wrong}`, ...cells]
  })
  const table = tableOf([['two server processes, one store', ...heads], ...rows])
  return `\n${[table, ...notes.map((note, at) => `[${at + 1}] ${note}`)].join('\n')}\n`
}

function headOf(target: Target): string {
  if (target.kind === 'holdfast') return `Holdfast ${nameOf(target)}`
  const store = target.keeping === 'holdfast' ? 'holdfastStore' : 'connect-redis'
  return `${target.by === 'original' ? 'express-session' : 'drop-in'} + ${store}`
}

function cellOf(outcome: Outcome | undefined): string {
  return outcome === undefined || 'failed' in outcome ? 'not finished' : `${outcome.wrong} of ${outcome.of}`
}

function asJson(targets: readonly Target[], races: readonly Race[], columns: readonly Map<Race, Outcome>[]): string {
  const results = targets.flatMap((target, at) =>
    races.map((race) => ({
      target: nameOf(target),
      race: race.name,
      wrong: race.wrong,
      outcome: columns[at]?.get(race),
    })),
  )
  return `${JSON.stringify(results, undefined, 2)}\n`
}

function usage(): string {
  return `npm run proof:races -- [--target NAME]… [--race WORD] [--quick] [--json]

  --target   ${['all', ...TARGETS.map(nameOf)].join(', ')}; repeat it for several
  --race     only the races with this word in their name
  --quick    fewer rounds
  --json     what came out, for programs
`
}

/** The simulation: `npm run proof:simulation`. */
import { fork } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

import { importing } from './mutants/importing.ts'
import type { Mutant } from './mutants/mutant.ts'
import { MUTANTS, mutantNamed } from './mutants/mutants.ts'
import type { Schedule } from './simulation/plan.ts'
import type { Found, Searched, Searching } from './simulation/search.ts'
import { virtualTime } from './simulation/virtual.ts'
import { carryOut } from './simulation/world.ts'
import { tableOf } from './table.ts'

interface Options {
  readonly seconds: number
  readonly seed: number
  readonly jobs: number
  readonly mutants: readonly Mutant[]
  readonly schedule: string | undefined
  readonly keep: string | undefined
}

const DAY = 86_400_000
const SECONDS = 20
/** At most, for each mutant: some need twenty thousand schedules. */
const SECONDS_OF_MUTANT = 120
const SEARCHER = fileURLToPath(new URL('simulation/searcher.js', import.meta.url))
const SIMULATED = MUTANTS.filter(({ simulated }) => simulated !== undefined)

process.once('SIGINT', () => process.exit(130))

const asked = read()
if (typeof asked === 'string') {
  process.stderr.write(asked)
  process.exitCode = 2
} else if (asked.schedule !== undefined) {
  await repeat(asked.schedule)
} else if (asked.mutants.length > 0) {
  await tryMutants(asked)
} else {
  await searchOnce(asked)
}

async function searchOnce(options: Options): Promise<void> {
  const began = performance.now()
  const searched = await searchWith(options)
  const seconds = (performance.now() - began) / 1_000
  const schedules = sum(searched, (one) => one.schedules)
  const requests = sum(searched, (one) => one.requests)
  process.stdout.write(
    `${schedules} schedules with ${requests} requests in ${seconds.toFixed(1)} s: ${Math.round(schedules / seconds)} a second, from seed ${options.seed} on\n`,
  )
  const found = firstOf(searched)
  if (found === undefined) return void process.stdout.write('Everything held.\n')
  process.stdout.write(`\n${inWords(found)}\n`)
  keep(options, found)
  process.exitCode = 1
}

async function tryMutants(options: Options): Promise<void> {
  const rows: string[][] = []
  let missed = 0
  for (const mutant of options.mutants) {
    process.stderr.write(`${mutant.name} … `)
    const searched = await searchWith(options, mutant)
    const found = firstOf(searched)
    const isMeant = found !== undefined && (mutant.simulated ?? []).includes(found.violation.name)
    if (!isMeant) missed++
    const answer = found === undefined ? 'NO' : `${isMeant ? '' : 'NO: '}${found.violation.name}`
    process.stderr.write(`${answer}\n`)
    rows.push([
      mutant.name,
      mutant.invariant,
      answer,
      String(sum(searched, (one) => one.schedules)),
      found === undefined ? '' : String(found.seed),
      found === undefined ? '' : `${found.drawn} → ${found.schedule.deeds.length}`,
    ])
    if (found === undefined || options.mutants.length > 1) continue
    process.stdout.write(`\n${inWords(found)}\n`)
    keep(options, found)
  }
  const head = ['mutant', 'invariant', 'found as', 'after schedules', 'seed', 'requests → shrunk']
  process.stdout.write(`\n${tableOf([head, ...rows])}\n`)
  process.exitCode = missed === 0 ? 0 : 1
}

function keep({ keep: file }: Options, { schedule }: Found): void {
  if (file !== undefined) writeFileSync(file, `${JSON.stringify(schedule, undefined, 2)}\n`)
}

/** One schedule again, with its story. */
async function repeat(file: string): Promise<void> {
  const schedule = JSON.parse(readFileSync(file, 'utf8')) as Schedule
  const { time, uninstall } = virtualTime()
  const { story, violations } = await carryOut(schedule, time, { story: true })
  uninstall()
  const told = violations.map(({ name, text }) => `${name}: ${text}`)
  process.stdout.write(`${[...story, '', ...(told.length > 0 ? told : ['Everything held.'])].join('\n')}\n`)
  process.exitCode = violations.length > 0 ? 1 : 0
}

/** In as many processes as there are cores, which share the seeds. */
function searchWith({ seconds, seed, jobs }: Options, mutant?: Mutant): Promise<Searched[]> {
  const execArgv = mutant === undefined ? [] : importing(mutant.name)
  const searches = Array.from({ length: jobs }, (_, at) => {
    const searching: Searching = {
      seed: seed + at,
      step: jobs,
      milliseconds: seconds * 1_000,
      most: Number.MAX_SAFE_INTEGER,
    }
    return new Promise<Searched>((resolve, reject) => {
      const process = fork(SEARCHER, [JSON.stringify(searching)], { execArgv: [...execArgv] })
      process.once('message', (searched) => resolve(searched as Searched))
      process.once('exit', (code) => reject(new Error(`a search ended with ${code} and without a word`)))
    })
  })
  return Promise.all(searches)
}

function firstOf(searched: readonly Searched[]): Found | undefined {
  return searched.flatMap(({ found }) => found ?? []).toSorted((left, right) => left.seed - right.seed)[0]
}

function inWords({ seed, violation, schedule, story }: Found): string {
  const { servers, nearCache, durability } = schedule
  return [
    `${violation.name}, seed ${seed}: ${violation.text}`,
    `The shortest that shows it: ${schedule.deeds.length} deeds, ${servers} servers, near cache ${nearCache ? 'on' : 'off'}, durability ${durability}`,
    ...story,
  ].join('\n')
}

function sum(searched: readonly Searched[], of: (one: Searched) => number): number {
  return searched.reduce((all, one) => all + of(one), 0)
}

function read(): Options | string {
  try {
    const { values } = parseArgs({
      options: {
        seconds: { type: 'string' },
        seed: { type: 'string', default: String(Math.floor(Date.now() / DAY) * 1_000_000) },
        jobs: { type: 'string', default: String(availableParallelism()) },
        mutant: { type: 'string', multiple: true, default: [] },
        mutants: { type: 'boolean', default: false },
        schedule: { type: 'string' },
        keep: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    })
    if (values.help) return usage()
    const mutants = values.mutants ? SIMULATED : values.mutant.map(mutantNamed)
    const { seconds = String(mutants.length > 0 ? SECONDS_OF_MUTANT : SECONDS) } = values
    return {
      seconds: numberOf('seconds', seconds),
      seed: numberOf('seed', values.seed),
      jobs: numberOf('jobs', values.jobs),
      mutants,
      schedule: values.schedule,
      keep: values.keep,
    }
  } catch (error) {
    return `${error instanceof Error ? error.message : String(error)}\n\n${usage()}`
  }
}

function numberOf(what: string, text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1)
    throw new Error(`--${what} is a whole number from 1, and not '${text}'.`)
  return value
}

function usage(): string {
  return `npm run proof:simulation [-- options]

The core of two or three servers, their store, the network between them and the clocks, simulated in one process: what
visitors do and what goes wrong is drawn from a seed, and the checker of the proof decides what held. What breaks a rule is
made as short as it goes and told. Ends with 1 where something did not hold.

Options
  --seconds N      how long. By default ${SECONDS}, and for a mutant ${SECONDS_OF_MUTANT} at most
  --seed N         the first one; each next schedule has the next. By default another one each day
  --jobs N         how many processes share the work. By default one for each core
  --mutants        with a protection taken out of our own code, one after the other, each until it shows, for --seconds at
                   most: ends with 1 where one does not
  --mutant NAME    one of them; repeat it for several
                   ${SIMULATED.map(({ name }) => name).join(', ')}
  --keep FILE      writes the shortest schedule that breaks a rule
  --schedule FILE  carries that one out again, and tells what happens
  --help
`
}

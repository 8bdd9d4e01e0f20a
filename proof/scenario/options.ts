/** What `npm run proof` is asked for. */
import { parseArgs } from 'node:util'

import type { StoreName, Target } from '../history/history.ts'
import type { Mutant } from '../mutants/mutant.ts'
import { MUTANTS, mutantNamed } from '../mutants/mutants.ts'
import { scenarioOf, secondsOf } from '../mutants/scenario.ts'
import { type Scenario, SCENARIOS, secondsFor } from './scenarios.ts'

/** One run of the programme. */
export interface Planned {
  readonly scenario: Scenario
  readonly store: StoreName
  readonly target: Target
  readonly durability: 'primary' | 'replicated'
  readonly namespaces?: boolean
  readonly seconds: number
  /** What is taken out of the servers. */
  readonly mutant?: Mutant
}

export interface Options {
  readonly runs: readonly Planned[]
  readonly seed: number
  readonly visitors: number
  /** Where the report goes. */
  readonly report: string | undefined
}

const STORES: readonly StoreName[] = ['lmdb', 'redis', 'sentinel', 'cluster']
/** Between whose servers lines can be broken. */
const OF_SEVERAL: readonly StoreName[] = ['sentinel', 'cluster']
const TARGETS: readonly Target[] = ['holdfast', 'express-session', '@fastify/session']
const SECONDS = 30
const VISITORS = 40

/** What shows within three minutes that all of it works. */
const QUICK: readonly (readonly [scenario: string, store: StoreName, seconds: number, target?: Target])[] = [
  ['kill', 'lmdb', 10],
  ['chaos', 'redis', 14],
  ['store', 'sentinel', 18],
  ['calm', 'redis', 5, 'express-session'],
]

const QUICK_MUTANTS = ['version-ignored', 'previous-kept'] as const
const QUICK_SECONDS = 6
/** Options that say what is run: `--quick` says it itself. */
const OF_ITS_OWN = ['store', 'target', 'seconds', 'replicated', 'namespaces', 'mutant'] as const

/** Throws an `Error` for people. */
export function readOptions(args: readonly string[], seedOfDay: number): Options | 'help' {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      store: { type: 'string', multiple: true },
      target: { type: 'string', default: 'holdfast' },
      seconds: { type: 'string' },
      visitors: { type: 'string', default: String(VISITORS) },
      seed: { type: 'string', default: String(seedOfDay) },
      replicated: { type: 'boolean', default: false },
      namespaces: { type: 'boolean', default: false },
      mutant: { type: 'string', multiple: true },
      mutants: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      report: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  const seed = numberOf('seed', values.seed)
  const visitors = numberOf('visitors', values.visitors)
  const general = { seed, visitors, report: values.report }
  if (values.quick) {
    if (positionals.length > 0 || OF_ITS_OWN.some((name) => args.some((arg) => arg.startsWith(`--${name}`))))
      throw new Error('--quick has its own scenarios and stores: name none.')
    return {
      ...general,
      runs: [...QUICK.map(quickRun), ...QUICK_MUTANTS.map((name) => mutantRun(mutantNamed(name), QUICK_SECONDS))],
    }
  }
  if (values.mutants || values.mutant !== undefined) {
    if (positionals.length > 0 || values.store !== undefined || values.replicated || values.namespaces)
      throw new Error('A mutant has a scenario and a store of its own: name none.')
    const mutants = values.mutant?.map(mutantNamed) ?? MUTANTS.filter(({ shows }) => shows !== undefined)
    const seconds = values.seconds === undefined ? undefined : numberOf('seconds', values.seconds)
    return { ...general, runs: mutants.map((mutant) => mutantRun(mutant, seconds)) }
  }
  const target = oneOf('target', values.target, TARGETS)
  const scenarios =
    positionals.length === 0 ? SCENARIOS.filter(({ byName }) => byName !== true) : positionals.map(scenarioNamed)
  const stores = (values.store ?? (target !== 'holdfast' ? ['redis'] : values.namespaces ? OF_SEVERAL : STORES)).map(
    (name) => oneOf('store', name, STORES),
  )
  if (target !== 'holdfast' && stores.some((store) => store !== 'redis'))
    throw new Error(`${target} is tried on Redis: leave out --store, or say --store redis.`)
  if (values.namespaces && stores.some((store) => !OF_SEVERAL.includes(store)))
    throw new Error(`Namespaces are for Redis of several servers: --store ${OF_SEVERAL.join(', ')}.`)
  const durability = values.replicated ? 'replicated' : 'primary'
  const runs = stores.flatMap((store) =>
    scenarios
      .filter((scenario) => scenario.stores.includes(store))
      .map((scenario) => {
        const seconds =
          values.seconds === undefined ? defaultSeconds(scenario, store) : numberOf('seconds', values.seconds)
        return { scenario, store, target, durability, namespaces: values.namespaces, seconds } as const
      }),
  )
  return { ...general, runs }
}

function quickRun([name, store, seconds, target = 'holdfast']: (typeof QUICK)[number]): Planned {
  return { scenario: scenarioNamed(name), store, target, durability: 'primary', seconds }
}

function mutantRun(mutant: Mutant, seconds?: number): Planned {
  const { name, shows } = mutant
  if (shows === undefined)
    throw new Error(`Visitors do not see the mutant '${name}' in a short run: npm run proof:mutants -- --only ${name}`)
  const { store, durability = 'primary' } = shows
  const scenario = scenarioOf(mutant, shows)
  return { scenario, store, target: 'holdfast', durability, seconds: seconds ?? secondsOf(shows), mutant }
}

function defaultSeconds(scenario: Scenario, store: StoreName): number {
  return Math.max(SECONDS, secondsFor(scenario, store))
}

function scenarioNamed(name: string): Scenario {
  const scenario = SCENARIOS.find((one) => one.name === name)
  if (scenario === undefined)
    throw new Error(`There is no scenario '${name}': ${SCENARIOS.map((one) => one.name).join(', ')}.`)
  return scenario
}

function oneOf<Name extends string>(what: string, name: string, all: readonly Name[]): Name {
  const found = all.find((one) => one === name)
  if (found === undefined) throw new Error(`There is no ${what} '${name}': ${all.join(', ')}.`)
  return found
}

function numberOf(what: string, text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1)
    throw new Error(`--${what} is a whole number from 1, and not '${text}'.`)
  return value
}

export function usage(): string {
  const scenarios = SCENARIOS.map(({ name, about }) => `  ${name.padEnd(10)} ${about}`).join('\n')
  const mutants = linesOf(MUTANTS.filter(({ shows }) => shows !== undefined).map(({ name }) => name)).join(
    `,\n${' '.repeat(20)}`,
  )
  return `npm run proof [-- [scenario…] [options]]

Visitors with real cookie jars, through HAProxy, to two server processes, while things break; every request and answer is
written down, and a checker decides what held. Ends with 1 where something did not.

Scenarios (all of them where none is named, but 'every')
${scenarios}

Options
  --store NAME      ${STORES.join(', ')}; repeat it for several. All by default
  --target NAME     ${TARGETS.join(', ')}: the others are controls, on Redis
  --seconds N       how long the visitors come, in each scenario. By default ${SECONDS}, or as long as its faults take in turn
  --visitors N      how many there are: ${VISITORS} by default
  --seed N          what they do and what breaks when. By default another one each day
  --replicated      every change waits for a replica (durability: 'replicated')
  --namespaces      each server of Redis in a network namespace of its own, so that the kernel loses what a fault
                    cuts off, and nobody is told. For ${OF_SEVERAL.join(' and ')}; takes Linux, iproute2 and root
  --mutants         instead of scenarios: with a protection taken out of our own code, one after the other, which the
                    checker has to notice
  --mutant NAME     one of them; repeat it for several:
                    ${mutants}
  --quick           some of all that, in less than three minutes
  --report FOLDER   writes what came out as a page and as data
  --help
`
}

/** Five to a line. */
function linesOf(names: readonly string[]): string[] {
  const lines: string[] = []
  for (let at = 0; at < names.length; at += 5) lines.push(names.slice(at, at + 5).join(', '))
  return lines
}

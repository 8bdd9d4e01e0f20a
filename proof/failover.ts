/**
 * What a fault of Redis costs its sessions, with visitors on two server processes all the while:
 * `npm run proof:failover -- [--form single|sentinel|cluster]… [--fault WORD] [--replicated] [--minute] [--json]`.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'

import type { Durability } from 'holdfast'

import { closeConnections } from './browser.ts'
import { deploy, type Form } from './failover/deployment.ts'
import { FAULTS, LONG_OUTAGE, type Fault } from './failover/faults.ts'
import { type Figures, figuresOf, type Spread } from './failover/figures.ts'
import { Visitors } from './failover/visitors.ts'
import { openSiteOn } from './site.ts'
import { tableOf } from './table.ts'

const FORMS: readonly Form[] = ['single', 'sentinel', 'cluster']
/** Milliseconds before the fault, and after it was undone. */
const BEFORE = 2_000
const AFTER = 6_000

process.once('SIGINT', () => process.exit(130))

const options = readOptions()
if (typeof options === 'string') {
  process.stderr.write(options)
  process.exitCode = 2
} else {
  await main(options)
}

interface Options {
  readonly faults: readonly Fault[]
  readonly durability: Durability
  readonly json: boolean
}

function readOptions(): Options | string {
  try {
    const { values } = parseArgs({
      options: {
        form: { type: 'string', multiple: true, default: [...FORMS] },
        fault: { type: 'string', default: '' },
        replicated: { type: 'boolean', default: false },
        minute: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
    const all = values.minute ? [LONG_OUTAGE] : FAULTS
    const faults = all.filter(({ form, name }) => values.form.includes(form) && name.includes(values.fault))
    if (values.help || faults.length === 0) return usage()
    return { faults, durability: values.replicated ? 'replicated' : 'primary', json: values.json }
  } catch (error) {
    return `${error instanceof Error ? error.message : String(error)}\n\n${usage()}`
  }
}

async function main({ faults, durability, json }: Options): Promise<void> {
  const results: { fault: Fault; figures: Figures }[] = []
  for (const fault of faults) {
    process.stderr.write(`${fault.form}: ${fault.name} … `)
    const figures = await run(fault, durability)
    process.stderr.write(`${complaintsOf(fault, figures).join('; ') || 'as promised'}\n`)
    results.push({ fault, figures })
  }
  closeConnections()
  const plain = results.map(({ fault: { form, name }, figures }) => ({ form, fault: name, ...figures }))
  process.stdout.write(json ? `${JSON.stringify(plain, undefined, 2)}\n` : `\n${asTable(results)}\n`)
  process.exitCode = results.some(({ fault, figures }) => complaintsOf(fault, figures).length > 0) ? 1 : 0
}

/** One fault, on a Redis and two servers of its own. */
async function run(fault: Fault, durability: Durability): Promise<Figures> {
  const deployment = await deploy(fault.form)
  try {
    const site = await openSiteOn(deployment.url, durability)
    try {
      const visitors = await Visitors.arrive(site.servers)
      visitors.come()
      await pause(BEFORE)
      const before = await site.memory()
      const at = performance.now()
      const undo = await fault.begin(deployment)
      const most = await highest(fault.seconds * 1_000, () => site.memory())
      await undo()
      await pause(AFTER)
      await visitors.leave()
      return figuresOf(visitors.asked, at, await visitors.audit(), most - before)
    } finally {
      await site.close()
    }
  } finally {
    await deployment.stop()
  }
}

async function highest(milliseconds: number, measure: () => Promise<number>): Promise<number> {
  let most = 0
  for (const until = performance.now() + milliseconds; performance.now() < until;) {
    await pause(Math.min(1_000, until - performance.now()))
    most = Math.max(most, await measure())
  }
  return most
}

/** What is not as promised. */
function complaintsOf({ sort }: Fault, figures: Figures): string[] {
  const forgets = sort === 'forgets'
  const { sessionsLost, aliveAfterEnd, otherErrors, anonymousErrors, writesTooMany, writesAgain } = figures
  return [
    ...(aliveAfterEnd > 0 ? [`${aliveAfterEnd} alive after an acknowledged end`] : []),
    ...(sessionsLost > 0 && !forgets ? [`${sessionsLost} sessions lost`] : []),
    ...(otherErrors > 0 && !forgets ? [`${otherErrors} errors other than 503`] : []),
    ...(anonymousErrors > 0 ? [`${anonymousErrors} anonymous pages refused`] : []),
    ...(writesTooMany > 0 ? [`${writesTooMany} additions too many`] : []),
    ...(writesAgain === Number.POSITIVE_INFINITY ? ['not everybody could write again'] : []),
  ]
}

function asTable(results: readonly { fault: Fault; figures: Figures }[]): string {
  const head = [
    'two server processes; times in ms',
    'requests',
    '503',
    'others',
    '503: p99 / worst',
    'later 503: p99 / worst',
    'served: p99 / worst',
    'all write again',
    'sessions lost',
    'writes lost',
    'alive after end',
    'anonymous: refused, p99',
    'memory',
  ]
  const rows = results.map(({ fault, figures }) => [
    `${fault.form}: ${fault.name}`,
    String(figures.requests),
    String(figures.unavailable),
    String(figures.otherErrors),
    spread(figures.errors),
    spread(figures.lateErrors),
    spread(figures.successes),
    figures.writesAgain === undefined ? 'at once' : `${(figures.writesAgain / 1_000).toFixed(1)} s`,
    String(figures.sessionsLost),
    String(figures.writesLost),
    `${figures.aliveAfterEnd} of ${figures.ends}`,
    `${figures.anonymousErrors}, ${figures.anonymous.p99.toFixed(0)}`,
    `+${(Math.max(0, figures.grown) / 1_048_576).toFixed(0)} MB`,
  ])
  return tableOf([head, ...rows])
}

function spread({ p99, worst }: Spread): string {
  return worst === 0 ? '–' : `${p99.toFixed(0)} / ${worst.toFixed(0)}`
}

function usage(): string {
  return `npm run proof:failover -- [--form NAME]… [--fault WORD] [--replicated] [--minute] [--json]

  --form     ${FORMS.join(', ')}; repeat it for several
  --fault    only the faults with this word in their name
  --replicated  every change waits for a replica (durability: 'replicated')
  --minute   instead of those: Redis stopped for a minute, to see that nothing grows
  --json     what came out, for programs
`
}

/**
 * A rolling deploy from express-session to Holdfast, and back, under load behind HAProxy; then the same without `mirror`:
 * `npm run proof:adoption -- [--visitors N] [--only mirrored|control] [--json]`.
 */
import { parseArgs } from 'node:util'

import { type Deploy, runDeploy } from './adoption/deploy.ts'
import type { Met, Wrong } from './adoption/visitor.ts'
import { closeConnections } from './browser.ts'
import { installPeers } from './peers.ts'
import { tableOf } from './table.ts'

interface Options {
  readonly deploys: readonly Deploy[]
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

async function main({ deploys, json }: Options): Promise<void> {
  installPeers()
  const met: Met[] = []
  for (const deploy of deploys) {
    process.stderr.write(`${titleOf(deploy)}: ${deploy.visitors} visitors …\n`)
    met.push(await runDeploy(deploy))
  }
  closeConnections()
  if (json) process.stdout.write(`${JSON.stringify(deploys.map((deploy, at) => ({ ...deploy, ...met[at] })))}\n`)
  else process.stdout.write(`\n${asTable(deploys, met)}\n${examplesOf(deploys, met)}`)
  process.exitCode = deploys.every(({ mirror }, at) => mirror === (wrongIn(met[at]) === 0)) ? 0 : 1
}

function wrongIn(met: Met | undefined): number {
  return met === undefined ? 0 : Object.values(met.wrong).reduce((sum, count) => sum + count, 0)
}

function asTable(deploys: readonly Deploy[], met: readonly Met[]): string {
  const row = (name: string, cell: (met: Met) => string | number): string[] => [
    name,
    ...met.map((one) => String(cell(one))),
  ]
  const wrongs = Object.keys(met[0]?.wrong ?? {}) as Wrong[]
  return tableOf([
    ['two old servers replaced by new ones, and back', ...deploys.map(titleOf)],
    ['visitors', ...deploys.map(({ visitors }) => String(visitors))],
    row('requests', ({ requests }) => requests),
    row('  answered by old servers, by new ones', ({ by }) => `${by.old}, ${by.new}`),
    row('  sent again, because a server went or was not ready', ({ again }) => again),
    ...wrongs.map((wrong) => row(wrong, (one) => one.wrong[wrong])),
  ])
}

function examplesOf(deploys: readonly Deploy[], met: readonly Met[]): string {
  const wanted = met.filter((_, at) => deploys[at]?.mirror === true)
  return wanted.flatMap(({ examples }) => examples.map((example) => `\n${example}\n`)).join('')
}

function titleOf({ mirror }: Deploy): string {
  return mirror ? 'mirror: true' : 'without (control)'
}

function readOptions(): Options | string {
  try {
    const { values } = parseArgs({
      options: {
        visitors: { type: 'string', default: '2000' },
        only: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
    if (values.help) return usage()
    const visitors = Number(values.visitors)
    if (!Number.isInteger(visitors) || visitors < 1) throw new Error(`'${values.visitors}' is no number of visitors.`)
    if (values.only !== undefined && !['mirrored', 'control'].includes(values.only))
      throw new Error(`There is no '${values.only}'.`)
    const kinds = [true, false].filter((mirror) => values.only === undefined || (values.only === 'mirrored') === mirror)
    return { deploys: kinds.map((mirror) => ({ mirror, visitors })), json: values.json }
  } catch (error) {
    return `${error instanceof Error ? error.message : String(error)}\n\n${usage()}`
  }
}

function usage(): string {
  return `npm run proof:adoption -- [--visitors N] [--only mirrored|control] [--json]

  --visitors   how many; 2000 by default
  --only       with mirror, in which nothing may go wrong, or the control without, in which something has to
  --json       what came out, for programs
`
}

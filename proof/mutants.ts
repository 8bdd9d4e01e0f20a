/**
 * Takes a protection out of our own code, one after the other, and looks whether the test that is to notice it fails:
 * `npm run proof:mutants -- [--only NAME]… [--json]`.
 */
import { parseArgs } from 'node:util'

import type { Mutant } from './mutants/mutant.ts'
import { MUTANTS, mutantNamed } from './mutants/mutants.ts'
import { tried, type Tried } from './mutants/tried.ts'
import { tableOf } from './table.ts'

interface Result {
  readonly mutant: Mutant
  readonly tried: Tried
}

process.once('SIGINT', () => process.exit(130))

const options = readOptions()
if (typeof options === 'string') {
  process.stderr.write(options)
  process.exitCode = 2
} else {
  await main(options)
}

async function main({ mutants, json }: { mutants: readonly Mutant[]; json: boolean }): Promise<void> {
  const results: Result[] = []
  for (const mutant of mutants) {
    process.stderr.write(`${mutant.name} … `)
    const result = { mutant, tried: await tried(mutant) }
    process.stderr.write(`${wordOf(result)}\n`)
    results.push(result)
  }
  const plain = results.map(({ mutant: { name, invariant, about, test }, ...what }) => ({
    name,
    invariant,
    about,
    test,
    ...what.tried,
  }))
  process.stdout.write(json ? `${JSON.stringify(plain, undefined, 2)}\n` : `\n${asTable(results)}\n`)
  process.exitCode = results.every((result) => result.tried.outcome === 'failed') ? 0 : 1
}

function asTable(results: readonly Result[]): string {
  const rows = results.map((result) => {
    const { name, invariant, about, test } = result.mutant
    return [name, invariant, about, `${test.file}: ${test.title}`, wordOf(result)]
  })
  return tableOf([['mutant', 'invariant', 'what it does', 'test', 'caught'], ...rows])
}

function wordOf({ tried: { outcome, ...rest } }: Result): string {
  if (outcome === 'failed') return 'yes'
  return outcome === 'passed' ? 'NO: the test passes' : `NO: the test did not run: ${'why' in rest ? rest.why : ''}`
}

function readOptions(): { mutants: readonly Mutant[]; json: boolean } | string {
  try {
    const { values } = parseArgs({
      options: {
        only: { type: 'string', multiple: true },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
    return values.help ? usage() : { mutants: values.only?.map(mutantNamed) ?? MUTANTS, json: values.json }
  } catch (error) {
    return `${error instanceof Error ? error.message : String(error)}\n\n${usage()}`
  }
}

function usage(): string {
  return `npm run proof:mutants -- [--only NAME]… [--json]

  --only    ${MUTANTS.map(({ name }) => name).join(', ')}; repeat it for several
  --json    what came out, for programs
`
}

/**
 * How long it takes to import each entry point, and how large the package is: `npm run bench:import -- [--rounds N]`.
 *
 * Each import is that of a process of its own, from after Node's own start to where the module has been evaluated; all
 * entry points take turns. What a store needs besides is loaded when it opens, and is not in it.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'

import { PROJECT } from '../proof/peers.ts'
import { tableOf } from '../proof/table.ts'
import { rotated } from './compare.ts'
import { pinned, SERVER_CORE } from './cores.ts'
import { machine, machineLine } from './machine.ts'
import { median } from './statistics.ts'

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '15' } } })
main(Number(values.rounds))

function main(rounds: number): void {
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds: a number')
  const taken = measure(entryPoints(), rounds)
  const rows = [...taken].map(([name, times]) => [name, median(times).toFixed(1), Math.min(...times).toFixed(1)])
  const text = [
    'What an import takes, in ms',
    '',
    tableOf([['', 'median', 'least'], ...rows]),
    '',
    `The package: ${(packedSize() / 1_000).toFixed(0)} kB packed.`,
    `${rounds} interleaved rounds, Node ${process.version}. ${machineLine(machine())}`,
  ]
  process.stdout.write(`\n${text.join('\n')}\n`)
}

/** What a user can import, but for what is made for browsers. */
function entryPoints(): readonly string[] {
  const manifest = JSON.parse(readFileSync(path.join(PROJECT, 'package.json'), 'utf8')) as { exports: object }
  return Object.keys(manifest.exports)
    .filter((subpath) => !['./package.json', './browser'].includes(subpath))
    .map((subpath) => `holdfast${subpath.slice(1)}`)
}

function measure(names: readonly string[], rounds: number): ReadonlyMap<string, readonly number[]> {
  const all = new Map(names.map((name) => [name, [] as number[]]))
  for (const name of names) importOnce(name)
  for (let round = 0; round < rounds; round++)
    for (const name of rotated(names, round)) all.get(name)?.push(importOnce(name))
  return all
}

/** Milliseconds. */
function importOnce(name: string): number {
  const program = `const start = performance.now(); await import('${name}'); console.log(performance.now() - start)`
  const { file, rest } = pinned(SERVER_CORE, [process.execPath, '--input-type=module', '--eval', program])
  return Number(execFileSync(file, rest, { cwd: PROJECT, encoding: 'utf8' }))
}

/** Bytes of what `npm pack` would make. */
function packedSize(): number {
  const { stdout } = spawnSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: PROJECT,
    encoding: 'utf8',
  })
  const [packed] = JSON.parse(stdout) as readonly { readonly size: number }[]
  if (packed === undefined) throw new Error('npm pack told nothing')
  return packed.size
}

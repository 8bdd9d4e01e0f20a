/** What a run found, as a file: everything that is printed or drawn comes from here. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'

import { PROJECT } from '../proof/peers.ts'
import type { Commands } from './commands.ts'
import type { Comparison, Failure, Rounds } from './compare.ts'
import { PINNING } from './cores.ts'
import type { Latencies } from './latency.ts'
import { machine, type Machine, versions } from './machine.ts'
import type { Memory } from './memory.ts'
import type { Scale } from './scale.ts'

export type Part = Comparison | Latencies | Memory | Commands | Scale

export interface Results {
  /** Of this file's form. */
  readonly form: 1
  /** When the run began, as ISO 8601 has it. */
  readonly date: string
  readonly command: string
  /** Whether everything was asked for, in as many rounds as it is meant to have. */
  readonly full: boolean
  /** Whether the run came to its end, without a failure. */
  readonly complete: boolean
  readonly seconds: number
  readonly machine: Machine
  readonly versions: Readonly<Record<string, string>>
  readonly pinning: string
  readonly rounds: Rounds
  readonly parts: readonly Part[]
}

export const FOLDER: string = path.join(PROJECT, 'bench/results')

/** The file of a run. It is written after every part, so that a run that is broken off leaves what it has. */
export class ResultsFile {
  readonly file: string
  readonly #began = performance.now()
  #results: Results

  constructor(args: readonly string[], full: boolean, rounds: Rounds) {
    const date = new Date().toISOString()
    this.file = path.join(FOLDER, `${date.slice(0, 19).replaceAll(':', '-')}.json`)
    this.#results = {
      form: 1,
      date,
      command: ['npm run bench', ...(args.length > 0 ? ['--', ...args] : [])].join(' '),
      full,
      complete: false,
      seconds: 0,
      machine: machine(),
      versions: versions(),
      pinning: PINNING,
      rounds,
      parts: [],
    }
  }

  get results(): Results {
    return this.#results
  }

  add(part: Part): void {
    this.#write({ parts: [...this.#results.parts, part] })
  }

  end(): void {
    this.#write({ complete: this.#results.parts.every((part) => failuresOf(part).length === 0) })
  }

  #write(news: Partial<Results>): void {
    const seconds = Math.round((performance.now() - this.#began) / 1000)
    this.#results = { ...this.#results, ...news, seconds }
    mkdirSync(FOLDER, { recursive: true })
    writeFileSync(this.file, `${JSON.stringify(this.#results, undefined, 2)}\n`)
  }
}

export function failuresOf(part: Part): readonly Failure[] {
  return 'failures' in part ? part.failures : []
}

/** The results in a file; by default of the last run. Throws where there are none. */
export function readResults(file: string | undefined): { readonly file: string; readonly results: Results } {
  const found = file ?? latest()
  const results = JSON.parse(readFileSync(found, 'utf8')) as Results
  if (results.form !== 1) throw new Error(`${found} is no file of results that this program can read`)
  return { file: found, results }
}

function latest(): string {
  mkdirSync(FOLDER, { recursive: true })
  const last = readdirSync(FOLDER)
    .filter((name) => name.endsWith('.json'))
    .toSorted()
    .at(-1)
  if (last === undefined) throw new Error('there are no results yet: run npm run bench first')
  return path.join(FOLDER, last)
}

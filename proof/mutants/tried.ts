/** Tries whether the test of a mutant fails with it. */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

import { PROJECT } from '../peers.ts'
import { importing } from './importing.ts'
import type { Mutant } from './mutant.ts'

/** What vitest reports, as far as it is read. */
interface Report {
  readonly testResults: readonly {
    readonly assertionResults: readonly {
      readonly fullName: string
      readonly status: string
      readonly failureMessages: readonly string[]
    }[]
  }[]
}

/** How its test ended with the mutant. `broken`: not as a test ends, so that nothing is known. */
export type Tried =
  | { readonly outcome: 'failed'; readonly by: string; readonly why: string }
  | { readonly outcome: 'passed' }
  | { readonly outcome: 'broken'; readonly why: string }

const TAKES_MOST = 180_000

/** Runs the test with the mutant in the sources that it imports, and in the servers that it starts. */
export async function tried({ name, test }: Mutant): Promise<Tried> {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-mutant-'))
  const file = path.join(folder, 'report.json')
  try {
    const vitest = path.join(PROJECT, 'node_modules/vitest/vitest.mjs')
    const said = ['--reporter=json', `--outputFile=${file}`]
    const output = await run(
      [vitest, 'run', '--project', test.project, test.file, '-t', escaped(test.title), ...said],
      {
        ...process.env,
        HOLDFAST_MUTANT: name,
        NODE_OPTIONS: importing(name).join(' '),
      },
    )
    return judged(file, test.title, output)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A failure is what is hoped for, so an exit code says nothing. */
function run(command: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  return new Promise((resolve) => {
    execFile(process.execPath, command, { cwd: PROJECT, env, timeout: TAKES_MOST }, (_error, stdout, stderr) =>
      resolve(stdout + stderr),
    )
  })
}

function judged(file: string, title: string, output: string): Tried {
  let report: Report
  try {
    report = JSON.parse(readFileSync(file, 'utf8')) as Report
  } catch {
    return { outcome: 'broken', why: output.slice(-500) }
  }
  const meant = report.testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .filter(({ fullName, status }) => fullName.includes(title) && (status === 'passed' || status === 'failed'))
  if (meant.length === 0) return { outcome: 'broken', why: output.slice(-500) }
  const failed = meant.find(({ status }) => status === 'failed')
  if (failed === undefined) return { outcome: 'passed' }
  return { outcome: 'failed', by: failed.fullName, why: failed.failureMessages[0]?.split('\n', 1)[0] ?? '' }
}

/** As a regular expression. */
function escaped(title: string): string {
  return title.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
}

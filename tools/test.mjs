/**
 * `npm test`: set-up, every check, every suite. `npm test -- unit flow` runs only these; what follows the
 * names goes to vitest: `npm test -- unit -t 'rule'`. The last line is `N passed, N failed`.
 */
import { randomUUID } from 'node:crypto'
import { existsSync, rmSync } from 'node:fs'

import { inProject, readText, runNode, secondsSince } from './project.mjs'
import { packagesAreThere, setUp } from './setup.mjs'
import { complaintStep, indented, runSteps } from './steps.mjs'
import { suites } from './suites.mjs'
import { survivors } from './survivors.mjs'
import { outcomeOf } from './vitest-report.mjs'

/** @typedef {import('./suites.mjs').Suite} Suite */
/** @typedef {import('./vitest-report.mjs').Outcome} Outcome */
/** @typedef {import('./vitest-report.mjs').Report} Report */

/** Every process started below inherits this mark; those that still have it at the end were left behind. */
const mark = `HOLDFAST_TEST_RUN=${randomUUID()}`

/** Failures that are told again at the end. */
const MOST_TOLD = 20

const started = performance.now()
const { checking, chosen, forVitest } = readArguments(process.argv.slice(2))

/** @type {Map<string, Outcome & { took: string }>} */
const results = new Map()
await part('set-up', () => runSteps([setUpStep(chosen)]))
if (packagesAreThere()) {
  if (checking) await part('check', runChecks)
  for (const suite of chosen) await part(suite.name, () => runSuite(suite))
  await part('clean-up', () => runSteps([complaintStep('no process left behind', () => survivors(mark))]))
}
conclude()

/** @param {string} name @param {() => Promise<Outcome>} run */
async function part(name, run) {
  const began = performance.now()
  const tally = await run()
  results.set(name, { ...tally, took: secondsSince(began) })
}

/** @param {readonly string[]} args */
function readArguments(args) {
  const known = ['check', ...suites.map(({ name }) => name)]
  const end = args.findIndex((arg) => !known.includes(arg))
  const names = end === -1 ? args : args.slice(0, end)
  const rest = end === -1 ? [] : args.slice(end)
  if (names.length === 0 && rest.length > 0) {
    process.stderr.write(`Name one or more of ${known.join(', ')} first; the rest goes to vitest.\n`)
    process.exit(2)
  }
  const all = names.length === 0
  return {
    checking: all || names.includes('check'),
    chosen: suites.filter(({ name }) => all || names.includes(name)),
    forVitest: rest,
  }
}

/** @param {readonly Suite[]} needing */
function setUpStep(needing) {
  return complaintStep('set-up', () => setUp(['packages', ...new Set(needing.flatMap(({ needs }) => needs))]))
}

/** The checks are made with packages that were not there before the set-up. @returns {Promise<Outcome>} */
async function runChecks() {
  title('check')
  const { checks } = await import('./checks.mjs')
  return await runSteps(checks())
}

/**
 * @param {Suite} suite
 * @returns {Promise<Outcome>}
 */
async function runSuite({ name }) {
  title(name)
  const report = `build/reports/${name}.json`
  rmSync(inProject(report), { force: true })
  const args = ['run', '--project', name, '--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  const { ok } = await runNode('node_modules/vitest/vitest.mjs', [...args, ...forVitest], {
    output: 'show',
    env: marked(),
  })
  return outcomeOf(ok, existsSync(inProject(report)) ? /** @type {Report} */ (JSON.parse(readText(report))) : undefined)
}

function marked() {
  const [name = '', value] = mark.split('=')
  return { [name]: value }
}

/** @param {string} name */
function title(name) {
  process.stdout.write(`\n${name}\n`)
}

/** What failed is told once more at the end: a log of so many tests is often kept or read from there only. */
function conclude() {
  tellFailures()
  title(`summary, after ${secondsSince(started)}`)
  const total = { passed: 0, failed: 0 }
  for (const [name, { passed, failed, note, took }] of results) {
    total.passed += passed
    total.failed += failed
    const counts = `${String(passed).padStart(6)} passed ${String(failed).padStart(4)} failed`
    process.stdout.write(
      `  ${name.padEnd(10)} ${counts} ${took.padStart(9)}${note === undefined ? '' : `   (${note})`}\n`,
    )
  }
  process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0
  process.stdout.write(`\n${total.passed} passed, ${total.failed} failed\n`)
}

function tellFailures() {
  const failures = [...results].flatMap(([name, { failures: own }]) => own.map((failure) => ({ name, ...failure })))
  if (failures.length === 0) return
  title('failed')
  for (const { name, test, reason } of failures.slice(0, MOST_TOLD)) {
    process.stdout.write(`  ${name}: ${test}\n${indented(reason)}\n`)
  }
  if (failures.length > MOST_TOLD) process.stdout.write(`  and ${failures.length - MOST_TOLD} more, told above\n`)
}

/**
 * `npm test`: set-up, every check, every suite. `npm test -- unit flow` runs only these; what follows the
 * names goes to vitest: `npm test -- unit -t 'rule'`. The last line is `N passed, N failed`.
 */
import { randomUUID } from 'node:crypto'
import { existsSync, rmSync } from 'node:fs'

import { inProject, readText, runNode, secondsSince } from './project.mjs'
import { packagesAreThere, setUp } from './setup.mjs'
import { complaintStep, runSteps } from './steps.mjs'
import { suites } from './suites.mjs'
import { survivors } from './survivors.mjs'

/** @typedef {import('./suites.mjs').Suite} Suite */
/** @typedef {import('./steps.mjs').Tally & { note?: string }} Tally */
/**
 * What vitest's JSON reporter writes, as far as it is read here.
 * @typedef {object} Report
 * @property {number} numPassedTests
 * @property {number} numFailedTests
 * @property {number} numPendingTests
 * @property {number} numTodoTests
 * @property {{ status: string, assertionResults: { status: string }[] }[]} testResults
 */

/** Every process started below inherits this mark; those that still have it at the end were left behind. */
const mark = `HOLDFAST_TEST_RUN=${randomUUID()}`

const started = performance.now()
const { checking, chosen, forVitest } = readArguments(process.argv.slice(2))

/** @type {Map<string, Tally & { took: string }>} */
const results = new Map()
await part('set-up', () => runSteps([setUpStep(chosen)]))
if (packagesAreThere()) {
  if (checking) await part('check', runChecks)
  for (const suite of chosen) await part(suite.name, () => runSuite(suite))
  await part('clean-up', () => runSteps([complaintStep('no process left behind', () => survivors(mark))]))
}
conclude()

/** @param {string} name @param {() => Promise<Tally>} run */
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

/** The checks are made with packages that were not there before the set-up. @returns {Promise<Tally>} */
async function runChecks() {
  title('check')
  const { checks } = await import('./checks.mjs')
  return await runSteps(checks())
}

/**
 * @param {Suite} suite
 * @returns {Promise<Tally>}
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
  return tallied(ok, existsSync(inProject(report)) ? /** @type {Report} */ (JSON.parse(readText(report))) : undefined)
}

function marked() {
  const [name = '', value] = mark.split('=')
  return { [name]: value }
}

/**
 * A file that could not be loaded has no failed test, and an error outside of every test has none either: both count.
 * @param {boolean} ok whether vitest was content
 * @param {Report | undefined} report
 * @returns {Tally}
 */
function tallied(ok, report) {
  if (report === undefined) return { passed: 0, failed: 1, note: 'vitest wrote no report' }
  const brokenFiles = report.testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && assertionResults.every((test) => test.status !== 'failed'),
  ).length
  const passed = report.numPassedTests
  const failed = report.numFailedTests + brokenFiles
  if (passed + failed === 0) return { passed, failed: 1, note: 'no test ran' }
  if (!ok && failed === 0) return { passed, failed: 1, note: 'an error outside of the tests' }
  const skipped = report.numPendingTests + report.numTodoTests
  return { passed, failed, ...(skipped > 0 && { note: `${skipped} skipped` }) }
}

/** @param {string} name */
function title(name) {
  process.stdout.write(`\n${name}\n`)
}

function conclude() {
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

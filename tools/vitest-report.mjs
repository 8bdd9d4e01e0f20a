/** What vitest's JSON report says of a suite: how many tests passed and failed, and which failed with what. */
import { stripVTControlCharacters } from 'node:util'

import { root } from './project.mjs'

/** @typedef {import('./steps.mjs').Failure} Failure */
/** @typedef {import('./steps.mjs').Tally & { note?: string }} Outcome */
/**
 * The report, as far as it is read here.
 * @typedef {object} Report
 * @property {number} numPassedTests
 * @property {number} numPendingTests
 * @property {number} numTodoTests
 * @property {FileReport[]} testResults
 * @typedef {object} FileReport
 * @property {string} name the file's path
 * @property {string} status
 * @property {string} message why it could not be loaded
 * @property {{ status: string, fullName: string, failureMessages: string[] | null }[]} assertionResults
 */

/** Lines of a reason that are told: the message with its difference, and where it was thrown. */
const LINES = 16

/**
 * A file that could not be loaded has no failed test, and an error outside of every test has none either: both count.
 * @param {boolean} ok whether vitest was content
 * @param {Report | undefined} report
 * @returns {Outcome}
 */
export function outcomeOf(ok, report) {
  if (report === undefined) return { passed: 0, failed: 1, note: 'vitest wrote no report', failures: [] }
  const failures = report.testResults.flatMap(failuresOf)
  const passed = report.numPassedTests
  const failed = failures.length
  if (passed + failed === 0) return { passed, failed: 1, note: 'no test ran', failures }
  if (!ok && failed === 0) return { passed, failed: 1, note: 'an error outside of the tests', failures }
  const skipped = report.numPendingTests + report.numTodoTests
  return { passed, failed, failures, ...(skipped > 0 && { note: `${skipped} skipped` }) }
}

/** @param {FileReport} file @returns {Failure[]} */
function failuresOf({ name, status, message, assertionResults }) {
  const path = name.replace(root, '')
  const failed = assertionResults.filter((test) => test.status === 'failed')
  if (failed.length === 0) return status === 'failed' ? [{ test: path, reason: shortened(message) }] : []
  return failed.map(({ fullName, failureMessages }) => ({
    test: `${path}: ${fullName.trim()}`,
    reason: shortened((failureMessages ?? []).join('\n')),
  }))
}

/** Without colours, the project's folder, and the lines of a stack that are in other people's code. @param {string} text */
function shortened(text) {
  const lines = stripVTControlCharacters(text)
    .replaceAll(root, '')
    .split('\n')
    .filter((line) => line.trim() !== '' && !/^\s+at .*(?:node_modules|node:internal|new Promise)/.test(line))
  return lines.length > LINES ? [...lines.slice(0, LINES), '…'].join('\n') : lines.join('\n')
}

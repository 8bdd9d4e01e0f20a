/** Steps that pass or fail, each told in one line; the details only of those that fail. */
import { secondsSince } from './project.mjs'

/**
 * @typedef {object} Step
 * @property {string} name
 * @property {() => Promise<import('./project.mjs').Ended>} run
 * @typedef {{ passed: number, failed: number }} Tally
 */

/**
 * @param {readonly Step[]} steps
 * @returns {Promise<Tally>}
 */
export async function runSteps(steps) {
  const tally = { passed: 0, failed: 0 }
  for (const step of steps) {
    const start = performance.now()
    const { ok, output } = await step.run()
    tally[ok ? 'passed' : 'failed'] += 1
    tell(ok ? 'ok' : 'FAILED', step.name, secondsSince(start))
    if (!ok) process.stdout.write(`${indented(output)}\n`)
  }
  return tally
}

/**
 * A step of our own code: no complaint is a pass.
 * @param {string} name
 * @param {() => readonly string[] | Promise<readonly string[]>} complaints
 * @returns {Step}
 */
export function complaintStep(name, complaints) {
  return {
    name,
    run: async () => {
      const found = await complaints()
      return { ok: found.length === 0, output: found.join('\n') }
    },
  }
}

/** @param {string} verdict @param {string} name @param {string} time */
function tell(verdict, name, time) {
  process.stdout.write(`  ${verdict.padEnd(6)}  ${name.padEnd(34)} ${time.padStart(8)}\n`)
}

/** @param {string} text */
function indented(text) {
  return text.trimEnd().replaceAll(/^/gm, '          ')
}

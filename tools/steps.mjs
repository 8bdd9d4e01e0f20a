/** Steps that pass or fail, each told in one line; the details only of those that fail. */
import { secondsSince } from './project.mjs'

/**
 * @typedef {object} Step
 * @property {string} name
 * @property {() => Promise<import('./project.mjs').Ended>} run
 * @typedef {object} Failure
 * @property {string} test which step, or which test of which file
 * @property {string} reason
 * @typedef {{ passed: number, failed: number, failures: readonly Failure[] }} Tally
 */

/**
 * @param {readonly Step[]} steps
 * @returns {Promise<Tally>}
 */
export async function runSteps(steps) {
  let passed = 0
  /** @type {Failure[]} */
  const failures = []
  for (const step of steps) {
    const start = performance.now()
    const { ok, output } = await step.run()
    tell(ok ? 'ok' : 'FAILED', step.name, secondsSince(start))
    if (ok) passed += 1
    else {
      failures.push({ test: step.name, reason: output })
      process.stdout.write(`${indented(output)}\n`)
    }
  }
  return { passed, failed: failures.length, failures }
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
export function indented(text) {
  return text.trimEnd().replaceAll(/^/gm, '          ')
}

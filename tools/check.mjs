/** `npm run check`: set-up, then all checks. */
import { setUp } from './setup.mjs'
import { runSteps } from './steps.mjs'

const problems = await setUp(['packages'])
for (const problem of problems) process.stderr.write(`${problem}\n`)
process.exitCode = problems.length > 0 || (await allChecks()).failed > 0 ? 1 : 0

/** The checks are made with packages that were not there before the set-up. */
async function allChecks() {
  const { checks } = await import('./checks.mjs')
  return await runSteps(checks())
}

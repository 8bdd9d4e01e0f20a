/** vitest's global set-up for the suites that start compiled programs. */
import { build } from './build.mjs'

/** Complaints of the compiler do not stop the tests: what they are about may be elsewhere, and `npm run check` counts them. */
export default async function setup() {
  const { ok, output } = await build()
  if (!ok) process.stderr.write(`The build has complaints:\n${output}`)
}

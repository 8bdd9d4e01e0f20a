/** vitest's global set-up for the suites that start compiled programs. */
import { build } from './build.mjs'

export default async function setup() {
  const { ok, output } = await build()
  if (!ok) throw new Error(`The build failed:\n${output}`)
}

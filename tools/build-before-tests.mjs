/** vitest's global set-up for the suites that start compiled programs. */
import { build } from './build.mjs'

export default function setup() {
  if (!build()) throw new Error('The build failed; see above.')
}

/** `npm run build`: the package into dist/, the programs that use it into build/. A second call only looks. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const tsc = fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url))

/** @returns {boolean} whether everything compiled */
export function build() {
  return spawnSync(process.execPath, [tsc, '-b', 'tsconfig.programs.json'], { cwd: root, stdio: 'inherit' }).status === 0
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exit(build() ? 0 : 1)

/** `npm run build`: the package into dist/; its modules one by one, and the programs that use it, into build/. A second call only looks. */
import { existsSync, readdirSync, rmSync } from 'node:fs'

import { bundle } from './bundle.mjs'
import { inProject, isProgram, runNode } from './project.mjs'

/** Folders of compiled files, and where the sources of each are. */
const outputs = ['src', 'examples', 'proof', 'bench', 'test'].map((folder) => ({
  compiled: `build/${folder}`,
  sources: folder,
}))

/**
 * Builds what is stale. Files that do not type-check are compiled all the same, so that work can go on.
 * @returns {Promise<{ ok: boolean, output: string }>} the compiler's complaints
 */
export async function build() {
  for (const { compiled, sources } of outputs) removeOrphans(compiled, sources)
  const ended = await runNode('node_modules/typescript/bin/tsc', ['-b', 'tsconfig.programs.json', '--pretty', 'false'])
  await bundle()
  return ended
}

/** The compiler leaves what it made of a source that is gone; the package would carry it. @param {string} compiled @param {string} sources */
function removeOrphans(compiled, sources) {
  if (!existsSync(inProject(compiled))) return
  for (const file of readdirSync(inProject(compiled), { recursive: true, encoding: 'utf8' })) {
    const noun = /^(.*?)(\.d\.ts|\.js)$/.exec(file)?.[1]
    const isThere = ['.ts', '.d.ts'].some((ending) => existsSync(inProject(`${sources}/${noun}${ending}`)))
    if (noun !== undefined && !isThere) rmSync(inProject(`${compiled}/${file}`))
  }
}

if (isProgram(import.meta.url)) {
  const { ok, output } = await build()
  process.stdout.write(output)
  process.exitCode = ok ? 0 : 1
}

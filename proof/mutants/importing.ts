/** How a process is started that has a mutant in it. */
import path from 'node:path'
import { pathToFileURL } from 'node:url'

import { PROJECT } from '../peers.ts'

/** Options for Node. The programs must have been built. */
export function importing(mutant: string): readonly string[] {
  const url = pathToFileURL(path.join(PROJECT, 'build/proof/mutants/load.js'))
  url.searchParams.set('mutant', mutant)
  return ['--import', url.href]
}

/** For vitest: a mutant in the sources that the tests import. */
import path from 'node:path'

import { PROJECT } from '../peers.ts'
import { mutated } from './mutant.ts'
import { mutantNamed } from './mutants.ts'

export interface Mutation {
  readonly name: string
  readonly enforce: 'pre'
  transform(code: string, id: string): string | undefined
}

export function mutation(name: string): Mutation {
  const mutant = mutantNamed(name)
  return {
    name: 'mutation',
    enforce: 'pre',
    transform: (code, id) => {
      const file = path.relative(PROJECT, id)
      return mutant.replaces.some((one) => one.file === file) ? mutated(mutant, file, code) : undefined
    },
  }
}

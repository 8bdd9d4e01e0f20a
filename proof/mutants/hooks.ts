/** The hooks of `load.ts`. */
import { readFileSync } from 'node:fs'
import type { InitializeHook, LoadHook, ResolveHook } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

import { PROJECT } from '../peers.ts'
import { compiled, type Mutant, mutated } from './mutant.ts'
import { mutantNamed } from './mutants.ts'

let mutant: Mutant | undefined

export const initialize: InitializeHook<string> = (name) => {
  mutant = mutantNamed(name)
}

export const resolve: ResolveHook = async (specifier, context, next) => {
  const resolved = await next(specifier, context)
  if (!/^holdfast(\/|$)/.test(specifier)) return resolved
  return { ...resolved, url: resolved.url.replace('/dist/', '/build/src/') }
}

export const load: LoadHook = async (url, context, next) => {
  const file = sourceOf(url)
  if (file === undefined || mutant?.replaces.some((one) => one.file === file) !== true) return next(url, context)
  const source = mutated(mutant, file, readFileSync(path.join(PROJECT, file), 'utf8'))
  return { format: 'module', source: compiled(file, source), shortCircuit: true }
}

/** Of what a compiled module was made, from the project's folder. */
function sourceOf(url: string): string | undefined {
  if (!url.startsWith('file:')) return undefined
  const file = path.relative(path.join(PROJECT, 'build'), fileURLToPath(url))
  return /^src\/.*\.js$/.test(file) ? file.replace(/\.js$/, '.ts') : undefined
}

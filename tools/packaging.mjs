/** The package as it will be published: packed once, then looked at by those who know what goes wrong. */
import { mkdirSync, readdirSync, rmSync } from 'node:fs'

import { entryPoints } from './entry-points.mjs'
import { inProject, run, runNode } from './project.mjs'

const folder = 'build/package'

/** @returns {import('./steps.mjs').Step[]} */
export function packagingSteps() {
  return [
    { name: 'package: pack', run: pack },
    { name: 'package: publint', run: () => runNode('node_modules/publint/src/cli.js', ['run', tarball(), '--strict']) },
    { name: 'package: types resolve (attw)', run: () => attw('--profile', 'esm-only') },
    { name: 'package: types of drop-ins resolve everywhere (attw)', run: attwOfDropIns },
    { name: 'package: nothing unused (knip)', run: () => runNode('node_modules/knip/bin/knip.js', ['--no-progress']) },
  ]
}

async function pack() {
  rmSync(inProject(folder), { recursive: true, force: true })
  mkdirSync(inProject(folder), { recursive: true })
  return await run('npm', ['pack', '--ignore-scripts', '--loglevel=error', '--pack-destination', inProject(folder)])
}

/** With `esm-only`: `require()` of ES modules works on every Node that we support. @param {...string} options */
function attw(...options) {
  return runNode('node_modules/@arethetypeswrong/cli/dist/index.js', [
    tarball(),
    '--no-color',
    '--no-emoji',
    ...options,
  ])
}

/** What is there as CommonJS too, is there for compilers that know nothing else. */
function attwOfDropIns() {
  const dropIns = entryPoints().filter(({ required }) => required !== undefined)
  return attw(
    '--profile',
    'strict',
    '--entrypoints',
    ...dropIns.map(({ specifier }) => specifier.replace(/^\w+\//, '')),
  )
}

function tarball() {
  const [name] = readdirSync(inProject(folder)).filter((file) => file.endsWith('.tgz'))
  return inProject(`${folder}/${name ?? 'not-packed.tgz'}`)
}

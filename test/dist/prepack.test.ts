/** `npm pack` in a clone that was never built. */
import { execFile } from 'node:child_process'
import { cp, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { afterAll, beforeAll, expect, test } from 'vitest'

import { entryPoints } from '../../tools/entry-points.mjs'

const execute = promisify(execFile)
const project = fileURLToPath(new URL('../..', import.meta.url))

let clone: string

beforeAll(async () => {
  clone = await mkdtemp(path.join(tmpdir(), 'holdfast-clone-'))
  const notInAClone = new Set(['.git', 'node_modules', 'dist', 'build', 'coverage', '.data'])
  await cp(project, clone, { recursive: true, filter: (file) => !notInAClone.has(path.basename(file)) })
  // The packages of this project, which are what its lock says: the set-up has nothing to bring.
  await symlink(path.join(project, 'node_modules'), path.join(clone, 'node_modules'))
})

afterAll(async () => {
  await rm(clone, { recursive: true, force: true })
})

test('packing builds first: the package has every entry point, as JavaScript and as types', async () => {
  const { stdout } = await execute('npm', ['pack', '--loglevel=error', '--pack-destination', clone], { cwd: clone })
  const tarball = stdout.trim().split('\n').at(-1) ?? ''
  const listed = await execute('tar', ['-tzf', path.join(clone, tarball)])
  const contents = listed.stdout.split('\n')
  const needed = entryPoints().flatMap(({ built, types }) => [built, ...types])
  expect(needed.filter((file) => !contents.includes(file.replace('./', 'package/')))).toEqual([])
})

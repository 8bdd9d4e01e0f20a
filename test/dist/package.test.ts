/** The built and packed package: what is in it, how it loads, that it still guards what the sources guard. */
import { readdir } from 'node:fs/promises'
import path from 'node:path'

import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { entryPoints } from '../../tools/entry-points.mjs'
import { installPackage, type InstalledPackage } from './installed-package.ts'

let installed: InstalledPackage
let contents: string[]

beforeAll(async () => {
  installed = await installPackage()
  const entries = await readdir(installed.folder, { recursive: true, withFileTypes: true })
  contents = entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(installed.folder, path.join(entry.parentPath, entry.name)))
})

afterAll(async () => {
  await installed.remove()
})

const specifiers = entryPoints().map(({ specifier }) => specifier)

describe('what is in the package', () => {
  test('JavaScript with its types, the licence, the README, and nothing else', () => {
    const strange = contents.filter(
      (file) => !/^(dist\/.+\.(js|d\.ts)|dist\/commonjs\/package\.json|LICENSE|README\.md|package\.json)$/.test(file),
    )
    expect(strange).toEqual([])
    expect(contents).toContain('LICENSE')
  })

  test('every file of JavaScript has its types', () => {
    // What is there once more as CommonJS has the same ones.
    const scripts = contents.filter((file) => file.endsWith('.js') && !file.startsWith('dist/commonjs/'))
    expect(scripts.map((file) => file.replace(/\.js$/, '.d.ts')).filter((types) => !contents.includes(types))).toEqual(
      [],
    )
    expect(scripts.length).toBeGreaterThan(specifiers.length)
  })
})

describe('with no other package installed', () => {
  test.each(specifiers)('%s loads', async (specifier) => {
    expect(
      await installed.run('-e', `import('${specifier}').then((m) => console.log(Object.keys(m).length > 0))`),
    ).toBe('true\n')
  })

  test.each(specifiers)('%s loads by require()', async (specifier) => {
    const code = `console.log(Object.keys(require('${specifier}')).length > 0)`
    expect(await installed.run('--no-warnings', '--input-type=commonjs', '-e', code)).toBe('true\n')
  })

  test('nothing but the entry points can be imported', async () => {
    await expect(installed.run('-e', `import('holdfast/dist/core/sessions.js')`)).rejects.toThrow(
      'ERR_PACKAGE_PATH_NOT_EXPORTED',
    )
  })

  test('NODE_ENV is all that it reads from the environment', async () => {
    expect(JSON.parse(await installed.run('environment.mjs'))).toEqual(['NODE_ENV'])
  })

  test('loading it leaves nothing that keeps the process alive', async () => {
    const code = specifiers.map((specifier) => `import '${specifier}'`).join('\n')
    expect(await installed.run('--input-type=module', '-e', code)).toBe('')
  })
})

describe('the built package keeps the session and refuses what is forged', () => {
  beforeAll(() => installed.add('express', 'fastify'))

  test.each(['express', 'fastify', 'node'])('in %s', async (framework) => {
    const told: unknown = JSON.parse(await installed.run(`${framework}.mjs`))
    expect(told).toEqual({ counts: ['1', '2', '2'], refused: [403, 403, 403] })
  })
})

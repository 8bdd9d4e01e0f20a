/** The drop-in as strangers load it: as ES module and as CommonJS, in Jest, bundled, and typed in every way of resolving. */
import { writeFile } from 'node:fs/promises'
import path from 'node:path'

import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { installPackage, type InstalledPackage } from './installed-package.ts'

const PEERS = 'test/compat/peers'
const DROP_INS = ['drop-in', 'csurf', 'connect-redis'] as const
const STORIES = {
  'drop-in': { names: ['Cookie', 'MemoryStore', 'Session', 'Store'], counts: ['1', '2'], same: true },
  csurf: { with: 200, without: 403 },
  'connect-redis': { kind: true, counts: ['1', '2'], left: 0 },
}

let installed: InstalledPackage

beforeAll(async () => {
  installed = await installPackage()
  await installed.add('express', '@types/express', '@types/node', 'typescript', 'typescript-5.9', 'typescript-6')
  await installed.addFrom(PEERS, '@types/csurf', '@types/express-session', 'esbuild', 'express-session', 'jest')
})

afterAll(async () => {
  await installed.remove()
})

const programs = DROP_INS.flatMap((dropIn) =>
  ['module.mjs', 'commonjs.cjs'].map((program) => ({ program: `${dropIn}/${program}`, story: STORIES[dropIn] })),
)

test.each(programs)('$program', async ({ program, story }) => {
  expect(JSON.parse(await installed.run(program))).toEqual(story)
})

test('in Jest', async () => {
  const jest = 'node_modules/jest/bin/jest.js'
  const config = JSON.stringify({ rootDir: 'drop-in', testMatch: ['**/*.test.cjs'], watchman: false })
  await installed.run(jest, '--config', config, '--ci', '--silent', '--cacheDirectory', 'jest-cache')
})

test.each(programs)('$program bundled by esbuild', async ({ program, story }) => {
  const outfile = `${program}.bundled.cjs`
  const files = { entryPoints: [program], outfile }
  const options = { ...files, bundle: true, format: 'cjs', platform: 'node', logLevel: 'error' }
  await installed.run('--input-type=commonjs', '-e', `require('esbuild').buildSync(${JSON.stringify(options)})`)
  // A bundle has an express-session of its own, which a store outside of it cannot inherit from.
  const kind = 'kind' in story ? { kind: expect.any(Boolean) as boolean } : {}
  expect(JSON.parse(await installed.run(outfile))).toEqual({ ...story, ...kind })
})

describe.each(DROP_INS)('%s, typed by the original’s types, with what programs have added to them', (dropIn) => {
  const compilers = ['typescript-5.9', 'typescript-6', 'typescript']
  const ways = [
    { module: 'node16', moduleResolution: 'node16', files: ['commonjs.cts', 'module.mts'] },
    { module: 'nodenext', moduleResolution: 'nodenext', files: ['commonjs.cts', 'module.mts'] },
    { module: 'esnext', moduleResolution: 'bundler', files: ['module.mts', 'old.ts'] },
    { module: 'commonjs', moduleResolution: 'node10', files: ['old.ts'] },
  ]
  // The way before `exports` is gone from the compilers after 5.9.
  const pairs = compilers.flatMap((compiler) =>
    ways
      .filter(({ moduleResolution }) => moduleResolution !== 'node10' || compiler === 'typescript-5.9')
      .map((way) => ({ compiler, ...way })),
  )

  test.each(pairs)('$compiler, $moduleResolution', async ({ compiler, module, moduleResolution, files }) => {
    const tsconfig = `${dropIn}/types/tsconfig.${compiler}.${moduleResolution}.json`
    const compilerOptions = { module, moduleResolution, target: 'es2022', strict: true, noEmit: true, types: ['node'] }
    // Once is enough to look at all declarations, which takes a while.
    const skipLibCheck = moduleResolution !== 'nodenext' || compiler !== 'typescript'
    const options = { ...compilerOptions, esModuleInterop: true, skipLibCheck }
    await writeFile(path.join(installed.folder, '../..', tsconfig), JSON.stringify({ compilerOptions: options, files }))
    await installed
      .run(`node_modules/${compiler}/bin/tsc`, '-p', tsconfig, '--pretty', 'false')
      .catch((error: unknown) => {
        throw new Error((error as { stdout?: string }).stdout, { cause: error })
      })
  })
})

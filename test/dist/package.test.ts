/** The built and packed package: what is in it, how it loads, that it still guards what the sources guard. */
import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'

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

  test('every entry point, with its types', () => {
    const needed = entryPoints().flatMap(({ built, required, types }) => [
      built,
      ...types,
      ...(required ? [required] : []),
    ])
    expect(needed.filter((file) => !contents.includes(file.replace('./', '')))).toEqual([])
    expect(needed.length).toBeGreaterThan(2 * specifiers.length)
  })

  test('less than 150 kB of it are for everybody', async () => {
    // What is not: two stores, each for a package that is optional; the drop-in; and contracts, for tests.
    const optional = /^holdfast\/(redis|lmdb|express-session(\/store)?|testing)$/
    const roots = entryPoints().filter(({ specifier }) => !optional.test(specifier))
    expect(specifiers.length - roots.length).toBe(5)
    const files = roots.flatMap(({ built, types }) => [built, ...types].map((file) => file.replace('./', '')))
    const size = await packedSize([...(await reachableFrom(files)), 'LICENSE', 'README.md', 'package.json'])
    expect(size).toBeGreaterThan(50_000)
    expect(size).toBeLessThan(150_000)
  })
})

describe('with no other package installed', () => {
  test.each(specifiers)('%s loads', async (specifier) => {
    expect(
      await installed.run('-e', `import('${specifier}').then((m) => console.log(Object.keys(m).length > 0))`),
    ).toBe('true\n')
  })

  test.each(specifiers)('%s loads by require()', async (specifier) => {
    const code = `const loaded = require('${specifier}'); console.log(typeof loaded === 'function' || Object.keys(loaded).length > 0)`
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

  test.each([
    [
      'holdfast',
      /^src\/((core|csrf|telemetry)\/|errors|index|stores\/(by-url|secret|store-to-come|redis\/(url|use))\.)/,
    ],
    ['holdfast/memory', /^src\/((core|telemetry)\/|errors|stores\/(memory|rules|user-index)\.)/],
    ['holdfast/lmdb', /^src\/((core|telemetry)\/|errors|stores\/(lmdb(\/|\.)|rules\.|user-index\.))/],
    ['holdfast/redis', /^src\/((core|csrf|telemetry)\/|errors|stores\/redis\/)/],
    [
      'holdfast/express',
      /^src\/((core|csrf|telemetry)\/|errors|adapters\/(?!express|fastify|node\.)|adapters\/express\.)/,
    ],
    [
      'holdfast/fastify',
      /^src\/((core|csrf|telemetry)\/|errors|adapters\/(?!express|fastify|node\.)|adapters\/fastify\.)/,
    ],
  ])('%s loads what belongs to it, and nothing else', async (specifier, own) => {
    const modules = await loadedBy(`await import('${specifier}')`)
    expect(modules.filter((file) => !own.test(file))).toEqual([])
    expect(modules.length).toBeGreaterThan(3)
  })

  test('holdfast/browser is one file, which can be served as it is', async () => {
    expect(await reachableFrom(['dist/browser/index.js'])).toEqual(['dist/browser/index.js'])
    expect(await readFile(path.join(installed.folder, 'dist/browser/index.js'), 'utf8')).not.toMatch(/\bimport\b/)
  })

  test('a store that is named by URL is loaded when it opens', async () => {
    const isStore = (file: string): boolean => /stores\/(memory|lmdb|redis\/redis-store)\.ts$/.test(file)
    const loadedFor = async (store: string): Promise<string[]> => {
      const code = `
        import { createSessions } from 'holdfast'
        const log = { warn() {}, error() {} }
        const sessions = createSessions({ secret: 's'.repeat(32), store: '${store}', log })
        await sessions.health()
        await sessions.close()`
      return (await loadedBy(code)).filter(isStore)
    }
    expect(await loadedFor('memory:')).toEqual(['src/stores/memory.ts'])
    expect(await loadedFor('redis://127.0.0.1:1')).toEqual(['src/stores/redis/redis-store.ts'])
  })

  test('an error is of one class, whichever entry point throws it', async () => {
    const code = `import { OptionsError } from 'holdfast'
      import { lmdbStore } from 'holdfast/lmdb'
      import { redisStore } from 'holdfast/redis'
      import { defineCycle } from 'holdfast/cycle'
      import { holdfast } from 'holdfast/express'
      const attempts = [() => lmdbStore(''), () => redisStore('nonsense:'), () => defineCycle(''), () => holdfast({})]
      const thrown = attempts.map((attempt) => { try { attempt() } catch (error) { return error instanceof OptionsError ? 'ours' : String(error) } })
      console.log(JSON.stringify(thrown))`
    expect(JSON.parse(await installed.run('--input-type=module', '-e', code))).toEqual(Array(4).fill('ours'))
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

/** What the code imports: of ours by the sources that each file says it is made of, of others by URL, or by name where it is not there. */
async function loadedBy(code: string): Promise<string[]> {
  const imported = JSON.parse(await installed.run('loaded.mjs', code)) as string[]
  const sources = imported.map(async (url) =>
    url.includes('/node_modules/holdfast/') ? sourcesOf(new URL(url)) : [url],
  )
  return (await Promise.all(sources)).flat()
}

async function sourcesOf(file: URL): Promise<string[]> {
  const code = await readFile(file, 'utf8')
  return Array.from(code.matchAll(/^\/\/(?:#region)? (src\/\S+)$/gm), ([, source = '']) => source)
}

/** The files, and what they import in any way but by `import()`. */
async function reachableFrom(files: readonly string[]): Promise<string[]> {
  const reached = new Set(files)
  for (const file of reached) {
    const code = await readFile(path.join(installed.folder, file), 'utf8')
    for (const [, specifier = ''] of code.matchAll(/\bfrom ['"](\.[^'"]+)['"]/g)) {
      const other = path.posix.join(path.posix.dirname(file), specifier)
      reached.add(file.endsWith('.d.ts') ? other.replace(/\.[jt]s$/, '.d.ts') : other)
    }
  }
  return [...reached]
}

/** Bytes of the files as npm would pack them. */
async function packedSize(files: readonly string[]): Promise<number> {
  const list = files.map((file) => `'${file}'`).join(' ')
  const { stdout } = await promisify(execFile)('sh', ['-c', `tar -cf - ${list} | gzip -9 | wc -c`], {
    cwd: installed.folder,
  })
  return Number(stdout)
}

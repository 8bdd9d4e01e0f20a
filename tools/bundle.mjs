/**
 * The package: src → dist. Rolldown puts the modules of each entry point into few files, which share what several need, so
 * that an error is of the same class wherever it was imported from. Nothing is minified: names and lines in a stack are
 * those of the file that users have. Comments stay in the declarations (tools/declarations.mjs), where editors look.
 *
 * The drop-ins come once more as CommonJS, each in one file with all that it needs: for Jest, for bundlers that follow
 * `require`, and for TypeScript that knows nothing of `exports`. Each is entered by a file `commonjs.ts`.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'

import { rolldown } from 'rolldown'

import { declarations } from './declarations.mjs'
import { entryPoints } from './entry-points.mjs'
import { inProject } from './project.mjs'

const folder = 'dist'
const stampFile = 'build/.bundled'
const commonJs = 'commonjs'

/** What is there only if it was installed, and loaded only where it is used; and ourselves, for the command line. */
const external = ['ioredis', 'lmdb', /^holdfast(\/|$)/]

/** Served to browsers as it is: it shares nothing with others. */
const alone = './src/browser/index.ts'

/** Writes what is new, and removes what is needed no more. Does nothing where neither sources nor output have changed. */
export async function bundle() {
  const sources = digest(['src', 'tools', 'build/src', 'package.json', 'node_modules/rolldown/package.json'])
  if (isStamped(sources)) return
  const outputs = new Map([...(await modules()), ...(await commonJsOfDropIns()), ...declarations()])
  removeOthers(outputs)
  for (const [file, text] of outputs) write(`${folder}/${file}`, text)
  write(stampFile, `${sources} ${digest([folder])}\n`)
}

/** @returns {Promise<Array<[file: string, text: string]>>} */
async function modules() {
  const sources = [...entryPoints().map(({ source }) => source), './src/cli/main.ts']
  const groups = [sources.filter((source) => source !== alone), [alone]]
  const inputs = groups.map((group) => Object.fromEntries(group.map((source) => [nounOf(source), inProject(source)])))
  return (await Promise.all(inputs.map((input) => bundled(input, 'es')))).flat()
}

/** @returns {Promise<Array<[file: string, text: string]>>} */
async function commonJsOfDropIns() {
  const outputs = []
  for (const { source, required } of entryPoints()) {
    if (required === undefined) continue
    const entry = path.posix.join(path.posix.dirname(source), path.posix.basename(required, '.js'))
    outputs.push(...(await bundled({ [`${commonJs}/${nounOf(source, entry)}`]: inProject(`${entry}.ts`) }, 'cjs')))
  }
  // Node goes by the package file that is nearest; the one above says that all are ES modules.
  return outputs.length === 0 ? [] : [...outputs, [`${commonJs}/package.json`, '{ "type": "commonjs" }\n']]
}

/**
 * @param {Record<string, string>} input
 * @param {'es' | 'cjs'} format
 * @returns {Promise<Array<[file: string, text: string]>>}
 */
async function bundled(input, format) {
  const bundler = await rolldown({
    input,
    cwd: inProject(''),
    platform: 'node',
    external,
    tsconfig: false,
    onLog: (_level, { code, message }) => {
      // The one file that mixes both kinds is a drop-in's `commonjs.ts`, for which it is right.
      if (format === 'es' || code !== 'COMMONJS_VARIABLE_IN_ESM') throw new Error(`The bundler complains: ${message}`)
    },
  })
  try {
    const { output } = await bundler.generate({
      format,
      entryFileNames: '[name].js',
      chunkFileNames: 'shared/[name].js',
      // Of the comments only those that tell bundlers what has no effect.
      comments: { legal: false, annotation: true, jsdoc: false },
      minify: false,
      // Where two of one name meet in a file, one is called otherwise there; what it says of itself stays.
      keepNames: !Object.hasOwn(input, nounOf(alone)),
      minifyInternalExports: false,
    })
    return output.map((file) => [file.fileName, file.type === 'chunk' ? file.code : String(file.source)])
  } finally {
    await bundler.close()
  }
}

/** `./src/adapters/express.ts` is `adapters/express`. @param {string} source @param {string} [entry] */
function nounOf(source, entry = source) {
  return entry.replace(/^(\.\/)?src\//, '').replace(/\.ts$/, '')
}

/** @param {string} sources */
function isStamped(sources) {
  const file = inProject(stampFile)
  return existsSync(file) && readFileSync(file, 'utf8') === `${sources} ${digest([folder])}\n`
}

/** One hash over files, and folders of them, by name and bytes. @param {readonly string[]} paths */
function digest(paths) {
  const hash = createHash('sha256')
  for (const file of paths.flatMap(filesOf).toSorted()) {
    const bytes = readFileSync(inProject(file))
    hash.update(`${file} ${bytes.length}\n`).update(bytes)
  }
  return hash.digest('hex')
}

/** @param {string} name @returns {string[]} */
function filesOf(name) {
  if (!existsSync(inProject(name))) return []
  if (path.extname(name) !== '') return [name]
  return readdirSync(inProject(name), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(inProject(''), path.join(entry.parentPath, entry.name)))
}

/** @param {ReadonlyMap<string, string>} outputs */
function removeOthers(outputs) {
  for (const file of filesOf(folder)) if (!outputs.has(path.relative(folder, file))) rmSync(inProject(file))
}

/** @param {string} file @param {string} text */
function write(file, text) {
  if (existsSync(inProject(file)) && readFileSync(inProject(file), 'utf8') === text) return
  mkdirSync(inProject(path.posix.dirname(file)), { recursive: true })
  writeFileSync(inProject(file), text)
}

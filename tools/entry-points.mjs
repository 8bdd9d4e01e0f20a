/** The public entry points, read from package.json so that no second list can fall behind. */
import { readText } from './project.mjs'

/**
 * @typedef {object} EntryPoint
 * @property {string} specifier what a user imports: 'holdfast/express'
 * @property {string} source './src/adapters/express.ts'
 * @property {string} built './dist/adapters/express.js'
 * @property {string[]} types './dist/adapters/express.d.ts'; where `require()` gets another file, its types too
 * @property {string | undefined} required what `require()` gets, where that is another file
 * @typedef {object} Manifest
 * @property {string} name
 * @property {Record<string, string | Target | { import: Target, require: Target }>} exports
 * @typedef {object} Target
 * @property {string} types
 * @property {string} default
 */

/** @returns {EntryPoint[]} */
export function entryPoints() {
  const manifest = /** @type {Manifest} */ (JSON.parse(readText('package.json')))
  return Object.entries(manifest.exports).flatMap(([subpath, target]) => {
    if (typeof target === 'string') return []
    const specifier = manifest.name + subpath.slice(1)
    return 'default' in target
      ? [entryPoint(specifier, target)]
      : [entryPoint(specifier, target.import, target.require)]
  })
}

/**
 * @param {string} specifier
 * @param {Target} target
 * @param {Target} [required]
 * @returns {EntryPoint}
 */
function entryPoint(specifier, { default: built, types }, required) {
  return {
    specifier,
    built,
    required: required?.default,
    types: [types, ...(required === undefined ? [] : [required.types])],
    source: built.replace('./dist/', './src/').replace(/\.js$/, '.ts'),
  }
}

/** Where the compiler's declarations are: './build/src/adapters/express.d.ts'. @param {string} built */
function compiled(built) {
  return built.replace('./dist/', './build/src/').replace(/\.js$/, '.d.ts')
}

/**
 * The compiler has no other way to learn what package.json says than to be told again; this compares.
 * @returns {string[]} what is wrong, in words
 */
export function pathsOutOfStep() {
  return ['tsconfig.json', 'tsconfig.build.json', 'tsconfig.programs.json'].flatMap((file) => {
    const text = readText(file)
    return entryPoints()
      .map(({ specifier, source, built }) => {
        const target = file === 'tsconfig.programs.json' ? compiled(built) : source
        return `"${specifier}": ["${target}"]`
      })
      .filter((line) => !text.includes(line))
      .map((line) => `${file}: paths should have ${line}, as package.json's exports do`)
  })
}

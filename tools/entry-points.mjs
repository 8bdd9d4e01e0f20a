/** The public entry points, read from package.json so that no second list can fall behind. */
import { readText } from './project.mjs'

/**
 * @typedef {object} EntryPoint
 * @property {string} specifier what a user imports: 'holdfast/express'
 * @property {string} source './src/adapters/express.ts'
 * @property {string} built './dist/adapters/express.js'
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
      ? [entryPoint(specifier, target.default)]
      : [entryPoint(specifier, target.import.default, target.require.default)]
  })
}

/**
 * @param {string} specifier
 * @param {string} built
 * @param {string} [required]
 * @returns {EntryPoint}
 */
function entryPoint(specifier, built, required) {
  return { specifier, built, required, source: built.replace('./dist/', './src/').replace(/\.js$/, '.ts') }
}

/**
 * The compiler has no other way to learn what package.json says than to be told again; this compares.
 * @returns {string[]} what is wrong, in words
 */
export function pathsOutOfStep() {
  return ['tsconfig.json', 'tsconfig.programs.json'].flatMap((file) => {
    const text = readText(file)
    return entryPoints()
      .map(({ specifier, source, built }) => {
        const target = file === 'tsconfig.json' ? source : built.replace(/\.js$/, '.d.ts')
        return `"${specifier}": ["${target}"]`
      })
      .filter((line) => !text.includes(line))
      .map((line) => `${file}: paths should have ${line}, as package.json's exports do`)
  })
}

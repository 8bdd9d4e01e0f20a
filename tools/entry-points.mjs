/** The public entry points, read from package.json so that no second list can fall behind. */
import { readFileSync } from 'node:fs'

/**
 * @typedef {object} EntryPoint
 * @property {string} specifier what a user imports: 'holdfast/express'
 * @property {string} source './src/adapters/express.ts'
 * @property {string} built './dist/adapters/express.js'
 */

/** @returns {EntryPoint[]} */
export function entryPoints() {
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  return Object.entries(manifest.exports)
    .filter(([, target]) => typeof target === 'object')
    .map(([subpath, target]) => ({
      specifier: manifest.name + subpath.slice(1),
      source: target.default.replace('./dist/', './src/').replace(/\.js$/, '.ts'),
      built: target.default,
    }))
}

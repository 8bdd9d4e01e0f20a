/**
 * Imports point one way: policy in the middle knows nothing of stores, frameworks or processes, and what is
 * built on the package uses it like everyone else. A folder that is not in the table is a complaint.
 */
import path from 'node:path'

import { files, imports } from './source.mjs'

/**
 * @typedef {object} Area
 * @property {readonly string[]} areas what it may import of ours, besides itself
 * @property {readonly RegExp[]} packages what it may import of others
 * @property {readonly RegExp[]} [types] what it may import the types of, and nothing else
 */

const anyOfNode = /^node:/
const ourselves = /^holdfast(\/|$)/
const ground = ['errors', 'types', 'telemetry']

/** The areas are the folders of src, and the files directly in it. @type {Readonly<Record<string, Area>>} */
const table = {
  errors: { areas: [], packages: [] },
  types: { areas: [], packages: [], types: [/^core$/, /^errors$/] },
  telemetry: { areas: ['types'], packages: [/^node:diagnostics_channel$/] },
  core: { areas: [...ground, 'csrf'], packages: [/^node:crypto$/] },
  csrf: { areas: [...ground, 'core'], packages: [/^node:crypto$/] },
  cycle: { areas: [...ground, 'core', 'csrf'], packages: [/^node:(crypto|timers\/promises)$/] },
  stores: { areas: [...ground, 'core'], packages: [anyOfNode, /^lmdb$/, /^ioredis$/] },
  adapters: {
    areas: [...ground, 'core', 'csrf', 'cycle'],
    packages: [anyOfNode],
    types: [/^express$/, /^express-serve-static-core$/, /^fastify$/],
  },
  // Served to browsers as it is: one file, which imports nothing.
  browser: { areas: [], packages: [] },
  compat: {
    areas: [...ground, 'core', 'csrf', 'stores', 'adapters'],
    packages: [anyOfNode],
    types: [/^express-session$/, /^csurf$/],
  },
  testing: { areas: [...ground, 'core', 'stores'], packages: [anyOfNode] },
  index: { areas: [...ground, 'core', 'csrf', 'stores'], packages: [anyOfNode] },
  gateway: { areas: [], packages: [anyOfNode, ourselves] },
  dashboard: { areas: [], packages: [anyOfNode, ourselves] },
  cli: { areas: [], packages: [anyOfNode, ourselves] },
}

/** Folders whose programs use the built package, and never reach into its sources. */
const outside = ['examples', 'proof', 'bench', 'test/programs']

/** The one file that hands the core's parts to the simulation, which drives them without an adapter. */
const reachesIn = 'proof/simulation/parts.ts'

/** @returns {string[]} one line for each import that crosses a boundary */
export function boundaryComplaints() {
  return [
    ...files('src/*.ts').flatMap(sourceComplaints),
    ...files(...outside.map((folder) => `${folder}/*.ts`)).flatMap(programComplaints),
  ]
}

/** @param {string} file */
function sourceComplaints(file) {
  const name = areaOf(file)
  const area = table[name]
  if (area === undefined) return [`${file}: the area '${name}' is not in the table of tools/boundaries.mjs`]
  return imports(file)
    .filter((found) => !isAllowed(name, area, file, found))
    .map(({ specifier, line }) => `${file}:${line}: ${name} must not import '${specifier}'`)
}

/**
 * @param {string} name
 * @param {Area} area
 * @param {string} file
 * @param {import('./source.mjs').Import} found
 */
function isAllowed(name, area, file, { specifier, typeOnly }) {
  const relative = specifier.startsWith('.')
  const target = relative ? areaOf(path.posix.join(path.posix.dirname(file), specifier)) : specifier
  // Declarations import nothing when the program runs.
  const isType = typeOnly || file.endsWith('.d.ts')
  if (isType && area.types?.some((pattern) => pattern.test(target)) === true) return true
  return relative
    ? target === name || area.areas.includes(target)
    : area.packages.some((pattern) => pattern.test(target))
}

/** @param {string} file @returns {string} `src/stores/redis/index.ts` is in 'stores', `src/errors.ts` is 'errors' */
function areaOf(file) {
  const [folder, area] = file.split('/')
  return folder === 'src' && area !== undefined ? area.replace(/\.ts$/, '') : file
}

/** @param {string} file */
function programComplaints(file) {
  if (file === reachesIn) return []
  return imports(file)
    .filter(
      ({ specifier }) =>
        specifier.startsWith('.') && path.posix.join(path.posix.dirname(file), specifier).startsWith('src/'),
    )
    .map(({ specifier, line }) => `${file}:${line}: programs use the package as 'holdfast', not '${specifier}'`)
}

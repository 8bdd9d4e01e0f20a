/**
 * Documents in step with the source: tables name what the source names, links lead somewhere, and every
 * block of TypeScript or JavaScript compiles. How a block says what surrounds it:
 *
 * - `// sessions.ts` on a line of its own begins a file of that name, which later blocks of the document can import;
 * - `<!-- continues -->` before a block makes it the rest of the block before;
 * - `<!-- given … -->` before a block is code in front of it that the reader needs not see.
 */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'

import { anchors, codeBlocks, links, tableKeys } from './documents.mjs'
import { inProject, runNode } from './project.mjs'
import { files, literals, properties } from './source.mjs'
import { suites } from './suites.mjs'

/** Documents that there must be. @type {readonly string[]} */
const required = [
  'README.md',
  'docs/errors.md',
  'docs/options.md',
  'docs/sessions.md',
  'docs/telemetry.md',
  'docs/tests.md',
]

/** Tables whose first column is a list of names that the source has too. */
const tables = [
  {
    document: 'docs/errors.md',
    kind: 'error code',
    names: () => files('src/*.ts').flatMap(errorCodes),
    pattern: /^ERR_/,
  },
  { document: 'docs/options.md', kind: 'option', names: optionNames, pattern: /^[a-zA-Z.]+$/ },
  {
    document: 'docs/sessions.md',
    kind: 'member of a session or a manager',
    names: memberNames,
    pattern: /^sessions?\b/,
  },
  { document: 'docs/stores.md', kind: 'option of redisStore', names: redisOptionNames, pattern: /^redis\.\w/ },
  { document: 'docs/telemetry.md', kind: 'channel', names: channelNames, pattern: /^holdfast:/ },
  { document: 'docs/tests.md', kind: 'suite', names: () => suites.map(({ name }) => name), pattern: /^[a-z]+$/ },
]

const examplesFolder = 'build/docs-examples'

/** @returns {string[]} */
export function documentComplaints() {
  return [...presenceComplaints(), ...tables.flatMap(tableComplaints), ...documents().flatMap(linkComplaints)]
}

/**
 * Each document is a program of its own: what one of them declares for a whole program is not there in the others.
 * @returns {Promise<import('./project.mjs').Ended>}
 */
export async function compileExamples() {
  rmSync(inProject(examplesFolder), { recursive: true, force: true })
  let output = ''
  for (const document of documents()) {
    if (writeExamples(document)) output += await complaintsOfCompiler(document)
  }
  return { ok: output === '', output }
}

/** @param {string} document */
async function complaintsOfCompiler(document) {
  const folder = folderOf(document)
  const options = { noUnusedLocals: false, noUnusedParameters: false, checkJs: false, incremental: false }
  const compilerOptions = { ...options, tsBuildInfoFile: null }
  const config = { extends: inProject('tsconfig.json'), compilerOptions, include: ['.'], exclude: [] }
  writeFileSync(inProject(`${folder}/tsconfig.json`), JSON.stringify(config))
  const { ok, output } = await runNode('node_modules/typescript/bin/tsc', ['-p', folder, '--pretty', 'false'])
  return ok ? '' : output || `${document}: the compiler failed\n`
}

/** Where the examples of a document are written to. @param {string} document */
function folderOf(document) {
  return `${examplesFolder}/${document.replaceAll(/[/.]/g, '-')}`
}

function documents() {
  return files('*.md')
}

function presenceComplaints() {
  return required.filter((document) => !existsSync(inProject(document))).map((document) => `${document} is missing`)
}

/** @param {{ document: string, kind: string, names: () => string[], pattern: RegExp }} table */
function tableComplaints({ document, kind, names, pattern }) {
  if (!existsSync(inProject(document))) return []
  const told = tableKeys(document).filter((key) => pattern.test(key))
  const real = names()
  return [
    ...real.filter((name) => !told.includes(name)).map((name) => `${document} has no row for the ${kind} \`${name}\``),
    ...told
      .filter((key) => !real.includes(key))
      .map((key) => `${document} has a row for \`${key}\`, which is no ${kind}`),
    ...told.filter((key, index) => told.indexOf(key) !== index).map((key) => `${document} has two rows for \`${key}\``),
  ]
}

/** @param {string} file */
function errorCodes(file) {
  return file.endsWith('errors.ts') ? literals(file, /^ERR_[A-Z_]+$/) : []
}

function optionNames() {
  const typed = ['ShapeOption', 'AdoptOption'].flatMap((part) => properties('src/types.ts', part))
  return [...properties('src/types.ts', 'BaseOptions', ['Limits', 'NearCacheOptions']), ...typed, 'initial']
}

function redisOptionNames() {
  const own = properties('src/stores/redis/options.ts', 'RedisStoreOptions', ['SentinelOptions'])
  return [...own, ...properties('src/stores/redis/use.ts', 'UseOptions')].map((name) => `redis.${name}`)
}

function memberNames() {
  return [
    ...properties('src/types.ts', 'Session', ['SessionCsrf']).map((member) => `session.${member}`),
    ...properties('src/types.ts', 'Sessions').map((member) => `sessions.${member}`.replace('.[', '[')),
  ]
}

function channelNames() {
  return files('src/telemetry/*.ts').flatMap((file) => literals(file, /^holdfast:/))
}

/** @param {string} document */
function linkComplaints(document) {
  return links(document).flatMap((link) => {
    const [target = '', anchor] = link.split('#')
    const file = target === '' ? document : path.posix.join(path.posix.dirname(document), decodeURI(target))
    if (!existsSync(inProject(file))) return [`${document}: ${link} leads nowhere`]
    const unknown = anchor !== undefined && file.endsWith('.md') && !anchors(file).includes(anchor)
    return unknown ? [`${document}: ${file} has no heading for #${anchor}`] : []
  })
}

/** @param {string} document @returns {boolean} whether there are any */
function writeExamples(document) {
  const contents = examplesIn(document)
  for (const [name, text] of contents) {
    const file = inProject(`${folderOf(document)}/${name}`)
    mkdirSync(path.dirname(file), { recursive: true })
    writeFileSync(file, text)
  }
  return contents.size > 0
}

/** @param {string} document @returns {Map<string, string>} files by name; one without a name is called by its line */
function examplesIn(document) {
  /** @type {Map<string, string>} */
  const contents = new Map()
  let current = ''
  for (const { language, code, line, comment } of codeBlocks(document)) {
    if (!/^(?:[jt]sx?|typescript|javascript)$/.test(language)) continue
    if (comment !== 'continues') current = `line-${line}.${language.startsWith('j') ? 'js' : 'ts'}`
    const given = /^given\b([^]*)$/.exec(comment)?.[1] ?? ''
    for (const part of `${given}\n${code}`.split(/^(?=\/\/ [\w/-]+\.[jt]s\b)/m)) {
      current = /^\/\/ ([\w/-]+\.[jt]s)\b/.exec(part)?.[1] ?? current
      contents.set(current, `${contents.get(current) ?? ''}${part}`)
    }
  }
  return contents
}

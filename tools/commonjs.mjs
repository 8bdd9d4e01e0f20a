/**
 * The drop-ins once more as CommonJS, with all that they import: src → dist/commonjs. For Jest, for bundlers that follow
 * `require`, and for TypeScript that knows nothing of `exports`. Each is entered by a file `commonjs.ts`; its types, and
 * those of the ES module, are declared in `types/`, where they are the original's.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'

import ts from 'typescript-6'

import { inProject, readText } from './project.mjs'

const folder = 'dist/commonjs'

/** @type {ts.CompilerOptions} */
const compilerOptions = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.CommonJS,
  rewriteRelativeImportExtensions: true,
}

/** Writes what is new, and removes what is needed no more. */
export function buildCommonJs() {
  /** @type {Map<string, string>} */
  const outputs = new Map()
  for (const dropIn of dropIns()) {
    compile(`${dropIn}/commonjs.ts`, outputs)
    outputs.set(inOutput(`${dropIn}/types/commonjs.d.ts`), readText(`${dropIn}/types/commonjs.d.ts`))
    for (const name of readdirSync(inProject(`${dropIn}/types`)).filter((file) => file !== 'commonjs.d.ts'))
      write(`${dropIn}/types/${name}`.replace('src', 'dist'), readText(`${dropIn}/types/${name}`))
  }
  // Node goes by the package file that is nearest; the one above says that all are ES modules.
  outputs.set(`${folder}/package.json`, '{ "type": "commonjs" }\n')
  removeOthers(outputs)
  for (const [file, text] of outputs) write(file, text)
}

function dropIns() {
  return readdirSync(inProject('src/compat'))
    .map((name) => `src/compat/${name}`)
    .filter((dropIn) => existsSync(inProject(`${dropIn}/commonjs.ts`)))
}

/** Compiles a file and what it imports. @param {string} source @param {Map<string, string>} outputs */
function compile(source, outputs) {
  const output = inOutput(source).replace(/\.ts$/, '.js')
  if (outputs.has(output)) return
  const { outputText } = ts.transpileModule(readText(source), { fileName: source, compilerOptions })
  outputs.set(output, outputText)
  for (const [, required = ''] of outputText.matchAll(/\brequire\("(\.[^"]+)\.js"\)/g))
    compile(`${path.posix.join(path.posix.dirname(source), required)}.ts`, outputs)
}

/** @param {string} source */
function inOutput(source) {
  return source.replace(/^src\//, `${folder}/`)
}

/** @param {Map<string, string>} outputs */
function removeOthers(outputs) {
  if (!existsSync(inProject(folder))) return
  for (const entry of readdirSync(inProject(folder), { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name)
    if (entry.isFile() && !outputs.has(`${folder}/${path.relative(inProject(folder), file)}`)) rmSync(file)
  }
}

/** @param {string} file @param {string} text */
function write(file, text) {
  if (existsSync(inProject(file)) && readFileSync(inProject(file), 'utf8') === text) return
  mkdirSync(inProject(path.posix.dirname(file)), { recursive: true })
  writeFileSync(inProject(file), text)
}

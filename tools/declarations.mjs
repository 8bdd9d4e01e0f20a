/**
 * The declarations of the package: of what the compiler made, what the entry points lead to, and no more. Most of what a
 * module exports is for other modules of ours; users would never get to see its types, and would download them.
 */
import { existsSync } from 'node:fs'
import path from 'node:path'

import ts from 'typescript-6'

import { entryPoints } from './entry-points.mjs'
import { inProject, readText } from './project.mjs'

/** Where declarations come from: the compiler's, and those that were written by hand. */
const folders = ['build/src', 'src']

/**
 * @typedef {object} Import
 * @property {string | undefined} file whence, where that is ours
 * @property {string | undefined} name what it is called there; `undefined`: all of it
 * @typedef {object} Declarations one file of them
 * @property {ts.SourceFile} source
 * @property {Map<string, ts.Statement[]>} declared
 * @property {Map<string, Import>} imported
 * @property {Map<string, Import | string>} exported by the name outside: from where, or what it is called in here
 * @property {string[]} passedOn files of which everything is exported
 * @property {Set<ts.Statement>} kept
 * @property {Set<string>} used names of imports, of exports from elsewhere, and of the files that are passed on
 * @property {boolean} whole everything that is exported is
 */

/** @returns {Array<[file: string, text: string]>} as in dist */
export function declarations() {
  const roots = entryPoints().flatMap(({ types }) => types)
  const found = new Reachable()
  for (const root of roots) found.needAll(root.replace('./dist/', '').replace(/^commonjs\//, ''))
  const texts = [...found.files].flatMap(([file, known]) =>
    known.used.size + known.kept.size > 0 ? [[file, textOf(known)]] : [],
  )
  const copies = roots.flatMap((root) => {
    const file = root.replace('./dist/', '')
    return file.startsWith('commonjs/') ? [[file, readText(`src/${file.slice('commonjs/'.length)}`)]] : []
  })
  return /** @type {Array<[string, string]>} */ ([...texts, ...copies])
}

/** What was found to be needed so far. */
class Reachable {
  /** @type {Map<string, Declarations>} */
  files = new Map()

  /** @param {string} file */
  needAll(file) {
    const known = this.#file(file)
    if (known.whole) return
    known.whole = true
    for (const name of known.exported.keys()) this.need(file, name)
    for (const other of known.passedOn) {
      known.used.add(other)
      this.needAll(other)
    }
  }

  /** What a file exports by this name. @param {string} file @param {string} name @returns {boolean} whether it does */
  need(file, name) {
    const known = this.#file(file)
    const exported = known.exported.get(name)
    if (typeof exported === 'string') this.#needHere(file, known, exported)
    else if (exported !== undefined) {
      known.used.add(name)
      this.#follow(exported)
    } else {
      const through = known.passedOn.find((other) => this.need(other, name))
      if (through !== undefined) known.used.add(through)
      return through !== undefined
    }
    return true
  }

  /** What goes by this name within a file. @param {string} file @param {Declarations} known @param {string} name */
  #needHere(file, known, name) {
    const imported = known.imported.get(name)
    if (imported !== undefined && !known.used.has(name)) {
      known.used.add(name)
      this.#follow(imported)
    }
    for (const statement of known.declared.get(name) ?? []) this.#keep(file, known, statement)
  }

  /** @param {Import} from */
  #follow({ file, name }) {
    if (file === undefined) return
    if (name === undefined) this.needAll(file)
    else if (!this.need(file, name)) throw new Error(`${file} declares no ${name}`)
  }

  /** Keeps a statement, and what is named in it. @param {string} file @param {Declarations} known @param {ts.Statement} statement */
  #keep(file, known, statement) {
    if (known.kept.has(statement)) return
    known.kept.add(statement)
    const visit = (/** @type {ts.Node} */ node) => {
      if (ts.isIdentifier(node)) this.#needHere(file, known, node.text)
      else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
        const other = fileOf(file, node.argument.literal)
        if (other !== undefined) this.needAll(other)
      }
      ts.forEachChild(node, visit)
    }
    visit(statement)
  }

  /** @param {string} file */
  #file(file) {
    const before = this.files.get(file)
    if (before !== undefined) return before
    const known = read(file)
    this.files.set(file, known)
    for (const statement of known.source.statements) if (isForAll(statement)) this.#keep(file, known, statement)
    return known
  }
}

/** @param {string} file @returns {Declarations} */
function read(file) {
  const folder = folders.find((each) => existsSync(inProject(`${each}/${file}`)))
  if (folder === undefined) throw new Error(`There are no declarations ${file}`)
  const source = ts.createSourceFile(file, readText(`${folder}/${file}`), ts.ScriptTarget.Latest, true)
  /** @type {Declarations} */
  const known = {
    source,
    declared: new Map(),
    imported: new Map(),
    exported: new Map(),
    passedOn: [],
    kept: new Set(),
    used: new Set(),
    whole: false,
  }
  for (const statement of source.statements) note(file, known, statement)
  return known
}

/** @param {string} file @param {Declarations} known @param {ts.Statement} statement */
function note(file, known, statement) {
  if (ts.isImportDeclaration(statement)) {
    if (statement.importClause === undefined)
      throw new Error(`${file} imports a module for what it does, not for types`)
    const from = fileOf(file, statement.moduleSpecifier)
    for (const { local, name } of importsOf(statement)) known.imported.set(local, { file: from, name })
  } else if (ts.isExportDeclaration(statement)) {
    noteExports(file, known, statement)
  } else {
    for (const name of namesOf(statement)) {
      known.declared.set(name, [...(known.declared.get(name) ?? []), statement])
      if (isExported(statement, ts.SyntaxKind.DefaultKeyword)) known.exported.set('default', name)
      else if (isExported(statement, ts.SyntaxKind.ExportKeyword)) known.exported.set(name, name)
    }
  }
}

/** @param {string} file @param {Declarations} known @param {ts.ExportDeclaration} statement */
function noteExports(file, known, { moduleSpecifier, exportClause }) {
  const from = moduleSpecifier && fileOf(file, moduleSpecifier)
  if (exportClause === undefined) {
    if (from !== undefined) known.passedOn.push(from)
  } else if (ts.isNamespaceExport(exportClause))
    known.exported.set(exportClause.name.text, { file: from, name: undefined })
  else {
    for (const { name, propertyName = name } of exportClause.elements)
      known.exported.set(
        name.text,
        moduleSpecifier === undefined ? propertyName.text : { file: from, name: propertyName.text },
      )
  }
}

/** @param {ts.ImportDeclaration} statement @returns {Array<{ local: string, name: string | undefined }>} */
function importsOf({ importClause }) {
  const { name, namedBindings } = importClause ?? {}
  const all = name === undefined ? [] : [{ local: name.text, name: 'default' }]
  if (namedBindings === undefined) return all
  if (ts.isNamespaceImport(namedBindings)) return [...all, { local: namedBindings.name.text, name: undefined }]
  return [
    ...all,
    ...namedBindings.elements.map((each) => ({ local: each.name.text, name: (each.propertyName ?? each.name).text })),
  ]
}

/** @param {ts.Statement} statement @returns {string[]} */
function namesOf(statement) {
  if (ts.isVariableStatement(statement))
    return statement.declarationList.declarations.map(({ name }) => (ts.isIdentifier(name) ? name.text : ''))
  const { name } = /** @type {{ name?: ts.Node }} */ (/** @type {unknown} */ (statement))
  return name !== undefined && ts.isIdentifier(name) ? [name.text] : []
}

/** @param {ts.Statement} statement @param {ts.SyntaxKind} modifier */
function isExported(statement, modifier) {
  return ts.canHaveModifiers(statement) && ts.getModifiers(statement)?.some(({ kind }) => kind === modifier) === true
}

/**
 * What belongs to a file, and to none of its names: `declare module`, `declare global`, `export default session`.
 * @param {ts.Statement} statement
 */
function isForAll(statement) {
  if (ts.isExportAssignment(statement)) return true
  return ts.isModuleDeclaration(statement) && (!ts.isIdentifier(statement.name) || statement.name.text === 'global')
}

/** @param {string} file @param {ts.Node} specifier @returns {string | undefined} where that is ours */
function fileOf(file, specifier) {
  if (!ts.isStringLiteral(specifier) || !specifier.text.startsWith('.')) return undefined
  return path.posix.join(path.posix.dirname(file), specifier.text.replace(/\.[jt]s$/, '.d.ts'))
}

/** @param {Declarations} known */
function textOf(known) {
  const { source } = known
  const texts = source.statements.map((statement) => {
    if (ts.isImportDeclaration(statement)) return importText(known, statement)
    if (ts.isExportDeclaration(statement)) return exportText(known, statement)
    return known.kept.has(statement) ? statement.getFullText(source) : ''
  })
  const text = texts.join('').trim()
  // Without it everything in the file would be exported.
  return `${/^(export|import) /m.test(text) ? text : `${text}\nexport {}`}\n`
}

/** @param {Declarations} known @param {ts.ImportDeclaration} statement */
function importText(known, statement) {
  const { namedBindings, name } = statement.importClause ?? {}
  if (importsOf(statement).every(({ local }) => known.used.has(local))) return statement.getFullText(known.source)
  if (namedBindings === undefined || ts.isNamespaceImport(namedBindings) || name !== undefined)
    return name !== undefined && known.used.has(name.text) ? statement.getFullText(known.source) : ''
  return withElements(known, statement, namedBindings, namedBindings.elements)
}

/** @param {Declarations} known @param {ts.ExportDeclaration} statement */
function exportText(known, statement) {
  const { exportClause, moduleSpecifier } = statement
  if (known.whole) return statement.getFullText(known.source)
  if (exportClause === undefined) {
    const from = moduleSpecifier && fileOf(known.source.fileName, moduleSpecifier)
    return from !== undefined && known.used.has(from) ? statement.getFullText(known.source) : ''
  }
  if (ts.isNamespaceExport(exportClause))
    return known.used.has(exportClause.name.text) ? statement.getFullText(known.source) : ''
  return moduleSpecifier === undefined
    ? statement.getFullText(known.source)
    : withElements(known, statement, exportClause, exportClause.elements)
}

/**
 * The statement with those of its names that are used.
 * @param {Declarations} known
 * @param {ts.Statement} statement
 * @param {ts.Node} list
 * @param {readonly (ts.ImportSpecifier | ts.ExportSpecifier)[]} elements
 */
function withElements({ source, used }, statement, list, elements) {
  const kept = elements.filter(({ name }) => used.has(name.text)).map((element) => element.getText(source))
  if (kept.length === 0) return ''
  const [before, after] = [
    source.text.slice(statement.getFullStart(), list.getStart(source)),
    source.text.slice(list.end, statement.end),
  ]
  return `${before}{ ${kept.join(', ')} }${after}`
}

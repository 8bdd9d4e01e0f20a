/** Reads TypeScript sources for the checks: by parsing, so that comments and strings deceive nobody. */
import { execFileSync } from 'node:child_process'

import ts from 'typescript-6'

import { readText, root } from './project.mjs'

/** @param {...string} patterns as `git ls-files` takes them @returns {string[]} tracked and new files, not ignored ones */
export function files(...patterns) {
  const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--deduplicate', '--', ...patterns]
  const listed = execFileSync('git', args, { cwd: root, encoding: 'utf8' }).split('\0').filter(Boolean)
  const gone = execFileSync('git', ['ls-files', '-z', '--deleted'], { cwd: root, encoding: 'utf8' }).split('\0')
  return listed.filter((file) => !gone.includes(file))
}

/** @param {string} file relative to the project's folder */
export function parse(file) {
  return ts.createSourceFile(file, readText(file), ts.ScriptTarget.Latest, true)
}

/**
 * @typedef {object} Import
 * @property {string} specifier
 * @property {boolean} typeOnly
 * @property {number} line
 */

/**
 * Everything a file imports: `import`, `export … from`, `import()`, and `import('…')` in types.
 * @param {string} file
 * @returns {Import[]}
 */
export function imports(file) {
  const source = parse(file)
  return descendants(source).flatMap((node) => {
    const found = importOf(node)
    if (found === undefined || !ts.isStringLiteralLike(found.specifier)) return []
    const line = source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1
    return [{ specifier: found.specifier.text, typeOnly: found.typeOnly, line }]
  })
}

/** @param {ts.Node} node @returns {{ specifier: ts.Node, typeOnly: boolean } | undefined} */
function importOf(node) {
  if (ts.isImportDeclaration(node))
    return { specifier: node.moduleSpecifier, typeOnly: node.importClause?.isTypeOnly === true }
  if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined) {
    return { specifier: node.moduleSpecifier, typeOnly: node.isTypeOnly }
  }
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
    return { specifier: node.argument.literal, typeOnly: true }
  }
  const [argument] =
    ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword ? node.arguments : []
  return argument === undefined ? undefined : { specifier: argument, typeOnly: false }
}

/**
 * The string literals of a file that look like this, each once, in the file's order.
 * @param {string} file
 * @param {RegExp} pattern
 */
export function literals(file, pattern) {
  const texts = descendants(parse(file)).flatMap((node) => (ts.isStringLiteralLike(node) ? [node.text] : []))
  return [...new Set(texts.filter((text) => pattern.test(text)))]
}

/**
 * The titles of the tests of a file, and of groups of them, as they are written there: with `%s`, where there is one.
 * @param {string} file
 */
export function testTitles(file) {
  return descendants(parse(file)).flatMap((node) => {
    const [title] = ts.isCallExpression(node) && /^(?:it|test|describe)$/.test(calledName(node)) ? node.arguments : []
    return title !== undefined && ts.isStringLiteralLike(title) ? [title.text] : []
  })
}

/** What `it('…')`, `it.runIf(…)('…')` and `it.each(…)('…')` have in common. @param {ts.Node} node @returns {string} */
function calledName(node) {
  if (ts.isCallExpression(node) || ts.isPropertyAccessExpression(node)) return calledName(node.expression)
  return ts.isIdentifier(node) ? node.text : ''
}

/**
 * The properties and functions of an interface. Where a property's type is an object written out, or an interface of the
 * same file that is named in `within`, its properties follow as `property.inner`.
 * @param {string} file
 * @param {string} name
 * @param {readonly string[]} within
 * @returns {string[]}
 */
export function properties(file, name, within = []) {
  const source = parse(file)
  const declaration = source.statements.find((node) => ts.isInterfaceDeclaration(node) && node.name.text === name)
  if (declaration === undefined || !ts.isInterfaceDeclaration(declaration))
    throw new Error(`${file} has no interface ${name}`)
  return declaration.members.flatMap((member) => {
    const property = member.name?.getText(source) ?? ''
    if (ts.isMethodSignature(member)) return [property]
    if (!ts.isPropertySignature(member)) return []
    return [property, ...innerProperties(file, member.type, within).map((inner) => `${property}.${inner}`)]
  })
}

/** @param {string} file @param {ts.TypeNode | undefined} type @param {readonly string[]} within @returns {string[]} */
function innerProperties(file, type, within) {
  if (type === undefined) return []
  if (ts.isUnionTypeNode(type)) return type.types.flatMap((part) => innerProperties(file, part, within))
  if (ts.isTypeReferenceNode(type) && within.includes(type.typeName.getText()))
    return properties(file, type.typeName.getText(), within)
  return ts.isTypeLiteralNode(type)
    ? type.members.filter(ts.isPropertySignature).map((member) => member.name.getText())
    : []
}

/** @param {ts.Node} node @returns {ts.Node[]} the node and all below it */
function descendants(node) {
  /** @type {ts.Node[]} */
  const below = []
  node.forEachChild((child) => void below.push(...descendants(child)))
  return [node, ...below]
}

/** Markdown, as far as the checks need it: headings, links, tables, code blocks. */
import { readText } from './project.mjs'

/**
 * @typedef {object} CodeBlock
 * @property {string} language
 * @property {string} code
 * @property {number} line where its code begins
 * @property {string} comment the HTML comment directly before it, without its marks; mostly ''
 */

/** @param {string} document @returns {CodeBlock[]} */
export function codeBlocks(document) {
  const text = readText(document)
  const pattern = /(?:^<!--((?:(?!-->)[^])*)-->\n+)?^( *)```(\w+)[^\n]*\n([^]*?)^\2```$/gm
  return [...text.matchAll(pattern)].map((match) => {
    const [all, comment = '', indent = '', language = '', code = ''] = match
    const before = text.slice(0, match.index + all.lastIndexOf(`\`\`\`${language}`))
    return { language, code: outdented(code, indent), line: before.split('\n').length + 1, comment: comment.trim() }
  })
}

/** The code in the first cell of each row of the document's tables. @param {string} document */
export function tableKeys(document) {
  return [...withoutCode(document).matchAll(/^\|\s*`([^`]+)`\s*\|/gm)].map(([, key = '']) => key)
}

/** The cells of each row of the document's tables, headings and rules among them. @param {string} document @returns {string[][]} */
export function tableRows(document) {
  return [...withoutCode(document).matchAll(/^\|(.*)\|\s*$/gm)].map(([, cells = '']) =>
    cells.split('|').map((cell) => cell.trim()),
  )
}

/** Where a document points to, without absolute addresses. @param {string} document */
export function links(document) {
  const text = withoutCode(document)
  const found = [
    ...text.matchAll(/\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)/g),
    ...text.matchAll(/\b(?:src|href)="([^"]+)"/g),
  ]
  return found.map(([, target = '']) => target).filter((target) => !/^[a-z][a-z+.-]*:/i.test(target))
}

/** The anchors that GitHub gives to a document's headings. @param {string} document */
export function anchors(document) {
  /** @type {Map<string, number>} */
  const seen = new Map()
  return [...withoutCode(document).matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)].map(([, heading = '']) => {
    const slug = slugOf(heading)
    const count = seen.get(slug) ?? 0
    seen.set(slug, count + 1)
    return count === 0 ? slug : `${slug}-${count}`
  })
}

/** @param {string} heading */
function slugOf(heading) {
  return heading
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(/\s/g, '-')
}

/** @param {string} document */
function withoutCode(document) {
  return readText(document).replaceAll(/^( *)```[^]*?^\1```$/gm, '')
}

/** @param {string} code @param {string} indent */
function outdented(code, indent) {
  return indent === '' ? code : code.replaceAll(new RegExp(`^${indent}`, 'gm'), '')
}

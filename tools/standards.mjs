/**
 * `docs/standards.md` in step with the tests. Each requirement has one row of three cells: its number in bold and its sense;
 * what is done about it; and the tests that show it, as `test/….test.ts` “a title in it”, “another”. A row without a test says
 * whose duty it is, or that nothing is done.
 */
import { existsSync } from 'node:fs'

import { tableRows } from './documents.mjs'
import { inProject } from './project.mjs'
import { testTitles } from './source.mjs'

const document = 'docs/standards.md'

/** What the page has to have a row for: how many of each. ASVS numbers its requirements itself; the other numbers are ours. */
const requirements = Object.entries({
  '7.1.': 3,
  '7.2.': 4,
  '7.3.': 2,
  '7.4.': 5,
  '7.5.': 3,
  '7.6.': 2,
  '3.5.': 8,
  'CSRF ': 26,
  '3.3.': 5,
  'Cookie ': 8,
  'Session ': 15,
  'WebSocket ': 3,
  'NIST ': 2,
})
  .flatMap(([name, count]) => Array.from({ length: count }, (_, index) => `${name}${index + 1}`))
  .concat('3.4.1', '3.7.5')

const duty = /\*\*(?:the application|the browser):\*\*|\*\*not done\*\*/

/**
 * @typedef {object} Row
 * @property {string} number
 * @property {string} done
 * @property {string} shown
 * @property {string | undefined} wrong what is in the way of reading it
 */

/** @returns {string[]} */
export function standardsComplaints() {
  if (!existsSync(inProject(document))) return [`${document} is missing`]
  const rows = tableRows(document).flatMap(rowOf)
  return [...listComplaints(rows.map(({ number }) => number)), ...rows.flatMap(rowComplaints)]
}

/** @param {readonly string[]} told */
function listComplaints(told) {
  return [
    ...requirements.filter((number) => !told.includes(number)).map((number) => `${document} has no row for ${number}`),
    ...told
      .filter((number) => !requirements.includes(number))
      .map((number) => `${document} has a row for ${number}, which is not in the list of tools/standards.mjs`),
    ...told
      .filter((number, index) => told.indexOf(number) !== index)
      .map((number) => `${document} has two rows for ${number}`),
  ]
}

/** @param {Row} row */
function rowComplaints({ number, done, shown, wrong }) {
  const said = wrong === undefined ? [] : [wrong]
  const named = [...shown.matchAll(/`([^`]+)`((?:,? ?“[^”]+”)*)/g)]
  if (named.length === 0 && !duty.test(done)) said.push('has no test, and does not say whose duty it is')
  if (/“[^”]+”/.test(shown.replaceAll(/`[^`]+`(?:,? ?“[^”]+”)*/g, '')))
    said.push('has a title without a file before it')
  for (const [, file = '', titles = ''] of named) {
    said.push(
      ...fileComplaints(
        file,
        [...titles.matchAll(/“([^”]+)”/g)].map(([, title = '']) => title),
      ),
    )
  }
  return said.map((complaint) => `${document}: ${number} ${complaint}`)
}

/** @param {string} file @param {readonly string[]} titles */
function fileComplaints(file, titles) {
  if (!/^test\/.+\.test\.ts$/.test(file)) return [`names ${file}, which is no file of tests`]
  if (!existsSync(inProject(file))) return [`names ${file}, which there is not`]
  const written = testTitles(file)
  return titles
    .filter((title) => !written.includes(title))
    .map((title) => `names “${title}”, which is no title in ${file}`)
}

/** Tables of other kinds have no number in bold. @param {readonly string[]} cells @returns {Row[]} */
function rowOf(cells) {
  const [requirement = '', done = '', shown = ''] = cells
  const number = /^\*\*([^*]+)\*\*/.exec(requirement)?.[1]
  if (number === undefined) return []
  return [{ number, done, shown, wrong: cells.length === 3 ? undefined : `has ${cells.length} cells` }]
}

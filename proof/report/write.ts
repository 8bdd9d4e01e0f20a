/** Writes the report: `index.html` for people, `report.json` for programs, and each run's whole history, its events apart. */
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'

import { forgottenOf } from '../checker/forgotten.ts'
import { isNotice } from '../checker/notices.ts'
import { faultsOf, slicesOf } from './figures.ts'
import { page } from './page.ts'
import { rulesOf } from './rules.ts'
import { isFine, type Report, type Shown } from './shown.ts'

/** Answers the page's file. */
export function writeReport(folder: string, report: Report): string {
  mkdirSync(folder, { recursive: true })
  const file = path.resolve(folder, 'index.html')
  writeFileSync(file, page(report))
  for (const [at, { history }] of report.runs.entries()) {
    const { scenario, store } = history.run
    const lines = history.operations.map((operation) => `${JSON.stringify(operation)}\n`)
    writeFileSync(path.join(folder, `history-${at + 1}-${scenario}-${store}.jsonl`), lines.join(''))
    const events = history.events.map((event) => `${JSON.stringify(event)}\n`)
    writeFileSync(path.join(folder, `events-${at + 1}-${scenario}-${store}.jsonl`), events.join(''))
  }
  const data = { ...report, rules: rulesOf(report.runs), runs: report.runs.map(dataOf) }
  writeFileSync(path.join(folder, 'report.json'), `${JSON.stringify(data, undefined, 1)}\n`)
  return file
}

/** Of the operations only those that show a violation, of the events those that tell of what a store forgot. */
function dataOf(given: Shown): object {
  const { history, violations, ...shown } = given
  const { run, operations, faults, events } = history
  return {
    ...shown,
    fine: isFine(given),
    run,
    requests: operations.length,
    slices: slicesOf(history),
    faults: faultsOf(history),
    sorts: faults,
    forgotten: forgottenOf(violations),
    notices: events.filter(isNotice),
    violations: violations.map((one) => ({ ...one, operations: one.operations.map((place) => operations[place]) })),
  }
}

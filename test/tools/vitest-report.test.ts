/** What `npm test` tells of a suite: a failure that is not counted, or not named, would be a failure that nobody sees. */
import { describe, expect, it } from 'vitest'

import { root } from '../../tools/project.mjs'
import { outcomeOf, type FileReport, type Report } from '../../tools/vitest-report.mjs'

function report(passed: number, testResults: FileReport[] = [], others: Partial<Report> = {}): Report {
  return { numPassedTests: passed, numPendingTests: 0, numTodoTests: 0, testResults, ...others }
}

function file(name: string, differences: Partial<FileReport> = {}): FileReport {
  return { name: `${root}test/${name}`, status: 'failed', message: '', assertionResults: [], ...differences }
}

describe('the outcome of a suite', () => {
  it('is what passed, when nothing failed', () => {
    expect(outcomeOf(true, report(3))).toEqual({ passed: 3, failed: 0, failures: [] })
  })

  it('names each failed test with its file and why, without colours and without the stack through packages', () => {
    const message = [
      'AssertionError: expected \u001B[32m1\u001B[39m to be 2',
      `    at ${root}test/a.test.ts:3:5`,
      `    at file://${root}node_modules/vitest/dist/runner.js:1:1`,
      '    at node:internal/process/task_queues:1:1',
    ].join('\n')
    const assertionResults = [
      { status: 'passed', fullName: 'adds', failureMessages: [] },
      { status: 'failed', fullName: 'subtracts', failureMessages: [message] },
    ]
    expect(outcomeOf(false, report(1, [file('a.test.ts', { assertionResults })]))).toEqual({
      passed: 1,
      failed: 1,
      failures: [
        {
          test: 'test/a.test.ts: subtracts',
          reason: 'AssertionError: expected 1 to be 2\n    at test/a.test.ts:3:5',
        },
      ],
    })
  })

  it('counts and names a file that could not be loaded', () => {
    const outcome = outcomeOf(false, report(4, [file('b.test.ts', { message: 'Cannot find module' })]))
    expect(outcome).toEqual({
      passed: 4,
      failed: 1,
      failures: [{ test: 'test/b.test.ts', reason: 'Cannot find module' }],
    })
  })

  it.each([
    ['wrote no report', undefined, 'vitest wrote no report'],
    ['ran no test', report(0), 'no test ran'],
    ['had an error outside of every test', report(5), 'an error outside of the tests'],
  ])('has failed when vitest %s', (_, given, note) => {
    expect(outcomeOf(false, given)).toMatchObject({ failed: 1, note })
  })

  it('tells of skipped tests', () => {
    expect(outcomeOf(true, report(2, [], { numPendingTests: 1, numTodoTests: 1 })).note).toBe('2 skipped')
  })

  it('shortens a long reason', () => {
    const failureMessages = [Array.from({ length: 100 }, (_, line) => `line ${line}`).join('\n')]
    const assertionResults = [{ status: 'failed', fullName: 'prints', failureMessages }]
    const [failure] = outcomeOf(false, report(0, [file('c.test.ts', { assertionResults })])).failures
    expect(failure?.reason.split('\n')).toHaveLength(17)
    expect(failure?.reason.endsWith('…')).toBe(true)
  })
})

/** How a run goes is told every second in a terminal, and sparsely elsewhere. */
import { expect, it } from 'vitest'

import { afterProgress, progressOn } from '../../../proof/report/progress.ts'

function told(isTTY: boolean, columns = 200): { text: string } {
  const output = { isTTY, columns, text: '', write: (more: string) => (output.text += more) }
  const tell = progressOn(output, 40)
  for (let second = 1; second <= 32; second++)
    tell({ seconds: second, operations: second * 100, failed: 3, faults: second === 20 ? ['A killed'] : [] })
  afterProgress(output, 'over')
  return output
}

it('in a terminal one line is written anew every second, and then gives way', () => {
  const lines = told(true).text.split('\r\u001B[K')
  expect(lines).toHaveLength(1 + 32 + 1)
  expect(lines[20]).toBe('  ██████████░░░░░░░░░░ 20 of 40 s: 2\u202F000 requests (100/s), 3 failed, now: A killed')
  expect(lines.at(-1)).toBe('over\n')
})

it('a line that is wider than the terminal is cut: it would not be written over', () => {
  for (const line of told(true, 30).text.split('\r\u001B[K').slice(0, -1)) expect(line.length).toBeLessThan(30)
})

it('elsewhere a line comes every 15 seconds, without signs for a terminal', () => {
  const { text } = told(false)
  expect([...text].filter((sign) => sign === '\r' || sign === '\u001B')).toEqual([])
  expect(text.split('\n').map((line) => / (\d+) of /.exec(line)?.[1])).toEqual(['15', '30', undefined, undefined])
})

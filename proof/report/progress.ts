/** How a run goes, in the terminal: one line that is written anew every second; where there is no terminal, one now and then. */
import type { Progress } from '../scenario/run.ts'
import { count, counted } from './numbers.ts'

/** A terminal, or what stands in for it. */
export interface Output {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

const BAR = 20
/** Seconds between two lines where there is no terminal. */
const SPARSE = 15
const CLEAR = '\r\u001B[K'

/** What is answered is to be told every second; `seconds` is how long the run takes. */
export function progressOn(output: Output, seconds: number): (progress: Progress) => void {
  let before = 0
  let written = 0
  return (progress) => {
    const rate = progress.operations - before
    before = progress.operations
    const text = lineOf(progress, seconds, rate)
    if (output.isTTY === true) return void output.write(`${CLEAR}${text.slice(0, (output.columns ?? 80) - 1)}`)
    if (progress.seconds - written < SPARSE) return
    written = progress.seconds
    output.write(`${text}\n`)
  }
}

/** Puts `text` in the place of the line that was written anew. */
export function afterProgress(output: Output, text: string): void {
  output.write(`${output.isTTY === true ? CLEAR : ''}${text}\n`)
}

function lineOf({ seconds, operations, failed, faults }: Progress, whole: number, rate: number): string {
  const done = Math.round(Math.min(1, seconds / whole) * BAR)
  const bar = '█'.repeat(done) + '░'.repeat(BAR - done)
  const broken = faults.length === 0 ? '' : `, now: ${faults.join(', ')}`
  return `  ${bar} ${seconds.toFixed(0)} of ${whole} s: ${counted(operations, 'request')} (${count(rate)}/s), ${count(failed)} failed${broken}`
}

/** The time of a run as a picture: what was answered, what failed, how long it took, what was broken, what was violated. */
import type { Violation } from '../checker/violations.ts'
import type { History } from '../history/history.ts'
import { slicesOf, type Slice } from './figures.ts'
import { html, type Html } from './html.ts'

const WIDTH = 960
const LEFT = 52
const RIGHT = 12
const RATE = { top: 12, height: 110 }
const WAIT = { top: 150, height: 70 }
const FAULTS = { top: 238, line: 18 }
/** Faults that overlap are shown in so many lines, over again. */
const FAULT_LINES = 4
const MARK = 6

/** `violations` without those that are excused. */
export function timeline(history: History, violations: readonly Violation[]): Html {
  const slices = slicesOf(history)
  const width = (slices[1]?.from ?? 250) - (slices[0]?.from ?? 0)
  const length = Math.max(width, slices.length * width)
  const x = (at: number): number => round(LEFT + (Math.min(at, length) / length) * (WIDTH - LEFT - RIGHT))
  const height = FAULTS.top + FAULT_LINES * FAULTS.line + 28
  const title = `${history.run.scenario} on ${history.run.store}: throughput, errors, waiting times, faults and violations over the time of the run`
  return html`<svg class="timeline" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${title}">
    ${bands(history, x)}${rates(slices, width, x)}${waits(slices, x)}${names(history, x)}${marks(violations, x)}${axis(length, x, height)}
  </svg>`
}

type Place = (at: number) => number

/** Where a fault lasts the background is another one. */
function bands({ faults }: History, x: Place): readonly Html[] {
  return faults.map(({ began, ended }) => {
    const wide = Math.max(1, x(ended) - x(began))
    return html`<rect class="band" x="${x(began)}" y="${RATE.top}" width="${wide}" height="${FAULTS.top - RATE.top}" />`
  })
}

function rates(slices: readonly Slice[], width: number, x: Place): Html {
  const perSecond = (count: number): number => (count * 1_000) / width
  const most = Math.max(1, ...slices.map(({ answered, failed }) => perSecond(answered + failed)))
  const high = (count: number): number => round((perSecond(count) / most) * RATE.height)
  const bars = slices.map(({ from, answered, failed }) => {
    const wide = Math.max(0.5, x(from + width) - x(from) - 0.5)
    const good = high(answered)
    const bad = high(failed)
    const floor = RATE.top + RATE.height
    return html`<rect class="good" x="${x(from)}" y="${round(floor - good)}" width="${wide}" height="${good}" /><rect
        class="bad"
        x="${x(from)}"
        y="${round(floor - good - bad)}"
        width="${wide}"
        height="${bad}"
      />`
  })
  return html`<text class="label" x="0" y="${RATE.top + 10}">${Math.round(most)}/s</text
    ><text class="label" x="0" y="${RATE.top + RATE.height}">0</text>${bars}`
}

/** On a logarithmic scale: half a second of waiting and half a millisecond are both to be seen. */
function waits(slices: readonly Slice[], x: Place): Html {
  const most = Math.max(10, ...slices.map(({ p99 }) => p99))
  const y = (ms: number): number =>
    round(WAIT.top + WAIT.height * (1 - Math.log10(1 + Math.max(0, ms)) / Math.log10(1 + most)))
  const served = slices.filter(({ answered }) => answered > 0)
  const line = (value: (slice: Slice) => number): string =>
    served.map((one) => `${x(one.from)},${y(value(one))}`).join(' ')
  return html`<text class="label" x="0" y="${WAIT.top + 10}">${Math.round(most)} ms</text
    ><text class="label" x="0" y="${WAIT.top + WAIT.height}">0</text
    ><polyline class="p99" points="${line(({ p99 }) => p99)}" /><polyline
      class="p50"
      points="${line(({ p50 }) => p50)}"
    />`
}

function names({ faults }: History, x: Place): readonly Html[] {
  return faults
    .toSorted((left, right) => left.began - right.began)
    .map(({ name, began, ended }, at) => {
      const y = FAULTS.top + (at % FAULT_LINES) * FAULTS.line
      const wide = Math.max(3, x(ended) - x(began))
      const right = x(began) > WIDTH * 0.7
      const [anchor, from] = right ? ['end', x(ended)] : ['start', x(began)]
      return html`<rect class="fault" x="${x(began)}" y="${y}" width="${wide}" height="3" /><text
          class="name"
          x="${from}"
          y="${y + 13}"
          text-anchor="${anchor}"
          >${name}</text
        >`
    })
}

function marks(violations: readonly Violation[], x: Place): readonly Html[] {
  return violations.map(({ at, name, text }) => {
    const y = RATE.top + RATE.height + 12
    const points = `${x(at)},${y - MARK} ${x(at) + MARK},${y + MARK} ${x(at) - MARK},${y + MARK}`
    return html`<polygon class="violation" points="${points}"><title>${name}: ${text}</title></polygon>`
  })
}

function axis(length: number, x: Place, height: number): readonly Html[] {
  const step = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600].find((seconds) => length / 1_000 / seconds <= 12) ?? 1_800
  const count = Math.floor(length / 1_000 / step) + 1
  return Array.from({ length: count }, (_, at) => {
    const seconds = at * step
    return html`<text class="label" x="${x(seconds * 1_000)}" y="${height - 6}">${seconds} s</text>`
  })
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}

/** The time of a run as a picture: what was answered, what failed, how long it took, what was broken, what was violated. */
import { grouped } from '../checker/grouped.ts'
import type { Violation } from '../checker/violations.ts'
import type { FaultMark, History } from '../history/history.ts'
import { slicesOf, type Slice } from './figures.ts'
import { html, type Html } from './html.ts'

const WIDTH = 960
const LEFT = 56
const RIGHT = 16
const RATE = { top: 14, height: 116 }
/** Where the violations are marked: between the two charts. */
const MARKS = 148
const WAIT = { top: 172, height: 84 }
const FAULTS = { top: 290, line: 22 }
/** Faults are named in so many rows; what has no room there is a bar alone, and named in the table. */
const NAMED_ROWS = 8
/** The bar of a fault is so wide at least. */
const BAR_LEAST = 4
/** A letter of a fault's name is about so wide. */
const LETTER = 6.6
const MARK = 6

type Place = (value: number) => number

export function timeline(history: History, violations: readonly Violation[]): Html {
  const slices = slicesOf(history)
  const width = (slices[1]?.from ?? 250) - (slices[0]?.from ?? 0)
  const length = Math.max(width, slices.length * width)
  const x: Place = (at) => round(LEFT + (Math.min(at, length) / length) * (WIDTH - LEFT - RIGHT))
  const rows = rowsOf(history.faults, x)
  const height = FAULTS.top + rows.length * FAULTS.line + 4
  return html`<svg class="timeline" viewBox="0 0 ${WIDTH} ${height}" aria-hidden="true">
    ${bands(history, x)}${axis(length, x)}${rates(slices, width, x)}${waits(slices, width, x)}${barsOf(rows)}${marks(violations, x)}
  </svg>`
}

/** Where faults last the background is another one: one band for those that overlap. */
function bands({ faults }: History, x: Place): readonly Html[] {
  const spans: { from: number; to: number; names: string }[] = []
  for (const { name, began, ended } of inOrder(faults)) {
    const last = spans.at(-1)
    if (last === undefined || x(began) > last.to)
      spans.push({ from: x(began), to: barEndOf({ began, ended }, x), names: name })
    else Object.assign(last, { to: Math.max(last.to, barEndOf({ began, ended }, x)), names: `${last.names}, ${name}` })
  }
  return spans.map(
    ({ from, to, names }) =>
      html`<rect
        class="band"
        x="${from}"
        y="${RATE.top}"
        width="${round(to - from)}"
        height="${WAIT.top + WAIT.height - RATE.top}"
        ><title>${names}</title></rect
      >`,
  )
}

function rates(slices: readonly Slice[], width: number, x: Place): Html {
  const perSecond = (count: number): number => (count * 1_000) / width
  const most = niceAbove(Math.max(1, ...slices.map(({ answered, failed }) => perSecond(answered + failed))))
  const high = (count: number): number => round((perSecond(count) / most) * RATE.height)
  const floor = RATE.top + RATE.height
  const bars = slices.map(({ from, answered, failed }) => {
    const wide = round(Math.max(0.5, x(from + width) - x(from) - 1))
    const good = high(answered)
    const bad = high(failed)
    const at = `${(from / 1_000).toFixed(1)} s: ${answered} answered, ${failed} failed`
    const column = (style: string, y: number, tall: number): Html =>
      tall === 0
        ? html``
        : html`<rect class="${style}" x="${x(from)}" y="${round(y)}" width="${wide}" height="${tall}" />`
    return html`<g
      ><title>${at}</title>${column('good', floor - good, good)}${column('bad', floor - good - bad, bad)}</g
    >`
  })
  const grid = [0, most / 2, most].map((value) =>
    level(floor - (value / most) * RATE.height, value === most ? `${value}/s` : String(value)),
  )
  return html`${grid}${bars}`
}

/** On a logarithmic scale: half a second of waiting and half a millisecond are both to be seen. */
function waits(slices: readonly Slice[], width: number, x: Place): Html {
  const floor = WAIT.top + WAIT.height
  const most = 10 ** Math.ceil(Math.log10(Math.max(10, ...slices.map(({ p99 }) => p99))))
  const y: Place = (ms) => round(floor - (Math.log10(Math.max(1, ms)) / Math.log10(most)) * WAIT.height)
  const served = slices.filter(({ answered }) => answered > 0)
  const line = (value: (slice: Slice) => number): string =>
    served.map((one) => `${x(one.from + width / 2)},${y(value(one))}`).join(' ')
  const powers = Array.from({ length: Math.log10(most) + 1 }, (_, power) => 10 ** power)
  const grid = powers.map((ms) => level(y(ms), ms >= 1_000 ? `${ms / 1_000} s` : `${ms} ms`))
  return html`${grid}<polyline class="p99" points="${line(({ p99 }) => p99)}" /><polyline
      class="p50"
      points="${line(({ p50 }) => p50)}"
    />`
}

function level(y: number, text: string): Html {
  return html`<path class="grid" d="M${LEFT} ${round(y)}H${WIDTH - RIGHT}" /><text
      class="end"
      x="${LEFT - 8}"
      y="${round(y) + 4}"
      >${text}</text
    >`
}

/** A fault's bar, in a row of its own among those that last at the same time; its name stands below it where there is room. */
interface Bar {
  readonly fault: FaultMark
  readonly from: number
  readonly to: number
  /** `left`: from where the bar begins; `right`: up to where it ends. */
  readonly named: 'left' | 'right' | undefined
}

/** The faults in rows: no bar lies upon another one, nor a name upon another one. */
export function rowsOf(faults: readonly FaultMark[], x: Place): readonly (readonly Bar[])[] {
  const rows: { readonly bars: Bar[]; bar: number; name: number }[] = []
  for (const fault of inOrder(faults)) {
    const bar = { fault, from: x(fault.began), to: barEndOf(fault, x) }
    const wide = fault.name.length * LETTER
    // Near the right edge names end where the bar does.
    const named = bar.from + wide > WIDTH ? 'right' : 'left'
    const [begins, ends] = named === 'left' ? [bar.from, bar.from + wide] : [bar.to - wide, bar.to]
    const roomy = rows.find((row) => row.bar < bar.from && row.name < begins)
    const hasName = roomy !== undefined || rows.length < NAMED_ROWS
    const row = roomy ?? (hasName ? undefined : rows.find((one) => one.bar < bar.from)) ?? { bars: [], bar: 0, name: 0 }
    if (row.bars.length === 0) rows.push(row)
    row.bars.push({ ...bar, named: hasName ? named : undefined })
    row.bar = bar.to
    if (hasName) row.name = ends + LETTER
  }
  return rows.map(({ bars }) => bars)
}

/** A short one is to be seen too. */
function barEndOf({ began, ended }: Pick<FaultMark, 'began' | 'ended'>, x: Place): number {
  return Math.max(x(ended), x(began) + BAR_LEAST)
}

function inOrder(faults: readonly FaultMark[]): readonly FaultMark[] {
  return faults.toSorted((left, right) => left.began - right.began)
}

function barsOf(rows: readonly (readonly Bar[])[]): readonly Html[] {
  return rows.flatMap((row, at) =>
    row.map(({ fault, from, to, named }) => {
      const y = FAULTS.top + at * FAULTS.line
      const name = html`<text
        class="name ${named === 'right' ? 'end' : ''}"
        x="${named === 'right' ? to : from}"
        y="${y + 9}"
        >${fault.name}</text
      >`
      return html`<rect class="fault" x="${from}" y="${y - 6}" width="${round(to - from)}" height="4" rx="2"
          ><title>${fault.name}</title></rect
        >${named === undefined ? html`` : name}`
    }),
  )
}

/** One mark for those of a kind that would lie upon each other. */
function marks(violations: readonly Violation[], x: Place): readonly Html[] {
  const groups = grouped(violations, ({ at, excusedBy }) => `${Math.round(x(at) / MARK)} ${excusedBy === undefined}`)
  return [...groups.values()].map((group) => {
    const [{ at, excusedBy, name, text }] = group as [Violation]
    const center = x(at)
    const points = `${center},${MARKS - MARK} ${round(center + MARK)},${MARKS + MARK} ${round(center - MARK)},${MARKS + MARK}`
    const others = group.length > 1 ? ` (and ${group.length - 1} more)` : ''
    return html`<polygon class="violation ${excusedBy === undefined ? '' : 'excused'}" points="${points}"
      ><title>${name}: ${text}${others}</title></polygon
    >`
  })
}

function axis(length: number, x: Place): readonly Html[] {
  const step = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600].find((seconds) => length / 1_000 / seconds <= 12) ?? 1_800
  const ticks = Math.floor(length / 1_000 / step) + 1
  return Array.from({ length: ticks }, (_, at) => {
    const place = x(at * step * 1_000)
    return html`<path class="grid" d="M${place} ${RATE.top}V${WAIT.top + WAIT.height}" /><text
        class="middle"
        x="${place}"
        y="${WAIT.top + WAIT.height + 16}"
        >${at * step} s</text
      >`
  })
}

/** A round number, of which half is one too. */
function niceAbove(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value))
  return ([1, 2, 4, 6, 8].find((times) => times * power >= value) ?? 10) * power
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}

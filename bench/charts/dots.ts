/** Several values of each contender on one logarithmic axis, told apart by their shapes. */
import { type Colour, figure, LINE, line, type Mark, mark, MARGIN, svg, text, WIDTH } from './svg.ts'

export interface DotRow {
  readonly label: string
  readonly colour: Colour
  /** As many as there are names, and none of them 0. */
  readonly values: readonly number[]
}

export interface DotGroup {
  readonly heading: string
  readonly rows: readonly DotRow[]
}

export interface DotChart {
  readonly title: string
  readonly unit: string
  /** What the values are: `p50`, `p99`. At most three. */
  readonly names: readonly string[]
  readonly groups: readonly DotGroup[]
  readonly source: readonly string[]
}

const MARKS: readonly Mark[] = ['circle', 'square', 'diamond']
const LABELS = 270
const FIGURES = 170
const GAP = 10
const HEAD = 84

export function dotChart({ title, unit, names, groups, source }: DotChart): string {
  const all = groups.flatMap(({ rows }) => rows.flatMap(({ values }) => values))
  const ticks = ticksAround(Math.min(...all), Math.max(...all))
  const [first = 1, last = 10] = [ticks[0], ticks.at(-1)]
  const reach = WIDTH - LABELS - FIGURES - MARGIN
  const place = (value: number): number =>
    LABELS + 10 + (Math.log(value / first) / Math.log(last / first)) * (reach - 20)
  const elements: string[] = legendElements(names, unit)
  let y = HEAD
  for (const { heading, rows } of groups) {
    elements.push(text(MARGIN, y + 14, heading, 'heading'))
    y += LINE
    for (const row of rows) {
      elements.push(...rowElements(row, y, place))
      y += LINE
    }
    y += GAP
  }
  const grid = ticks.flatMap((tick) => [
    line(place(tick), HEAD, place(tick), y - GAP, 'axis'),
    text(place(tick), HEAD - 6, String(tick), 'small mid'),
  ])
  const description = described(unit, names, groups)
  return svg({ height: y, title, description, source, elements: [...grid, ...elements] })
}

function rowElements({ label, colour, values }: DotRow, y: number, place: (value: number) => number): string[] {
  const middle = y + 8
  const places = values.map(place)
  return [
    text(LABELS - 8, y + 12, label, 'end'),
    line(Math.min(...places), middle, Math.max(...places), middle, colour),
    ...places.map((x, at) => mark(MARKS[at] ?? 'circle', x, middle, colour)),
    text(WIDTH - MARGIN, y + 12, values.map(figure).join(' / '), 'end'),
  ]
}

function legendElements(names: readonly string[], unit: string): string[] {
  const marks = names.flatMap((name, at) => [
    mark(MARKS[at] ?? 'circle', LABELS + 16 + at * 80, 44, 'bare'),
    text(LABELS + 26 + at * 80, 48, name),
  ])
  return [text(MARGIN, 48, `${unit}, on a logarithmic axis`, 'small'), ...marks]
}

/** 1, 2, 5, 10 and so on, from below the least to above the most. */
function ticksAround(least: number, most: number): number[] {
  const ticks: number[] = []
  for (let power = Math.floor(Math.log10(least)); ; power++) {
    for (const step of [1, 2, 5]) {
      const tick = Number((step * 10 ** power).toPrecision(1))
      ticks.push(tick)
      if (tick >= most && ticks.length > 1) return ticks.slice(ticks.findLastIndex((one) => one <= least))
    }
  }
}

function described(unit: string, names: readonly string[], groups: readonly DotGroup[]): string {
  const inGroups = groups.map(({ heading, rows }) => {
    const each = rows.map(({ label, values }) => `${label} ${values.map(figure).join(', ')}`)
    return `${heading}: ${each.join('; ')}.`
  })
  return `${names.join(', ')} in ${unit}. ${inGroups.join(' ')}`
}

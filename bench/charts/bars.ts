/** Bars from left to right, in groups: a value for each contender, or several that add up. */
import { type Colour, figure, LINE, line, MARGIN, rectangle, svg, text, WIDTH } from './svg.ts'

export interface Bar {
  readonly label: string
  readonly colour: Colour
  /** What adds up to the bar; the second is hatched. */
  readonly values: readonly number[]
  /** The least and the most of all rounds. */
  readonly range?: readonly [number, number]
  /** Said beside the value. */
  readonly remark?: string
}

export interface BarGroup {
  readonly heading: string
  readonly bars: readonly Bar[]
}

export interface BarChart {
  readonly title: string
  /** Of the values: `requests/s`. */
  readonly unit: string
  /** What the parts of a bar are, where it has several. */
  readonly legend?: readonly [string, string]
  readonly groups: readonly BarGroup[]
  readonly source: readonly string[]
}

const LABELS = 270
const THICKNESS = 14
/** For the value beside the longest bar. */
const FIGURES = 170
const GAP = 10
const HEAD = 58

export function barChart({ title, unit, legend, groups, source }: BarChart): string {
  const most = Math.max(...groups.flatMap(({ bars }) => bars.map((bar) => Math.max(sum(bar), bar.range?.[1] ?? 0))))
  const scale = (WIDTH - LABELS - FIGURES - MARGIN) / most
  const elements: string[] = [text(MARGIN, HEAD - 14, subtitle(unit, legend), 'small')]
  let y = HEAD
  for (const { heading, bars } of groups) {
    elements.push(text(MARGIN, y + 14, heading, 'heading'))
    y += LINE
    for (const bar of bars) {
      elements.push(...barElements(bar, y, scale))
      y += LINE
    }
    y += GAP
  }
  elements.push(line(LABELS, HEAD, LABELS, y - GAP, 'axis'))
  return svg({ height: y, title, description: described(unit, legend, groups), source, elements })
}

function barElements(bar: Bar, y: number, scale: number): string[] {
  const { label, colour, values, range, remark } = bar
  const elements = [text(LABELS - 8, y + 12, label, 'end')]
  let x = LABELS
  for (const [at, value] of values.entries()) {
    elements.push(rectangle(x, y, value * scale, THICKNESS, at === 0 ? colour : `${colour} hatch`))
    x += value * scale
  }
  if (range !== undefined) {
    const [from, to] = range.map((end) => LABELS + end * scale) as [number, number]
    elements.push(line(from, y + THICKNESS / 2, to, y + THICKNESS / 2, 'whisker'))
    x = Math.max(x, to)
  }
  elements.push(text(x + 6, y + 12, said(bar)))
  if (remark !== undefined) elements.push(text(WIDTH - MARGIN, y + 12, remark, 'small end'))
  return elements
}

function subtitle(unit: string, legend: readonly [string, string] | undefined): string {
  if (legend === undefined) return `${unit}; the thin line is from the slowest to the fastest round`
  return `${unit}: ${legend[0]} (solid) and ${legend[1]} (pale)`
}

function sum({ values }: Bar): number {
  return values.reduce((left, right) => left + right, 0)
}

function said(bar: Bar): string {
  const parts = bar.values.filter((value) => value > 0).map(figure)
  return parts.length > 1 ? parts.join(' + ') : figure(sum(bar))
}

function described(unit: string, legend: BarChart['legend'], groups: readonly BarGroup[]): string {
  const inGroups = groups.map(({ heading, bars }) => {
    const each = bars.map((bar) => `${bar.label} ${said(bar)}${bar.remark === undefined ? '' : ` (${bar.remark})`}`)
    return `${heading}: ${each.join('; ')}.`
  })
  const of = legend === undefined ? '' : `, ${legend.join(' and ')}`
  return `Bars, in ${unit}${of}. ${inGroups.join(' ')}`
}

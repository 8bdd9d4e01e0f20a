/** Lines over a logarithmic axis: how a value grows with something else. */
import { type Colour, figure, line, type Mark, mark, MARGIN, path, svg, text, WIDTH } from './svg.ts'

export interface Series {
  readonly name: string
  /** In the order of the axis, and none of them 0. */
  readonly points: readonly { readonly at: number; readonly value: number }[]
}

export interface LineChart {
  readonly title: string
  readonly unit: string
  /** What the axis counts: `sessions`. */
  readonly axis: string
  /** At most four. */
  readonly series: readonly Series[]
  readonly source: readonly string[]
}

const MARKS: readonly Mark[] = ['circle', 'square', 'diamond', 'triangle']
const DASHES = ['', '7 4', '2 4', '10 4 2 4']
const LEFT = 70
const RIGHT = 190
const TOP = 74
const HEIGHT = 260
const LABEL_LINE = 15

export function lineChart({ title, unit, axis, series, source }: LineChart): string {
  const points = series.flatMap((one) => one.points)
  const places = [...new Set(points.map(({ at }) => at))].toSorted((left, right) => left - right)
  const x = logarithmic(Math.min(...places), Math.max(...places), LEFT, WIDTH - RIGHT)
  const values = points.map(({ value }) => value)
  const bottom = TOP + HEIGHT
  const y = logarithmic(Math.min(...values) / 1.3, Math.max(...values) * 1.3, bottom, TOP)
  const grid = places.flatMap((at) => [
    line(x(at), TOP, x(at), bottom, 'axis'),
    text(x(at), bottom + 18, figure(at), 'small mid'),
  ])
  const elements = [
    text(MARGIN, 48, `${unit}; both axes are logarithmic, a flat line is what is hoped for`, 'small'),
    ...grid,
    text((LEFT + WIDTH - RIGHT) / 2, bottom + 36, axis, 'small mid'),
    ...series.flatMap((one, index) => seriesElements(one, index, x, y)),
    ...places.flatMap((at) => labelElements(series, at, places, x, y)),
  ]
  return svg({ height: bottom + 46, title, description: described(unit, axis, series), source, elements })
}

type Place = (value: number) => number

function seriesElements({ points }: Series, index: number, x: Place, y: Place): string[] {
  const { shape, colour, dashes } = styleOf(index)
  const drawn = points.map(({ at, value }): readonly [number, number] => [x(at), y(value)])
  return [
    path(drawn, `${colour} line`, dashes),
    ...drawn.map(([pointX, pointY]) => mark(shape, pointX, pointY, colour)),
  ]
}

function styleOf(index: number): { shape: Mark; colour: Colour; dashes: string } {
  const colour = index % 2 === 0 ? 'holdfast' : 'other'
  return { shape: MARKS[index] ?? 'circle', colour, dashes: DASHES[index] ?? '' }
}

/** The figures at one place of the axis: left of the first points, right of the last ones, above the others; none over another. */
function labelElements(series: readonly Series[], at: number, places: readonly number[], x: Place, y: Place): string[] {
  const [first, last] = [at === places[0], at === places.at(-1)]
  const labels = series.flatMap(({ name, points }) => {
    const value = points.find((point) => point.at === at)?.value
    if (value === undefined) return []
    return [{ content: last ? `${name} ${figure(value)}` : figure(value), place: y(value) + (first || last ? 4 : -8) }]
  })
  let above = Number.NEGATIVE_INFINITY
  return labels
    .toSorted((left, right) => left.place - right.place)
    .map(({ content, place }) => {
      above = Math.max(place, above + LABEL_LINE)
      return first && !last ? text(x(at) - 9, above, content, 'end') : text(x(at) + 9, above, content)
    })
}

function logarithmic(least: number, most: number, from: number, to: number): Place {
  const span = Math.log(most / least)
  return (value) => (span === 0 ? from : from + ((to - from) * Math.log(value / least)) / span)
}

function described(unit: string, axis: string, series: readonly Series[]): string {
  const each = series.map(({ name, points }) => {
    return `${name}: ${points.map(({ at, value }) => `${figure(value)} at ${figure(at)}`).join(', ')}.`
  })
  return `Lines, in ${unit}, by the number of ${axis}. ${each.join(' ')}`
}

/** The charts of a run: every figure in them is in the file of its results. */
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'

import { PROJECT } from '../proof/peers.ts'
import { type BarGroup, barChart } from './charts/bars.ts'
import { dotChart } from './charts/dots.ts'
import { lineChart } from './charts/lines.ts'
import type { Colour } from './charts/svg.ts'
import type { Comparison } from './compare.ts'
import { CONTENDERS } from './contenders.ts'
import type { Latencies } from './latency.ts'
import type { Memory } from './memory.ts'
import { type Part, readResults, type Results } from './results.ts'
import type { Scale } from './scale.ts'

export interface Chart {
  /** The file's name without its ending. */
  readonly name: string
  readonly svg: string
}

/** Draws those of the last run, or of a file's. Answers the files that were written: those of a full run are the README's. */
export function drawCharts(from: string | undefined): string[] {
  const { file, results } = readResults(from)
  const real = results.full && results.complete
  const folder = real ? path.join(PROJECT, 'docs/pictures') : file.replace(/\.json$/, '')
  mkdirSync(folder, { recursive: true })
  return chartsOf(results).map(({ name, svg }) => {
    const target = path.join(folder, `${name}.svg`)
    writeFileSync(target, svg)
    return target
  })
}

export function chartsOf(results: Results): Chart[] {
  const source = sourceOf(results)
  const charts = results.parts.flatMap((part) => chartsOfPart(part, source))
  const several = processesChart(results.parts, source)
  return several === undefined ? charts : [...charts, several]
}

/** Where the figures come from. */
function sourceOf({ machine, versions, date, command, rounds }: Results): string[] {
  const products = ['holdfast', 'node', 'redis-server'].map((name) => `${name} ${versions[name] ?? '?'}`)
  const count = rounds.rounds === 1 ? 'one round' : `medians of ${rounds.rounds} interleaved rounds`
  return [
    `${machine.processor}, ${machine.cores} cores; ${products.join(', ')}; ${count}; ${date.slice(0, 10)}`,
    command,
  ]
}

function chartsOfPart(part: Part, source: readonly string[]): Chart[] {
  switch (part.part) {
    case 'throughput':
      return part.processes === 1 && part.standings.length > 0
        ? [throughputChart(part, source), ...(part.work === 'read' ? [processorChart(part, source)] : [])]
        : []
    case 'latency':
      return part.standings.length > 0 ? [latencyChart(part, source)] : []
    case 'memory':
      return part.standings.length > 0 ? [memoryChart(part, source)] : []
    case 'scale':
      return [scaleChart(part, source)]
    case 'commands':
      return []
  }
}

function throughputChart({ work, title, standings }: Comparison, source: readonly string[]): Chart {
  const groups = byFramework(standings, ({ id, base, rate, least, most, ofBase }) => ({
    values: [rate],
    range: [least, most] as const,
    ...(id === base ? {} : { remark: `${ofBase.toFixed(2)} of bare` }),
  }))
  return { name: `bench-${work}`, svg: barChart({ title: capital(title), unit: 'requests/s', groups, source }) }
}

function processorChart({ standings }: Comparison, source: readonly string[]): Chart {
  const groups = byFramework(standings, ({ server, redis }) => ({ values: redis === 0 ? [server] : [server, redis] }))
  const title = 'Processor time of a page that reads the session'
  const legend = ['the server', 'Redis'] as const
  return { name: 'bench-processor', svg: barChart({ title, unit: 'µs for each request', legend, groups, source }) }
}

function latencyChart({ rate, standings }: Latencies, source: readonly string[]): Chart {
  const groups = byFramework(standings, ({ p50, p99, p999 }) => ({ values: [p50, p99, p999] }))
  const title = `Waiting for a page that reads the session, at ${rate} requests/s`
  const rows = groups.map(({ heading, bars }) => ({ heading, rows: bars }))
  const names = ['p50', 'p99', 'p99.9']
  return { name: 'bench-latency', svg: dotChart({ title, unit: 'milliseconds', names, groups: rows, source }) }
}

function memoryChart({ standings, sessions }: Memory, source: readonly string[]): Chart {
  const groups = byFramework(standings, ({ store, kept }) => ({ values: [store ?? 0, Math.max(0, kept)] }))
  const title = `Memory of one session, of ${sessions.toLocaleString('en').replaceAll(',', ' ')}`
  const legend = ['the store', 'the server process'] as const
  return { name: 'bench-memory', svg: barChart({ title, unit: 'bytes', legend, groups, source }) }
}

function scaleChart({ lines }: Scale, source: readonly string[]): Chart {
  const operations = [...new Set(lines.map(({ operation }) => operation))]
  const series = operations.map((name) => ({
    name,
    points: lines
      .filter(({ operation }) => operation === name)
      .map(({ sessions, median }) => ({ at: sessions, value: median })),
  }))
  const title = 'One call, by how many sessions there are'
  return { name: 'bench-scale', svg: lineChart({ title, unit: 'milliseconds', axis: 'sessions', series, source }) }
}

/** Reads with one, two and four server processes, side by side; `undefined` where only one number was measured. */
function processesChart(parts: readonly Part[], source: readonly string[]): Chart | undefined {
  const reads = parts.filter((part): part is Comparison => part.part === 'throughput' && part.work === 'read')
  if (reads.length < 2) return undefined
  const ids = [...new Set(reads.flatMap(({ standings }) => standings.map(({ id }) => id)))]
  const groups = ids.map((id): BarGroup => {
    const bars = reads.flatMap(({ processes, standings }) =>
      standings
        .filter((standing) => standing.id === id)
        .map(({ rate, least, most }) => ({
          label: processes === 1 ? '1 process' : `${processes} processes`,
          colour: colourOf(id),
          values: [rate],
          range: [least, most] as const,
        })),
    )
    return { heading: CONTENDERS.find((contender) => contender.id === id)?.name ?? id, bars }
  })
  const title = 'A page that reads the session, by server processes'
  const shown = groups.filter(({ bars }) => bars.length > 1)
  return { name: 'bench-processes', svg: barChart({ title, unit: 'requests/s', groups: shown, source }) }
}

interface Named {
  readonly id: string
  readonly name: string
}

/** A group for each framework, with its contenders in their order. */
function byFramework<Standing extends Named, Shown>(
  standings: readonly Standing[],
  show: (standing: Standing) => Shown,
): { heading: string; bars: (Shown & { label: string; colour: Colour })[] }[] {
  return CONTENDERS.filter(({ id, base }) => id === base).flatMap(({ id: framework, name: heading }) => {
    const own = standings.filter(({ id }) => CONTENDERS.find((contender) => contender.id === id)?.base === framework)
    const bars = own.map((standing) => ({
      ...show(standing),
      label: standing.id === framework ? 'bare' : standing.name.replace(`${heading} + `, ''),
      colour: colourOf(standing.id),
    }))
    return bars.length > 0 ? [{ heading, bars }] : []
  })
}

function colourOf(id: string): Colour {
  const contender = CONTENDERS.find((one) => one.id === id)
  if (contender?.setup.sessions === 'bare') return 'bare'
  return contender?.setup.sessions === 'holdfast' ? 'holdfast' : 'other'
}

function capital(title: string): string {
  return title.charAt(0).toUpperCase() + title.slice(1)
}

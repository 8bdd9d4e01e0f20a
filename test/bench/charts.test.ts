import { describe, expect, it } from 'vitest'

import { chartsOf } from '../../bench/charts.ts'
import { figure, text } from '../../bench/charts/svg.ts'
import type { Comparison, Standing } from '../../bench/compare.ts'
import type { Part, Results } from '../../bench/results.ts'

function standing(id: string, name: string, base: string, rate: number): Standing {
  const ofBase = rate / 44_000
  const figures = { rate, p50: 0.7, p99: 3.1, server: 22.4, redis: id === base ? 0 : 4.25 }
  return { id, name, base, ...figures, least: rate * 0.9, most: rate * 1.1, ofBase, turns: [] }
}

function comparison(processes: number): Comparison {
  return {
    part: 'throughput',
    work: 'read',
    title: 'a page',
    note: '',
    processes,
    standings: [
      standing('fastify', 'Fastify', 'fastify', 44_000 * processes),
      standing('fastify-holdfast-redis', 'Fastify + Holdfast, Redis', 'fastify', 41_234 * processes),
      standing('fastify-session', 'Fastify + @fastify/session, connect-redis', 'fastify', 6543 * processes),
    ],
    failures: [],
  }
}

const named = { id: 'fastify-holdfast-redis', name: 'Fastify + Holdfast, Redis' }
const waited = { p50: 0.31, p99: 1.27, p999: 4.56, most: 9, rate: 1000, server: 20, redis: 1 }

const parts: readonly Part[] = [
  comparison(1),
  comparison(2),
  {
    part: 'latency',
    rate: 1000,
    seconds: 10,
    standings: [{ ...named, base: 'fastify', ...waited, turns: [] }],
    failures: [],
  },
  {
    part: 'memory',
    sessions: 10_000,
    standings: [{ ...named, store: 425, kept: 321, resident: 999, cookie: 165 }],
    failures: [],
  },
  {
    part: 'scale',
    rounds: 5,
    sessionsEach: 5,
    lines: [1000, 10_000].flatMap((sessions, at) =>
      (['load', 'list'] as const).map((operation) => {
        const median = operation === 'load' ? 0.051 + at / 1000 : 0.33
        return { operation, sessions, median, p99: 1, ratio: 1, p99Ratio: 1 }
      }),
    ),
    memory: [],
  },
]

const results: Results = {
  form: 1,
  date: '2026-01-02T03:04:05.678Z',
  command: 'npm run bench',
  full: true,
  complete: true,
  seconds: 10,
  machine: { processor: 'A processor', cores: 2, gigabytes: 4, system: 'Linux' },
  versions: { holdfast: '1.2.3', node: 'v20.0.0', 'redis-server': '7.0.0' },
  pinning: '',
  rounds: { rounds: 7, seconds: 3, connections: 32, visitors: 1000, warmUp: true },
  parts,
}

const charts = new Map(chartsOf(results).map(({ name, svg }) => [name, svg]))
const descriptionOf = (name: string): string => /<desc id="d">(.*)<\/desc>/.exec(charts.get(name) ?? '')?.[1] ?? ''

describe('charts', () => {
  it('there is one for each part, and one for the processes', () => {
    expect([...charts.keys()]).toEqual([
      'bench-read',
      'bench-processor',
      'bench-latency',
      'bench-memory',
      'bench-scale',
      'bench-processes',
    ])
  })

  it.each([...charts])(
    '%s says to those who do not see it what it shows, and to all where it comes from',
    (name, svg) => {
      expect(svg).toMatch(/<svg [^>]*role="img" aria-labelledby="t d">\n {2}<title id="t">\S/)
      expect(descriptionOf(name).length).toBeGreaterThan(50)
      for (const said of ['A processor', 'v20.0.0', '7 interleaved rounds', '2026-01-02', 'npm run bench'])
        expect(svg).toContain(said)
      expect(svg).toContain('prefers-color-scheme:dark')
      expect(svg).not.toMatch(/NaN|undefined|Infinity/)
    },
  )

  it('every figure is in words, too', () => {
    expect(descriptionOf('bench-read')).toContain('bare 44 000; Holdfast, Redis 41 234 (0.94 of bare)')
    expect(descriptionOf('bench-processor')).toContain('Holdfast, Redis 22.4 + 4.25')
    expect(descriptionOf('bench-latency')).toContain('Holdfast, Redis 0.31, 1.27, 4.56')
    expect(descriptionOf('bench-memory')).toContain('Holdfast, Redis 425 + 321')
    expect(descriptionOf('bench-scale')).toContain('load: 0.051 at 1 000, 0.052 at 10 000')
    expect(descriptionOf('bench-processes')).toContain('1 process 41 234; 2 processes 82 468')
  })

  it('a bar is as long as its value', () => {
    const widths = [...(charts.get('bench-read') ?? '').matchAll(/<rect [^>]*width="([\d.]+)"/g)].map(([, width]) =>
      Number(width),
    )
    expect(widths).toHaveLength(3)
    expect((widths[1] ?? 0) / (widths[0] ?? 1)).toBeCloseTo(41_234 / 44_000, 2)
    expect((widths[2] ?? 0) / (widths[0] ?? 1)).toBeCloseTo(6543 / 44_000, 2)
  })

  it('text is escaped, and figures have as many digits as say something', () => {
    expect(text(1, 2, '<a> & "b"')).toBe('<text x="1" y="2">&lt;a&gt; &amp; &quot;b&quot;</text>')
    expect([12_345.6, 99.96, 12.34, 1.234, 0.0512].map(figure)).toEqual(['12 346', '100.0', '12.3', '1.23', '0.051'])
  })
})

/** The report says what the history says, and nothing that stands in it becomes part of the page's own text. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

import { describe, expect, it } from 'vitest'

import type { FaultMark } from '../../../proof/history/history.ts'
import { RULES } from '../../../proof/checker/violations.ts'
import { faultsOf, percentile, slicesOf } from '../../../proof/report/figures.ts'
import { forgottenTable } from '../../../proof/report/forgotten-table.ts'
import { html } from '../../../proof/report/html.ts'
import { page } from '../../../proof/report/page.ts'
import { rulesOf } from '../../../proof/report/rules.ts'
import { rowsOf } from '../../../proof/report/timeline.ts'
import { isFine } from '../../../proof/report/shown.ts'
import { writeReport } from '../../../proof/report/write.ts'
import { Story } from '../checker/story.ts'
import { brokenStory, reportOf, shownOf } from './told.ts'

const NOTHING = { times: 0, noticed: 0, ofSession: 0 }

describe('the figures', () => {
  it('of a fault: what was refused, what is unknown, how long nothing was answered, and when the last failure was', () => {
    expect(faultsOf(brokenStory().history)).toEqual([
      {
        name: 'primary killed (kill -9)',
        began: 10_000,
        lasted: 2_000,
        requests: 3 + 8,
        refused: 2,
        unknown: 1,
        silence: 2_520,
        recovered: 400,
      },
    ])
  })

  it('of a fault from which nothing recovered: silence until the end of the run', () => {
    const story = new Story().broken({ sort: 'outage', began: 1_000, ended: 2_000 })
    story.tell('read', {}, { began: 500, ended: 600 })
    story.tell('read', {}, { began: 900, ended: 9_000, outcome: 'unknown', status: 0, seen: undefined })
    expect(faultsOf(story.history)).toMatchObject([{ silence: 8_000, unknown: 1 }])
  })

  it('of a fault are not taken for those of the next one, nor of one that lasts longer', () => {
    const story = new Story().broken({ sort: 'outage', began: 1_000, ended: 2_000 })
    story.broken({ sort: 'outage', began: 3_000, ended: 6_000 }).broken({ sort: 'outage', began: 4_000, ended: 5_000 })
    story.tell('read', {}, { began: 2_100, ended: 2_200, outcome: 'refused', status: 503, seen: undefined })
    story.tell('read', {}, { began: 3_500, ended: 3_600, outcome: 'refused', status: 503, seen: undefined })
    story.tell('read', {}, { began: 5_500, ended: 5_600, outcome: 'refused', status: 503, seen: undefined })
    expect(faultsOf(story.history)).toMatchObject([
      { refused: 1, recovered: 200 },
      { refused: 2, recovered: 0 },
      { refused: 0, recovered: null },
    ])
  })

  it('of a fault do not count what came long after it', () => {
    const story = new Story().broken({ sort: 'outage', began: 1_000, ended: 2_000 })
    story.tell('read', {}, { began: 7_000, ended: 7_010, outcome: 'refused', status: 503, seen: undefined })
    expect(faultsOf(story.history)).toMatchObject([{ requests: 0, refused: 0, recovered: 0 }])
  })

  it('of each moment: who was answered and who was not, each once; a form that was refused is an answer', () => {
    const story = brokenStory()
    story.tell('submit', { form: 'without a token' }, { began: 31_000, ended: 31_001, outcome: 'refused', status: 403 })
    const slices = slicesOf(story.history)
    const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
    expect(sum(slices.map(({ failed }) => failed))).toBe(3)
    expect(sum(slices.map(({ answered }) => answered))).toBe(story.operations.length - 3)
    expect(slices[0]).toEqual({ from: 0, answered: 1, failed: 0, p50: 20, p99: 20 })
  })

  it('of waiting are those of a request that was made', () => {
    const values = Array.from({ length: 100 }, (_, at) => at + 1).toReversed()
    expect([percentile(values, 0.5), percentile(values, 0.99), percentile([], 0.5)]).toEqual([51, 100, 0])
  })

  it('of the rules: each is there, with what broke it, and in how many of the controls it was found', () => {
    const control = shownOf(brokenStory('x', { target: 'express-session' }), { faulty: true })
    const rules = rulesOf([shownOf(brokenStory()), control])
    expect(Object.keys(rules)).toEqual(Object.keys(RULES))
    expect(rules['lost-update']).toEqual({ violations: 1, forgotten: NOTHING, foundIn: 1 })
    expect(rules['effect-twice']).toEqual({ violations: 0, forgotten: NOTHING, foundIn: 0 })
  })

  it('of the rules keep apart what a store forgot, what of it was noticed, and what of that by the session', () => {
    const story = brokenStory().broken({ name: 'emptied', sort: 'forgets' })
    const lost = (): unknown => rulesOf([shownOf(story)])['lost-update']
    const unnoticed = { times: 1, noticed: 0, ofSession: 0 }
    expect(lost()).toEqual({ violations: 0, forgotten: unnoticed, foundIn: 0 })
    story.report('holdfast:replaced', { ends: 0 }, 30_150)
    expect(lost()).toMatchObject({ forgotten: { ...unnoticed, noticed: 1 } })
    story.report('holdfast:lost', { handle: 'of v1-1' }, 30_150)
    expect(lost()).toMatchObject({ forgotten: { ...unnoticed, noticed: 1, ofSession: 1 } })
    const { violations } = shownOf(story)
    expect(forgottenTable(violations)).toMatch(/lost-update +1 +1 \(100\.0\s%\) +1 \(100\.0\s%\)/)
    expect(page(reportOf(shownOf(story)))).toContain('store forgot 2, noticed 2')
  })

  it('of what stores forgot are none where they forgot nothing', () => {
    expect(forgottenTable(shownOf(brokenStory()).violations)).toBeUndefined()
  })
})

describe('the timeline', () => {
  const x = (at: number): number => at / 100
  const fault = (began: number, ended: number, name = 'x'): FaultMark => ({ name, sort: 'outage', began, ended })
  // Many that overlap, with long names, up to the right edge.
  const many = Array.from({ length: 60 }, (_, at) =>
    fault(at * 1_500, at * 1_500 + (at % 7) * 1_000, `fault ${'with a long name '.repeat(at % 5)}${at}`),
  )

  it('draws no bar of a fault upon another one, and shows each', () => {
    const rows = rowsOf(many, x)
    expect(new Set(rows.flat().map(({ fault: { name } }) => name)).size).toBe(60)
    for (const row of rows)
      for (const [at, { to }] of row.entries()) expect(row[at + 1]?.from ?? Infinity).toBeGreaterThan(to)
  })

  it('writes no name upon another one, and leaves out those for which there is no room', () => {
    const named = rowsOf(many, x).map((row) => row.filter((bar) => bar.named !== undefined))
    expect(named.flat().length).toBeLessThan(60)
    for (const row of named) {
      const texts = row.map(({ fault: { name }, from, to, named: side }) => {
        const wide = name.length * 6
        return side === 'left' ? [from, from + wide] : [to - wide, to]
      })
      for (const [at, [, end = 0]] of texts.entries()) expect(texts[at + 1]?.[0] ?? Infinity).toBeGreaterThan(end)
    }
  })

  it('has one row for faults one after the other, and as many as last at once', () => {
    expect(rowsOf([fault(0, 1_000), fault(5_000, 6_000)], x)).toHaveLength(1)
    expect(rowsOf([fault(0, 9_000), fault(1_000, 8_000), fault(2_000, 7_000)], x)).toHaveLength(3)
    expect(
      rowsOf(
        Array.from({ length: 9 }, (_, at) => fault(at, 9_000)),
        x,
      ),
    ).toHaveLength(9)
  })

  it('has one band behind those that overlap', () => {
    const story = brokenStory().broken({ name: 'another', sort: 'outage', began: 11_000, ended: 14_000 })
    story.broken({ name: 'a third', sort: 'outage', began: 20_000, ended: 21_000 })
    const bands = [...page(reportOf(shownOf(story))).matchAll(/class="band"[^<]*<title>([^<]*)/g)].map(
      ([, names]) => names,
    )
    expect(bands).toEqual(['primary killed (kill -9), another', 'a third'])
  })
})

describe('a run is fine', () => {
  const calm = new Story()
  calm.tell('read', {})

  it.each([
    ['in which no rule was broken', true, shownOf(calm)],
    ['but not if one was', false, shownOf(brokenStory())],
    ['as a control if something was found', true, shownOf(brokenStory(), { faulty: true })],
    ['but not if nothing was', false, shownOf(calm, { faulty: true })],
    [
      'as a mutant if what it breaks was found',
      true,
      shownOf(brokenStory(), { faulty: true, expected: ['lost-update'] }),
    ],
    ['but not if only something else was', false, shownOf(brokenStory(), { faulty: true, expected: ['effect-twice'] })],
  ])('%s', (_what, fine, shown) => {
    expect(isFine(shown)).toBe(fine)
  })
})

describe('the page', () => {
  it('tells the verdict, every rule, every fault, and the requests of a violation', () => {
    const text = page(reportOf(shownOf(brokenStory())))
    for (const rule of Object.keys(RULES)) expect(text).toContain(`<code>${rule}</code>`)
    expect(text).toContain('Rules were broken: 2 violations.')
    expect(text).toContain('primary killed (kill -9)')
    expect(text).toContain('item: v1.0')
    expect(text).toContain('npm run proof -- told')
    expect(text).toContain('node v22.0.0')
  })

  it('counts one of a thing as one', () => {
    const text = page(reportOf(shownOf(brokenStory())))
    expect(text).toContain('<dt>run</dt>')
    expect(text).toContain('<dt>fault</dt>')
    expect(text).toContain('<dt>requests</dt>')
    expect(page(reportOf(shownOf(brokenStory()), shownOf(brokenStory())))).toContain('<dt>runs</dt>')
  })

  it('takes markup in whatever stands in a history for text', () => {
    const hostile = `"><script>alert(1)</script><img src='x' onerror=alert(1)>&lt;`
    const story = brokenStory(hostile, { versions: { [hostile]: hostile }, scenario: hostile, mutant: hostile })
    story.tell('add', { item: hostile }, { seen: { user: hostile, cart: [hostile] }, code: hostile, server: hostile })
    story.tell('read', {}, { visit: 'v1-1', code: hostile, result: hostile })
    const shown = shownOf(story, { command: hostile })
    const text = page({ at: hostile, command: hostile, runs: [shown, { ...shown, faulty: true }] })
    expect(text).toContain('&lt;script&gt;')
    expect(text).not.toMatch(/<script|<img/)
    // Of what the page itself says no attribute or tag comes from outside: what is left of it is the same without it.
    expect(tagsOf(text)).toEqual(tagsOf(page(reportOf(...harmlessTwin(shown)))))
  })

  it('takes a value for text in an attribute too', () => {
    const hostile = `" onclick='a' x="`
    expect(html`<i title="${hostile}"></i>`.text).toBe('<i title="&quot; onclick=&#39;a&#39; x=&quot;"></i>')
  })

  it('asks for nothing from elsewhere, and runs nothing', () => {
    const text = page(reportOf(shownOf(brokenStory())))
    expect(text).not.toMatch(/https?:|src=|@import|url\(|<script|<iframe| on\w+=/)
    expect([...text.matchAll(/href="([^"]*)"/g)].map(([, to]) => to).filter((to) => !to?.startsWith('#'))).toEqual([
      'data:,',
    ])
  })
})

/** The names of the elements in their order. */
function tagsOf(text: string): string[] {
  return [...text.matchAll(/<\/?([a-z0-9]+)/g)].map(([, name = '']) => name)
}

/** The same runs with nothing hostile in them. */
function harmlessTwin(shown: ReturnType<typeof shownOf>): ReturnType<typeof shownOf>[] {
  const text = JSON.stringify(shown).replaceAll(
    JSON.stringify(`"><script>alert(1)</script><img src='x' onerror=alert(1)>&lt;`).slice(1, -1),
    'h'.repeat(58),
  )
  const harmless = JSON.parse(text) as typeof shown
  return [harmless, { ...harmless, faulty: true }]
}

it('is written as a page, as data without the whole history, and with the history of each run', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-report-'))
  try {
    const story = brokenStory().report('holdfast:replaced', { ends: 1 }, 5).report('holdfast:cookie', {}, 6)
    expect(writeReport(folder, reportOf(shownOf(story)))).toBe(path.join(folder, 'index.html'))
    expect(readdirSync(folder).toSorted()).toEqual([
      'events-1-told-redis.jsonl',
      'history-1-told-redis.jsonl',
      'index.html',
      'report.json',
    ])
    const data = JSON.parse(readFileSync(path.join(folder, 'report.json'), 'utf8')) as Record<string, unknown>
    expect(data).toMatchObject({
      rules: { 'lost-update': { violations: 1 }, 'effect-twice': { violations: 0 } },
      runs: [{ fine: false, requests: story.operations.length, faults: [{ recovered: 400 }], run: { seed: 1 } }],
    })
    const lines = readFileSync(path.join(folder, 'history-1-told-redis.jsonl'), 'utf8').trimEnd().split('\n')
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(story.operations)
    const events = readFileSync(path.join(folder, 'events-1-told-redis.jsonl'), 'utf8').trimEnd().split('\n')
    expect(events.map((line) => JSON.parse(line) as unknown)).toEqual(story.events)
    expect(data).toMatchObject({ runs: [{ notices: [{ channel: 'holdfast:replaced' }] }] })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

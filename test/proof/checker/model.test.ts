/** The checker against histories by chance: it blames no shop that keeps every rule, and finds each flaw. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { check, unexcused } from '../../../proof/checker/check.ts'
import type { RuleName } from '../../../proof/checker/violations.ts'
import { historyOf, type ModelOptions } from './model/model.ts'
import type { Flaw } from './model/shop.ts'

const size = { browsers: fc.integer({ min: 1, max: 4 }), visits: fc.integer({ min: 1, max: 4 }), seed: fc.nat() }

describe('a shop that keeps every rule', () => {
  const blameless = (more: Partial<ModelOptions>): void =>
    fc.assert(
      fc.property(fc.record(size), (options) => {
        expect(check(historyOf({ ...options, ...more }))).toEqual([])
      }),
      { numRuns: 300 },
    )

  it('is blamed for nothing', () => blameless({}))

  it('is blamed for nothing where connections break, and requests are carried out after nobody waits for them', () =>
    blameless({ breaks: true }))

  it('is excused for everything that its store forgot', () => {
    const found = new Set<RuleName>()
    fc.assert(
      fc.property(fc.record({ ...size, breaks: fc.boolean() }), (options) => {
        const violations = check(historyOf({ ...options, forgets: true }))
        for (const { name } of violations) found.add(name)
        expect(unexcused(violations)).toEqual([])
      }),
      { numRuns: 300 },
    )
    expect([...found]).toEqual(expect.arrayContaining(['lost-update', 'going-back', 'logged-out', 'alive-after-end']))
  })
})

describe('a shop that', () => {
  it.each<[Flaw, ...RuleName[]]>([
    ['loses changes', 'lost-update'],
    ['adds twice', 'doubled-increment'],
    ['shows what is old', 'own-write-unseen', 'going-back'],
    ['shows what is older than the bound', 'own-write-unseen', 'going-back', 'alive-after-end'],
    ['ends nothing', 'alive-after-end'],
    ['ends nobody else’s', 'alive-after-revocation'],
    ['shows another’s', 'another-visitor'],
    ['gives one name to all', 'shared-session'],
    ['logs out', 'logged-out'],
    ['takes the id of before a sign-in', 'old-id-accepted'],
    ['takes a renewed id for ever', 'old-id-accepted'],
    ['takes no renewed id', 'renewed-id-refused'],
    ['claims nothing', 'effect-twice'],
    ['does nothing', 'effect-missing'],
    ['refuses forms', 'form-refused'],
    ['takes forgeries', 'forgery-accepted'],
    ['fails', 'undue-error'],
  ])('%s is found, with what shows it', (flaw, ...names) => {
    const histories = Array.from({ length: 10 }, (_, seed) => historyOf({ seed, browsers: 4, visits: 4, flaw }))
    const found = histories.flatMap((history) => unexcused(check(history)))
    expect(found.map(({ name }) => name)).toEqual(expect.arrayContaining(names))
    for (const { operations } of found) expect(operations.length).toBeGreaterThan(0)
  })
})

describe('the checker', () => {
  it('takes seconds for tens of thousands of requests', () => {
    const history = historyOf({ seed: 1, browsers: 200, visits: 20, breaks: true })
    const before = process.cpuUsage()
    expect(check(history)).toEqual([])
    expect(history.operations.length).toBeGreaterThan(50_000)
    // Of the processor, in microseconds: others on the machine are no fault of the checker's.
    expect(process.cpuUsage(before).user).toBeLessThan(3_000_000)
  })
})

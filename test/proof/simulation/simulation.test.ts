/** The simulation itself, and a short time of it. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import type { Kind } from '../../../proof/history/history.ts'
import { type Schedule, scheduleOf } from '../../../proof/simulation/plan.ts'
import { search } from '../../../proof/simulation/search.ts'
import { shrink } from '../../../proof/simulation/shrink.ts'
import { virtualTime } from '../../../proof/simulation/virtual.ts'
import { carryOut } from '../../../proof/simulation/world.ts'

const KEPT = path.join(import.meta.dirname, 'schedules')
/** In milliseconds: the rest of the time is for whoever runs it by command. */
const SEARCHES = 5_000
const KINDS: readonly Kind[] = [
  'read',
  'add',
  'count',
  'mark',
  'sign-in',
  'renew',
  'sign-out',
  'form',
  'submit',
  'begin',
  'finish',
  'replay',
]

describe('a schedule', () => {
  let virtual: ReturnType<typeof virtualTime>
  beforeAll(() => void (virtual = virtualTime()))
  afterAll(() => virtual.uninstall())

  it('is decided by its seed, and so is everything that happens in it', async () => {
    for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
      const first = await carryOut(scheduleOf(seed), virtual.time, { story: true })
      expect(await carryOut(scheduleOf(seed), virtual.time, { story: true })).toEqual(first)
    }
    expect(scheduleOf(1)).not.toEqual({ ...scheduleOf(2), seed: 1 })
  })

  it('is one of many: in some hundreds all is done that visitors do, and all goes wrong that can', async () => {
    const [kinds, wrong] = [new Set<Kind>(), new Set<string>()]
    for (let seed = 1; seed <= 300; seed++) {
      const { history, story } = await carryOut(scheduleOf(seed), virtual.time, { story: true })
      for (const { kind, outcome } of history.operations) if (outcome === 'acknowledged') kinds.add(kind)
      for (const { name } of history.faults) wrong.add(name.replace(/^[\d.]+ \w+: |^the answer to .* /, ''))
      if (story.some((line) => line.endsWith(', unconfirmed'))) wrong.add('a write that no replica confirmed')
    }
    expect([...kinds].toSorted()).toEqual(KINDS.toSorted())
    expect([...wrong]).toEqual(
      expect.arrayContaining([
        'a server killed',
        'fail-over',
        'what is sent to the store is lost',
        'a write that no replica confirmed',
        'lost',
        'request-lost',
        'answer-lost',
        'refused',
        'broken',
      ]),
    )
  })

  const kept = readdirSync(KEPT)
  it.each(kept)('that once broke a rule breaks none: %s', async (name) => {
    const schedule = JSON.parse(readFileSync(path.join(KEPT, name), 'utf8')) as Schedule
    const { violations, history } = await carryOut(schedule, virtual.time)
    expect(violations).toEqual([])
    expect(history.operations.length).toBeGreaterThan(schedule.deeds.length)
  })

  it('that shows something is made as short as it goes', async () => {
    const drawn = scheduleOf(14)
    const shows = ({ deeds, faults }: Schedule): boolean =>
      deeds.filter((deed) => deed.do === 'add').length >= 2 && faults.length === drawn.faults.length
    expect(shows(drawn)).toBe(true)
    const smallest = await shrink(drawn, async (smaller) => shows(smaller))
    expect(smallest).toMatchObject({ servers: 2, nearCache: false, durability: 'primary', calls: {}, news: {} })
    expect(smallest.deeds.map((deed) => [deed.do, deed.waits, deed.answer])).toEqual([
      ['add', true, undefined],
      ['add', true, undefined],
    ])
  })
})

describe('the core, simulated', () => {
  it('breaks no rule', async () => {
    const { schedules, requests, found } = await search({ seed: 1, step: 1, milliseconds: SEARCHES, most: 2_000 })
    expect(found).toBeUndefined()
    expect(schedules).toBeGreaterThan(50)
    expect(requests).toBeGreaterThan(10 * schedules)
  })
})

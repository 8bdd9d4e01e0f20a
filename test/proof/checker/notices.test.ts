/** What counts as Holdfast's own notice of what a store forgot. */
import { describe, expect, it } from 'vitest'

import { check } from '../../../proof/checker/check.ts'
import type { ReportedEvent } from '../../../proof/history/history.ts'
import { Story } from './story.ts'

const LOST = 'holdfast:lost'
const [SHOWED, BROKE] = [4_010, 2_000]

/** A change of a guest, who signs in then, is lost by a fault at 2 s, which shows at 4 s. */
function lossOf(...events: readonly Omit<ReportedEvent, 'server'>[]): Story {
  const story = new Story().broken({ sort: 'forgets', began: BROKE, ended: 3_000 })
  story.tell('add', { item: 'v1.0' }, { began: 100, seen: { cart: ['v1.0'], handle: 'guest' } })
  story.tell('read', {}, { visit: 'v2-1', began: 200, seen: { handle: 'another' } })
  story.signIn('v1-2', 'ada', 'v1-1', ['v1.0'])
  story.tell('read', {}, { visit: 'v1-2', began: 4_000, seen: { user: 'ada' } })
  for (const { channel, detail, at } of events) story.report(channel, detail, at)
  return story
}

const noticed = (...events: readonly Omit<ReportedEvent, 'server'>[]): unknown =>
  check(lossOf(...events).history).find(({ name }) => name === 'lost-update')?.noticed

describe('what a store forgot is noticed', () => {
  it.each([
    ['an older version than was shown', LOST, { handle: 'of v1-2' }],
    ['that of the guest that the visit goes on', LOST, { handle: 'guest' }],
    ['an end that was lost', 'holdfast:end', { handle: 'of v1-2', what: 'revived' }],
    ['a change that replicas had not confirmed', 'holdfast:commit', { handle: 'of v1-2', durable: false }],
  ])('about this very session by %s', (_what, channel, detail) => {
    expect(noticed({ channel, detail, at: 4_000 })).toBe('session')
  })

  it.each([
    ['the store was replaced', 'holdfast:replaced', { ends: 0 }],
    ['it has lost something of another session', LOST, { handle: 'another' }],
  ])('about the store where %s', (_what, channel, detail) => {
    expect(noticed({ channel, detail, at: 4_000 })).toBe('store')
  })

  it.each([
    ['nothing was told', []],
    ['it was told before the store forgot', [{ channel: LOST, detail: { handle: 'of v1-2' }, at: BROKE - 1 }]],
    ['it was told too late', [{ channel: LOST, detail: { handle: 'of v1-2' }, at: SHOWED + 1_001 }]],
    [
      'what was told is no loss',
      [
        { channel: 'holdfast:end', detail: { handle: 'of v1-2', what: 'written' }, at: 4_000 },
        { channel: 'holdfast:commit', detail: { handle: 'another', durable: false }, at: 4_000 },
        { channel: 'holdfast:commit', detail: { handle: 'of v1-2', durable: true }, at: 4_000 },
        { channel: 'holdfast:breaker', detail: { state: 'open' }, at: 4_000 },
        { channel: 'holdfast:dropped', detail: { handle: 'of v1-2' }, at: 4_000 },
      ],
    ],
  ])('by nothing where %s', (_what, events) => {
    expect(noticed(...events)).toBe('no')
  })

  it('and at the borders of the time still', () => {
    expect(noticed({ channel: LOST, detail: { handle: 'of v1-2' }, at: BROKE })).toBe('session')
    expect(noticed({ channel: LOST, detail: { handle: 'of v1-2' }, at: SHOWED + 1_000 })).toBe('session')
  })

  it('by whom it concerns: who ended all of a user’s sessions is another than whose was not', () => {
    const story = new Story().broken({ sort: 'forgets', began: 0, ended: 1_000 })
    story.signIn('v1-2')
    story.signIn('v2-2')
    story.tell('sign-out', { user: 'ada', everywhere: true }, { visit: 'v2-2' })
    story.tell('read', {}, { visit: 'v1-2', began: 3_000, seen: { user: 'ada' } })
    story.report('holdfast:end', { handle: 'of v2-2', what: 'revived' }, 2_000)
    const alive = (): unknown => check(story.history).find(({ name }) => name === 'alive-after-revocation')?.noticed
    expect(alive()).toBe('store')
    story.report('holdfast:end', { handle: 'of v1-2', what: 'revived' }, 2_000)
    expect(alive()).toBe('session')
  })
})

it('what nothing excuses is not asked for notices', () => {
  const story = new Story()
  story.tell('add', { item: 'v1.0' }, { seen: { cart: ['v1.0'] } })
  story.tell('read', {})
  story.report(LOST, { handle: 'of v1-1' }, 30)
  expect(check(story.history).map(({ noticed: by }) => by)).toEqual([undefined, undefined])
})

/** What is written down of a run, and in which order. */
import { expect, it, onTestFinished, vi } from 'vitest'

import type { Effect, Run } from '../../../proof/history/history.ts'
import { Recorder } from '../../../proof/history/recorder.ts'

const RUN: Run = {
  scenario: 'calm',
  target: 'holdfast',
  store: 'redis',
  durability: 'primary',
  seed: 1,
  seconds: 1,
  servers: ['A'],
  promises: { grace: 1, answer: 1, staleness: 1 },
  versions: {},
}
const READ = { kind: 'read', asked: {}, browser: 'v0', visit: 'v0-1' } as const
const DONE = { outcome: 'acknowledged', status: 200 } as const

/** A recorder by a clock of its own, which the test moves on. */
function recorderAt(origin: number): { recorder: Recorder; pass: (milliseconds: number) => void } {
  let now = origin
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now)
  onTestFinished(() => clock.mockRestore())
  return { recorder: new Recorder(), pass: (milliseconds) => void (now += milliseconds) }
}

it('operations stand in the order in which they began, each with both its times since the run began', () => {
  const { recorder, pass } = recorderAt(5_000)
  pass(10)
  const endSlow = recorder.begin(READ)
  pass(20)
  const endQuick = recorder.begin({ kind: 'mark', asked: { mark: 1 }, browser: 'v1', visit: 'v1-1' })
  pass(5)
  endQuick({ outcome: 'refused', status: 503, code: 'ERR_STORE_UNAVAILABLE' })
  pass(100)
  expect(endSlow(DONE).id).toBe(0)
  expect(recorder.history(RUN, []).operations).toEqual([
    { id: 0, ...READ, began: 10, ended: 135, ...DONE },
    {
      id: 1,
      kind: 'mark',
      asked: { mark: 1 },
      browser: 'v1',
      visit: 'v1-1',
      began: 30,
      ended: 35,
      outcome: 'refused',
      status: 503,
      code: 'ERR_STORE_UNAVAILABLE',
    },
  ])
})

it('a fault lasts from when it was made until it was undone', () => {
  const { recorder, pass } = recorderAt(0)
  pass(100)
  const undone = recorder.fault('server A killed (kill -9)', 'server')
  pass(400)
  undone()
  expect(recorder.history(RUN, []).faults).toEqual([
    { name: 'server A killed (kill -9)', sort: 'server', began: 100, ended: 500 },
  ])
})

it('what a server reports has the time at which it was heard; run and effects stand beside it', () => {
  const { recorder, pass } = recorderAt(0)
  pass(7)
  recorder.event('B', 'holdfast:lost', { versions: [3, 5] })
  const effects: Effect[] = [{ cycle: 'v0.buys.1', idempotencyKey: 'one', server: 'B' }]
  expect(recorder.history(RUN, effects)).toEqual({
    run: RUN,
    operations: [],
    faults: [],
    events: [{ at: 7, server: 'B', channel: 'holdfast:lost', detail: { versions: [3, 5] } }],
    effects,
  })
})

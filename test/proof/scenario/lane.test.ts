/** Faults of one lane come one after the other, each at its time, and never without a pause. */
import { expect, it } from 'vitest'

import type { Deployed } from '../../../proof/deployment/deployment.ts'
import type { Fault } from '../../../proof/faults/fault.ts'
import { Recorder } from '../../../proof/history/recorder.ts'
import { bringAll } from '../../../proof/scenario/lane.ts'

it('waits after a fault that took longer than planned, and begins none before its time', async () => {
  const taking = (name: string, milliseconds: number): Fault => ({
    name,
    sort: 'outage',
    stores: ['redis'],
    seconds: 0.01,
    begin: async (_deployed, _random, mark) => {
      const over = mark(`part of ${name}`, 'kill')
      return () => new Promise((resolve) => setTimeout(() => resolve(over()), milliseconds))
    },
  })
  const recorder = new Recorder()
  const faults = new Set<string>()
  const lane = [
    { at: 0.02, fault: taking('slow', 200), after: 0.1 },
    { at: 0.13, fault: taking('next', 0), after: 0.1 },
    { at: 0.6, fault: taking('last', 0), after: 0.1 },
  ]
  await bringAll(lane, { deployed: {} as Deployed, recorder, faults, seed: 1 })
  expect(faults.size).toBe(0)
  expect(recorder.faults.map(({ name, sort }) => `${name} (${sort})`)).toEqual(
    ['slow', 'next', 'last'].flatMap((name) => [`part of ${name} (kill)`, `${name} (outage)`]),
  )
  const [slow, next, last] = recorder.faults.filter(({ sort }) => sort === 'outage')
  // A timer may come a millisecond early.
  expect((next?.began ?? 0) - (slow?.ended ?? 0)).toBeGreaterThanOrEqual(99)
  expect(slow?.began).toBeGreaterThanOrEqual(19)
  expect(last?.began).toBeGreaterThanOrEqual(599)
})

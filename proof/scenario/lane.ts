/** Brings the faults of one lane of a plan, one after the other. */
import { setTimeout as pause } from 'node:timers/promises'

import type { Deployed } from '../deployment/deployment.ts'
import type { Recorder } from '../history/recorder.ts'
import { chance } from '../visitors/random.ts'
import type { Planned } from './scenarios.ts'

export interface Stage {
  readonly deployed: Deployed
  readonly recorder: Recorder
  /** What is broken just now. */
  readonly faults: Set<string>
  readonly seed: number
}

/** Each at its time, or when the one before is over. */
export async function bringAll(lane: readonly Planned[], { deployed, recorder, faults, seed }: Stage): Promise<void> {
  const began = performance.now()
  let over = Number.NEGATIVE_INFINITY
  for (const { at, fault, after = 0 } of lane) {
    const due = Math.max(began + at * 1_000, over + after * 1_000)
    await pause(Math.max(0, due - performance.now()))
    const end = recorder.fault(fault.name, fault.sort)
    faults.add(fault.name)
    const undo = await fault.begin(deployed, chance(seed + at), (name, sort) => recorder.fault(name, sort))
    await pause(fault.seconds * 1_000)
    await undo()
    faults.delete(fault.name)
    end()
    over = performance.now()
  }
}

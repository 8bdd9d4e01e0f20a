/** Carries out one schedule after the other, until one shows a violation or the time is over. */
import type { Violation } from '../checker/violations.ts'
import { type Schedule, scheduleOf } from './plan.ts'
import { shrink } from './shrink.ts'
import { virtualTime } from './virtual.ts'
import { carryOut, type Outcome } from './world.ts'

/** Which schedules, and for how long. */
export interface Searching {
  /** The first seed, and by how much each next one is more: several searches share the seeds so. */
  readonly seed: number
  readonly step: number
  /** No schedule is begun later, in milliseconds of this machine's clock. */
  readonly milliseconds: number
  /** So many at most. */
  readonly most: number
}

export interface Searched {
  readonly schedules: number
  /** Requests of their visitors. */
  readonly requests: number
  readonly found?: Found
}

/** A violation, with the smallest schedule that shows it. */
export interface Found {
  /** Of the schedule as it was drawn, and how many requests that has. */
  readonly seed: number
  readonly drawn: number
  readonly schedule: Schedule
  readonly violation: Violation
  /** What happens in it. */
  readonly story: readonly string[]
}

export async function search({ seed, step, milliseconds, most }: Searching): Promise<Searched> {
  const until = Date.now() + milliseconds
  const { time, uninstall } = virtualTime()
  let requests = 0
  let schedules = 0
  try {
    for (; schedules < most && Date.now() < until; schedules++) {
      const schedule = scheduleOf(seed + schedules * step)
      const outcome = await carryOut(schedule, time)
      requests += outcome.history.operations.length
      const [violation] = outcome.violations
      if (violation === undefined) continue
      const smallest = await shrink(schedule, async (smaller) => shows(await carryOut(smaller, time), violation))
      const { story, violations } = await carryOut(smallest, time, { story: true })
      const same = violations.find(({ name }) => name === violation.name) ?? violation
      const drawn = outcome.history.operations.length
      return {
        schedules: schedules + 1,
        requests,
        found: { seed: schedule.seed, drawn, schedule: smallest, violation: same, story },
      }
    }
    return { schedules, requests }
  } finally {
    uninstall()
  }
}

function shows({ violations }: Outcome, { name }: Violation): boolean {
  return violations.some((one) => one.name === name)
}

/** A deployment, and the phases that it goes through: in each the channels fare in one way, and many browsers come. */
import type { Duration } from 'holdfast'

import { Browser } from '../browser.ts'
import { emptyTally, type Tally, type Visit, Visited } from './browsers.ts'
import { type Channel, type Damage, happened, Weather } from './channel.ts'
import { endMany } from './ends.ts'
import { insist } from './insist.ts'
import { type Spread, spreadOf, type Violation } from './ledger.ts'
import { type Near, openStage, since, type Stage } from './stage.ts'

/** The protections of the near cache that can be taken out, as they are called among the mutants. */
export type Break = 'floor-off' | 'flush-off' | 'mark-off' | 'age-off'

export interface Phase {
  readonly channel: Channel
  readonly seconds: number
  readonly ends: number
}

export interface Trial {
  /** Of the servers' near caches. */
  readonly maxAge: Duration
  /** How old a read may be, in milliseconds, and how long after an end one may be served. */
  readonly bound: number
  /** With whole channels 99 ends in 100 must be effective within so many milliseconds. */
  readonly promptly: number
  /** With whole channels the near caches have to serve this share of the reads, or nothing was proved. */
  readonly leastShare: number
  readonly sessions: number
  /** How many of them are visited at a time: by browsers that wait, and by browsers that do not. */
  readonly atOnce: Readonly<Record<'waiting' | 'overlapping', number>>
  /** How many requests each browser of a session makes before the next session has its turn. */
  readonly visit: number
  readonly phases: readonly Phase[]
  readonly broken?: Break
}

export interface Figures {
  readonly trial: Trial
  readonly phase: Phase
  /** How many were visited, and by how many browsers. */
  readonly sessions: number
  readonly browsers: number
  readonly waiting: Tally
  readonly overlapping: Tally
  readonly near: Near
  /** Of all that only read: how much the near caches served. */
  readonly share: number
  readonly damage: Damage
  readonly ends: Spread
  /** How many reads of thieves the near caches served: before an end, or after it. */
  readonly stolen: number
  readonly violations: readonly Violation[]
}

/** The share of the sessions that are for browsers that wait. */
const WAITING = 0.7
/** How many browsers are in a session. */
const BROWSERS = [1, 1, 1, 2, 3] as const
const SIGNING_IN_AT_ONCE = 24
/** With a protection taken out, so many violations are enough. */
const NOTICED = 10
/** Thieves at a time, and milliseconds between two reads of each: close together where it is about milliseconds. */
const THIEVES = { whole: { atOnce: 8, pace: 2 }, broken: { atOnce: 24, pace: 12 } } as const
/** A thief who reads on for so long after the bound will be seen no better. */
const BEYOND = 500

export async function runTrial(trial: Trial, done?: (figures: Figures) => void): Promise<readonly Figures[]> {
  const stage = await openStage(trial.maxAge, trial.broken)
  try {
    let violations: Violation[] = []
    const visitors = await signInAll(stage, trial, (violation) => void violations.push(violation))
    const all: Figures[] = []
    for (const phase of trial.phases) {
      violations = []
      all.push(await runPhase(stage, trial, phase, visitors, violations))
      done?.(all.at(-1) as Figures)
    }
    return all
  } finally {
    await stage.close()
  }
}

/** The sessions, those first that were not visited for the longest time. */
interface Visitors {
  readonly waiting: Visited[]
  readonly overlapping: Visited[]
}

async function signInAll(
  { origins }: Stage,
  { sessions, bound }: Trial,
  violate: (violation: Violation) => void,
): Promise<Visitors> {
  const visitors: Visitors = { waiting: [], overlapping: [] }
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < sessions) {
      const number = next++
      const name = `visitor-${number}`
      const browser = new Browser(origins)
      await insist(() => browser.post(0, `/sign-in?user=${name}`))
      const group = Math.random() < WAITING ? visitors.waiting : visitors.overlapping
      group.push(new Visited(browser, name, BROWSERS[number % BROWSERS.length] ?? 1, bound, violate))
    }
  }
  await Promise.all(Array.from({ length: SIGNING_IN_AT_ONCE }, lane))
  return visitors
}

async function runPhase(
  stage: Stage,
  trial: Trial,
  phase: Phase,
  visitors: Visitors,
  violations: Violation[],
): Promise<Figures> {
  const before = await stage.near()
  const weather = await Weather.begin(stage, phase.channel)
  const visit = visitOf(trial, phase, violations)
  const [waiting, overlapping] = [emptyTally(), emptyTally()]
  const visited = await Promise.all([
    visitInTurn(visitors.waiting, trial.atOnce.waiting, visit, (one) => one.wait(visit, waiting)),
    visitInTurn(visitors.overlapping, trial.atOnce.overlapping, visit, (one) => one.overlap(visit, overlapping)),
  ])
  const afterVisits = await stage.near()
  const lasted = await endMany(stage.origins, {
    count: phase.ends,
    ...THIEVES[phase.channel === 'whole' ? 'whole' : 'broken'],
    most: trial.bound + BEYOND,
  })
  const near = since(before, afterVisits)
  const now = await stage.near()
  const damage = await weather.end()
  const came = visited.flat()
  await auditAll(came)
  const reads = waiting.reads + overlapping.reads
  const figures = {
    trial,
    phase,
    sessions: came.length,
    browsers: came.reduce((sum, { browsers }) => sum + browsers, 0),
    waiting,
    overlapping,
    near: { ...near, flushed: since(before, now).flushed },
    share: near.hits / reads,
    damage,
    ends: spreadOf(lasted),
    stolen: since(afterVisits, now).hits,
  }
  return { ...figures, violations: [...violations, ...complaintsAbout(figures)] }
}

function visitOf({ visit: requests, broken }: Trial, { seconds }: Phase, violations: readonly Violation[]): Visit {
  const until = performance.now() + seconds * 1_000
  const isNoticed = (): boolean => broken !== undefined && violations.length >= NOTICED
  return { requests, until, isOver: () => performance.now() >= until || isNoticed() }
}

/** Each has its turn before any has it again. Answers those that had one. */
async function visitInTurn(
  queue: Visited[],
  atOnce: number,
  { isOver }: Visit,
  visit: (one: Visited) => Promise<void>,
): Promise<readonly Visited[]> {
  const visited = new Set<Visited>()
  const lane = async (): Promise<void> => {
    while (!isOver()) {
      const one = queue.shift()
      if (one === undefined) return
      visited.add(one)
      await visit(one)
      queue.push(one)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, lane))
  return [...visited]
}

async function auditAll(visited: readonly Visited[]): Promise<void> {
  const left = [...visited]
  const lane = async (): Promise<void> => {
    for (let one = left.pop(); one !== undefined; one = left.pop()) await one.audit()
  }
  await Promise.all(Array.from({ length: SIGNING_IN_AT_ONCE }, lane))
}

/** What is wrong with a phase as a whole. */
function complaintsAbout({
  trial,
  phase,
  near,
  share,
  damage,
  ends,
  stolen,
}: Omit<Figures, 'violations'>): Violation[] {
  const { bound, promptly, leastShare } = trial
  const percent = Math.round(share * 100)
  const found: Violation[] = []
  if (!happened(phase.channel, damage)) found.push({ rule: 'set-up', text: 'nothing happened to the channels' })
  if (Math.min(...near.asked) < Math.max(...near.asked) / 2)
    found.push({ rule: 'set-up', text: `the balancer did not alternate: ${near.asked.join(', ')} requests` })
  if (phase.channel === 'whole' && share < leastShare)
    found.push({ rule: 'set-up', text: `near caches served ${percent} % of the reads, which proves nothing` })
  if (stolen < ends.number) found.push({ rule: 'set-up', text: `near caches served ${stolen} reads of thieves` })
  if (phase.channel === 'whole' && ends.p99 > promptly)
    found.push({ rule: 'end', text: `one end in a hundred was effective after ${Math.round(ends.p99)} ms` })
  if (ends.most >= bound) found.push({ rule: 'end', text: `an end was effective after ${Math.round(ends.most)} ms` })
  return found
}

/** What Holdfast has to reach, and whether it did. */
import { type Comparison, type Standing } from './compare.ts'
import { medianRatio } from './statistics.ts'
import type { Work } from './work.ts'

/** The least ratio of one contender's rate to another's, with one server process. */
interface Target {
  readonly work: Work
  readonly of: string
  readonly over: string
  readonly least: number
}

const TARGETS: readonly Target[] = [
  { work: 'read', of: 'fastify-holdfast-redis', over: 'fastify', least: 0.9 },
  { work: 'read', of: 'fastify-holdfast-lmdb', over: 'fastify', least: 0.85 },
  { work: 'read', of: 'express-holdfast-redis', over: 'express', least: 0.93 },
  { work: 'read', of: 'fastify-holdfast-redis', over: 'fastify-session', least: 5 },
  { work: 'read', of: 'express-holdfast-redis', over: 'express-session', least: 2.4 },
  { work: 'read', of: 'express-drop-in', over: 'express-session', least: 1.8 },
  { work: 'read', of: 'express-drop-in-plain', over: 'express-session', least: 1 },
  { work: 'read', of: 'express-drop-in-process', over: 'express-session-process', least: 1 },
]

/** A line for each target whose contenders were there. */
export function targetLines({ work, processes, standings }: Comparison): string[] {
  if (processes !== 1) return []
  return TARGETS.filter((target) => target.work === work).flatMap(({ of, over, least }) => {
    const [one, other] = [of, over].map((wanted) => standings.find(({ id }) => id === wanted))
    if (one === undefined || other === undefined) return []
    const ratio = medianRatio(ratesOf(one), ratesOf(other))
    const verdict = ratio >= least ? 'met' : 'missed'
    return [`Target: ${one.name} at least ${least.toFixed(2)} × ${other.name}. It is ${ratio.toFixed(2)}: ${verdict}.`]
  })
}

function ratesOf({ turns }: Standing): number[] {
  return turns.map(({ rate }) => rate)
}

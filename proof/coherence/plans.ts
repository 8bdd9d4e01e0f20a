/** What is run: in full, small for the tests, and small with a protection taken out. */
import type { Break, Phase, Trial } from './trial.ts'

export const BREAKS: readonly Break[] = ['floor-off', 'flush-off', 'mark-off', 'age-off']

/** As the near cache comes: reads are as old as this at most. */
const DEFAULT = { maxAge: '2s', bound: 2_000 } as const
/** Entries that would live much longer than what is allowed: all that is left to keep reads young is the channel itself. */
const LONG = { maxAge: '1m', bound: 2_000 } as const

const STRICT = { promptly: 50, leastShare: 0.4, atOnce: { waiting: 24, overlapping: 12 } } as const
/** For a machine that is busy with other tests: whoever comes seldom finds what is near too old. */
const BUSY = { promptly: 250, leastShare: 0.1, atOnce: { waiting: 12, overlapping: 8 } } as const

export const FULL: readonly Trial[] = [
  {
    ...DEFAULT,
    ...STRICT,
    sessions: 2_000,
    visit: 24,
    phases: [
      { channel: 'whole', seconds: 30, ends: 400 },
      { channel: 'late', seconds: 12, ends: 60 },
      { channel: 'reordered', seconds: 12, ends: 60 },
      { channel: 'lost', seconds: 12, ends: 60 },
    ],
  },
  {
    ...LONG,
    ...STRICT,
    sessions: 300,
    visit: 150,
    phases: [
      { channel: 'killed', seconds: 15, ends: 60 },
      { channel: 'half-open', seconds: 15, ends: 60 },
      { channel: 'slow answers', seconds: 12, ends: 60 },
    ],
  },
]

export const QUICK: readonly Trial[] = [
  {
    maxAge: '1s',
    bound: 1_000,
    ...BUSY,
    sessions: 150,
    visit: 40,
    phases: [
      { channel: 'whole', seconds: 1.5, ends: 24 },
      { channel: 'late', seconds: 1, ends: 8 },
      { channel: 'reordered', seconds: 1, ends: 8 },
      { channel: 'lost', seconds: 1.3, ends: 8 },
    ],
  },
  {
    ...LONG,
    ...BUSY,
    sessions: 100,
    visit: 150,
    phases: [
      { channel: 'killed', seconds: 2, ends: 8 },
      { channel: 'half-open', seconds: 2.4, ends: 8 },
      { channel: 'slow answers', seconds: 1, ends: 0 },
    ],
  },
]

/** Where each protection is the only one, so that the proof has to notice that it is gone, within so many seconds. */
const SHOWN_BY: Readonly<Record<Break, Phase & Pick<Trial, 'maxAge' | 'bound'>>> = {
  'floor-off': { ...DEFAULT, channel: 'late', seconds: 25, ends: 0 },
  'flush-off': { ...LONG, channel: 'killed', seconds: 25, ends: 0 },
  'mark-off': { ...LONG, channel: 'slow answers', seconds: 25, ends: 0 },
  'age-off': { ...DEFAULT, channel: 'lost', seconds: 25, ends: 0 },
}

export function withoutProtection(broken: Break): Trial {
  const { maxAge, bound, ...phase } = SHOWN_BY[broken]
  const atOnce = { waiting: 24, overlapping: 24 }
  return { maxAge, bound, ...STRICT, atOnce, sessions: 100, visit: Number.POSITIVE_INFINITY, phases: [phase], broken }
}

/** I11 under everything that can come together: searched for, not thought out. */
import fc from 'fast-check'
import { CycleError } from 'holdfast/cycle'
import { describe, expect, it, vi } from 'vitest'

import {
  LIFETIME,
  live,
  type Deed,
  type Effect,
  type Plan,
  type Story,
  type Submission,
  type Weather,
} from './simulation.ts'

vi.mock('node:timers/promises', async () => (await import('../support/virtual-time.ts')).virtualPromises)

/** For a search that goes on longer than a test should: `CYCLE_RUNS=20000`. */
const RUNS = Number(process.env['CYCLE_RUNS'] ?? 150)
const LEASE = 3_000
/** How long an outcome is kept at least: `maxRequestTime`. */
const OUTCOME_LIFETIME = 15 * 60_000
/** A request may have been let in at the last moment, by a clock that is behind, and then have had to wait. */
const UNDER_WAY = 10 * LEASE

/** Now and then a pause in which cycles and sessions expire. */
const after = fc.oneof(
  { weight: 12, arbitrary: fc.nat(10) },
  { weight: 6, arbitrary: fc.nat(400) },
  { weight: 2, arbitrary: fc.nat(2 * LEASE) },
  { weight: 1, arbitrary: fc.integer({ min: LIFETIME - 5_000, max: LIFETIME + 5_000 }) },
  { weight: 1, arbitrary: fc.nat(400_000) },
)
const takes = fc.oneof(
  { weight: 3, arbitrary: fc.constant(0) },
  { weight: 3, arbitrary: fc.nat(300) },
  fc.nat(3 * LEASE),
)
const where = { after, on: fc.nat(2) }
const which = fc.nat(3)
/** The last one means: whose the cycle is. */
const visitor = fc.oneof({ weight: 12, arbitrary: fc.constant(3) }, fc.nat(2))
const ends = fc.oneof(
  { weight: 5, arbitrary: fc.constant('returns' as const) },
  fc.constantFrom('throws' as const, 'reopens' as const),
)

const everyday: fc.WeightedArbitrary<Deed>[] = [
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('begin' as const), visitor: fc.nat(1), blank: fc.boolean(), ...where }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('step' as const), visitor, cycle: which, ...where }) },
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('finish' as const),
      visitor,
      cycle: which,
      takes,
      lingers: takes,
      ends,
      ...where,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom('abandon' as const, 'load' as const), visitor, cycle: which, ...where }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom('sign-in' as const, 'sign-out' as const, 'renew' as const),
      visitor: fc.nat(1),
      ...where,
    }),
  },
]
const disasters: fc.WeightedArbitrary<Deed>[] = [
  { weight: 1, arbitrary: fc.record({ do: fc.constant('kill' as const), ...where }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('stop' as const), takes: fc.nat(3 * LEASE), ...where }) },
]

function plans(
  weather: Weather,
  deeds: fc.WeightedArbitrary<Deed>[],
  onDoubt: Plan['onDoubt'] = 'refuse',
): fc.Arbitrary<Plan> {
  const first: Deed = { do: 'begin', visitor: 0, blank: false, after: 0, on: 0 }
  return fc.record({
    deeds: fc.array(fc.oneof(...deeds), { minLength: 2, maxLength: 16 }).map((list) => [first, ...list]),
    weather: fc.constant(weather),
    seed: fc.nat(),
    onDoubt: fc.constant(onDoubt),
    skews: fc.tuple(fc.integer({ min: -500, max: 500 }), fc.integer({ min: -500, max: 500 })),
  })
}

/** All that must hold, whatever happened. */
function judge(story: Story): void {
  const { effects, submissions, probes, cycles, errors, unanswered } = story
  const answers = [...submissions, ...probes]
  for (const cycle of cycles) {
    const its = effects.filter((effect) => effect.cycle === cycle)
    // One name for all that a cycle does, and for nothing else.
    expect(new Set(its.map(({ key }) => key)).size).toBeLessThanOrEqual(1)
    if (story.retried && !story.calm) continue
    // Whoever is told of a doubt may look, and rely on it that nothing comes any more.
    const told = answers.find((one) => one.cycle === cycle && errorIn(one) === 'ERR_CYCLE_IN_DOUBT')
    for (const { begunAt } of its) expect(begunAt).toBeLessThanOrEqual(told?.answeredAt ?? Infinity)
    // Nothing happens twice, whoever dies; and only the one who ran it is not told that it is repeated.
    expect(its.length).toBeLessThanOrEqual(1)
    expect(answers.filter((one) => one.cycle === cycle && isFirst(one)).length).toBeLessThanOrEqual(1)
  }
  for (const effect of effects) judgeEffect(effect, story)
  for (const error of errors) expect(unexpected(error)).toBeUndefined()
  for (const answer of answers) judgeAnswer(answer, story)
  for (const probe of probes) judgeProbe(probe, story)
  expect(unanswered).toBe(0)
}

/**
 * Never with a token that was somebody else's, never on what was abandoned or had expired; with every step that was
 * confirmed, and none twice.
 */
function judgeEffect({ cycle, by, state, begunAt }: Effect, { retried }: Story): void {
  expect(by).toBe(cycle.visitor)
  expect(cycle.abandoned).toBe(false)
  // What was left in doubt may be brought to its end later.
  if (!retried) expect(begunAt).toBeLessThanOrEqual(cycle.knownAt + LIFETIME + UNDER_WAY)
  const steps = state?.steps ?? []
  expect(new Set(steps).size).toBe(steps.length)
  expect(steps).toEqual(expect.arrayContaining(cycle.stepsTaken))
}

/** A result is one that the cycle had; everything else is a typed error; and both come in bounded time. */
function judgeAnswer({ cycle, answer, foreign, lasted, takes: took }: Submission, { effects }: Story): void {
  if ('error' in answer) expect(unexpected(answer.error)).toBeUndefined()
  else {
    expect(foreign).toBe(false)
    const results = effects.filter((effect) => effect.cycle === cycle && !effect.threw).map(({ result }) => result)
    expect(results).toContain(answer.result)
  }
  // Patience, calls to the store that fail, and recording while the claim holds. Who stands still answers later.
  expect(lasted).toBeLessThan(20_000 + took + 3 * 3 * LEASE)
}

/** Once all is quiet nothing is stuck, and whoever lived to see the outcome has recorded it. */
function judgeProbe(probe: Submission, { effects, calm, dead, retried }: Story): void {
  const code = errorIn(probe)
  if (probe.foreign || code === 'ERR_CYCLE_ENDED' || code === 'ERR_CYCLE_FOREIGN') return
  expect(code).not.toBe('ERR_CYCLE_BUSY')
  if (calm || retried) expect(code).not.toBe('ERR_CYCLE_IN_DOUBT')
  const its = effects.filter(({ cycle }) => cycle === probe.cycle)
  if (its.length !== 1 || dead.has(its[0]!.server)) return
  if (probe.answeredAt - its[0]!.begunAt > OUTCOME_LIFETIME - LEASE) return
  if (its[0]!.threw) expect(code).toBe('ERR_CYCLE_FAILED')
  else expect(probe.answer).toMatchObject({ result: its[0]!.result })
}

function isFirst({ answer }: Submission): boolean {
  return 'result' in answer && !answer.repeated
}

function errorIn({ answer }: Submission): string | undefined {
  return 'error' in answer ? codeOf(answer.error) : undefined
}

const TYPED = new Set(['ERR_STORE_UNAVAILABLE', 'ERR_COMMIT_UNKNOWN', 'ERR_SESSION_ENDED', 'ERR_END_PENDING'])

/** What no application could know how to answer. */
function unexpected(error: unknown): unknown {
  const own = error instanceof RangeError && error.message === 'it went wrong'
  return error instanceof CycleError || own || TYPED.has(codeOf(error)) ? undefined : error
}

function codeOf(error: unknown): string {
  return (error as { code?: string }).code ?? String(error)
}

describe('I11: nothing is stuck, nothing happens twice, and duplicates get the first outcome', () => {
  const all = [...everyday, ...disasters]
  const weathers: readonly (readonly [string, fc.Arbitrary<Plan>])[] = [
    ['while all goes well', plans('calm', everyday)],
    ['while calls are slow and overtake each other', plans('slow', everyday)],
    ['while servers die and stand still', plans('calm', all)],
    ['while all of that comes together, and answers get lost', plans('stormy', all)],
    ['and nothing is left in doubt, where it may be run again', plans('stormy', all, 'retry')],
    ['and nothing is run again without need', plans('calm', everyday, 'retry')],
  ]

  it.each(weathers)(
    '%s',
    async (_, plan) => {
      await fc.assert(
        fc.asyncProperty(plan, async (one) => judge(await live(one))),
        { numRuns: RUNS },
      )
    },
    3_600_000,
  )
})

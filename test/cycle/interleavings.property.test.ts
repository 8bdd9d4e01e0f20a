/** I11 under everything that can come together: searched for, not thought out. */
import fc from 'fast-check'
import { CycleError } from 'holdfast/cycle'
import { describe, expect, it, vi } from 'vitest'

import {
  LIFETIME,
  live,
  type Deed,
  type Plan,
  type Run,
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
  const { effects, submissions, probes, cycles, runs, errors, unanswered } = story
  const answers = [...submissions, ...probes]
  for (const cycle of cycles) {
    const its = runs.filter((run) => run.cycle === cycle)
    // One name for all that a cycle does, and for nothing else.
    expect(new Set(its.map(({ key }) => key)).size).toBeLessThanOrEqual(1)
    for (const [at, run] of its.entries()) judgeRun(run, its[at + 1], story)
    if (mayRunTwice(story)) continue
    for (const [at, run] of its.entries()) judgeOnce(run, its.slice(0, at), answers)
    // Nothing happens twice, whoever dies; and only the one who ran it is not told that it is repeated.
    expect(effects.filter((effect) => effect.cycle === cycle).length).toBeLessThanOrEqual(1)
    expect(answers.filter((one) => one.cycle === cycle && isFirst(one)).length).toBeLessThanOrEqual(1)
  }
  for (const error of errors) expect(unexpected(error)).toBeUndefined()
  for (const answer of answers) judgeAnswer(answer, story)
  for (const probe of probes) judgeProbe(probe, story)
  expect(unanswered).toBe(0)
}

/** Whether another server may take a final step over from one that still runs it. */
function mayRunTwice({ retried, calm }: Story): boolean {
  return retried && !calm
}

/**
 * Never with a token that was somebody else's, never on what was abandoned or had expired; with every step that was
 * confirmed, and none twice. Nothing can be confirmed before it has said that nothing happened, or before the next one
 * began, to which the cycle was left in doubt: so what was known then counts, and not only what was known when it began.
 */
function judgeRun(run: Run, next: Run | undefined, { retried }: Story): void {
  const { cycle, by, state, begunAt } = run
  const { stepsTaken, abandoned } = run.reopened ? run : (next ?? cycle)
  expect(by).toBe(cycle.visitor)
  expect(abandoned).toBe(false)
  // What was left in doubt may be brought to its end later.
  if (!retried) expect(begunAt).toBeLessThanOrEqual(cycle.knownAt + LIFETIME + UNDER_WAY)
  const steps = state?.steps ?? []
  expect(new Set(steps).size).toBe(steps.length)
  expect(steps).toEqual(expect.arrayContaining([...stepsTaken]))
}

/** None begins while another may have done something. */
function judgeOnce(run: Run, before: readonly Run[], answers: readonly Submission[]): void {
  for (const { reopened } of before) expect(reopened).toBe(true)
  // Whoever is told of a doubt may look, and rely on it that nothing begins any more, unless the one who ran it says that
  // nothing happened.
  const told = answers.filter((one) => one.cycle === run.cycle && errorIn(one) === 'ERR_CYCLE_IN_DOUBT')
  for (const { answeredAt: toldAt, lasted } of told) {
    if (run.begunAt <= toldAt) continue
    expect(before.some(({ begunAt, answeredAt }) => begunAt <= toldAt && answeredAt >= toldAt - lasted)).toBe(true)
  }
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
function judgeProbe(probe: Submission, { effects, runs, calm, dead, retried }: Story): void {
  const code = errorIn(probe)
  if (probe.foreign || code === 'ERR_CYCLE_ENDED' || code === 'ERR_CYCLE_FOREIGN') return
  expect(code).not.toBe('ERR_CYCLE_BUSY')
  if (calm || retried) expect(code).not.toBe('ERR_CYCLE_IN_DOUBT')
  // Where it was taken over, the outcome is that of whoever ran it last, or that nothing happened.
  const last = runs.findLast(({ cycle }) => cycle === probe.cycle)
  const effect = effects.find(({ run }) => run === last)
  if (last === undefined || effect === undefined || dead.has(last.server)) return
  if (probe.answeredAt - last.begunAt > OUTCOME_LIFETIME - LEASE) return
  if (effect.threw) expect(code).toBe('ERR_CYCLE_FAILED')
  else expect(probe.answer).toMatchObject({ result: effect.result })
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

  it.each(['step', 'abandon'] as const)(
    'the last attempt speaks for all: the one before may come to its effect after it (%s)',
    async (deed) => {
      const final = { do: 'finish', visitor: 3, cycle: 0, lingers: 0 } as const
      const story = await live({
        deeds: [
          { do: 'begin', visitor: 0, blank: false, after: 0, on: 0 },
          { ...final, takes: 100, ends: 'returns', after: 100, on: 0 },
          { do: 'stop', takes: 9_000, after: 50, on: 0 },
          { ...final, takes: 0, ends: 'reopens', after: 5_000, on: 1 },
          { do: deed, visitor: 3, cycle: 0, after: 100, on: 1 },
        ],
        weather: 'calm',
        seed: 1,
        onDoubt: 'retry',
        skews: [0, 0],
      })
      expect(story.errors).toEqual([])
      expect(story.runs.slice(0, 2).map(({ reopened }) => reopened)).toEqual([false, true])
      expect(story.effects[0]?.run).toBe(story.runs[0])
      judge(story)
    },
  )

  it('in a simulation that goes the same way again, to the last byte, so that what it found can be found again', async () => {
    await fc.assert(
      fc.asyncProperty(plans('stormy', all), async (one) => {
        expect(await live(one)).toEqual(await live(one))
      }),
      { numRuns: Math.ceil(RUNS / 10) },
    )
  }, 3_600_000)
})

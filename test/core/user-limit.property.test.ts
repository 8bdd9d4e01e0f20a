/** `maxPerUser` is kept whatever several servers do at once: in whichever order their calls reach the store and are answered. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { LimitError } from '../../src/errors.ts'
import { crowdingDeed, programOf, USERS, UsersWorld, type Deed, type Done, type Phase } from '../support/users-world.ts'

const RUNS = 400

const most = fc.integer({ min: 1, max: 3 })

/** Every browser is that of a guest at first, so that what one of them sends at the same time concerns one visit. */
const GUESTS: Phase = {
  lanes: [0, 1, 2, 3, 4].map((browser) => [{ server: 0, does: 'change' as const, browser }]),
  rest: 0,
}

/** Follows the program, and looks after each of its phases. */
async function follow(world: UsersWorld, phases: readonly Phase[], look: () => Promise<void>): Promise<void> {
  try {
    await world.follow([GUESTS])
    for (const phase of phases) {
      await world.follow([phase])
      await look()
    }
  } finally {
    await world.close()
  }
}

function isSignIn({ deed }: Done, user: string): boolean {
  return deed.does === 'sign-in' && deed.user === user
}

/** Whether this may have ended the session of a browser, the limit aside. */
function mayEnd({ deed, handle }: Done, browser: number, own: string): boolean {
  if (deed.does === 'revoke') return handle === own
  return (deed.does === 'sign-in' || deed.does === 'sign-out') && deed.browser === browser
}

/** Each of some browsers signs the same user in, all at the same time. */
const rush: fc.Arbitrary<Deed[]> = fc
  .array(fc.nat(2), { minLength: 1, maxLength: 5 })
  .map((servers) => servers.map((server, browser) => ({ server, does: 'sign-in', browser, user: 'ada' })))

describe("maxPerUser with 'end-oldest'", () => {
  it(
    'never leaves more sessions than it allows, and ends none that is among the newest (I12)',
    () =>
      fc.assert(
        fc.asyncProperty(programOf(crowdingDeed), most, fc.integer(), async (phases, allowed, seed) => {
          const world = new UsersWorld(seed, { maxPerUser: allowed })
          await follow(world, phases, async () => {
            for (const user of USERS) {
              const alive = await world.alive(user)
              expect(alive.length).toBeLessThanOrEqual(allowed)
              for (const entered of world.signIns.filter(({ signIn }) => signIn.user === user)) {
                const later = world.done.filter((one) => one !== entered && one.ended > entered.begun)
                const newer = later.filter((one) => isSignIn(one, user)).length
                const { browser, handle } = entered.signIn
                if (newer >= allowed || later.some((one) => mayEnd(one, browser, handle))) continue
                expect({ entered, lives: world.has(alive, entered.signIn) }).toMatchObject({ lives: true })
              }
            }
          })
        }),
        { numRuns: RUNS },
      ),
    300_000,
  )

  it(
    'lets everybody in who signs in at the same time, and the newest stay',
    () =>
      fc.assert(
        fc.asyncProperty(rush, most, fc.integer(), async (deeds, allowed, seed) => {
          const world = new UsersWorld(seed, { maxPerUser: allowed })
          await follow(world, [{ lanes: deeds.map((deed) => [deed]), rest: 0 }], async () => {
            const alive = await world.alive('ada')
            expect(alive).toHaveLength(Math.min(allowed, deeds.length))
            expect((await world.servers[0]!.list('ada')).length).toBe(alive.length)
          })
        }),
        { numRuns: RUNS },
      ),
    300_000,
  )
})

describe("maxPerUser with 'refuse'", () => {
  it(
    'never lets more sessions in than it allows, and refuses nobody while there is room (I12)',
    () =>
      fc.assert(
        fc.asyncProperty(programOf(crowdingDeed), most, fc.integer(), async (phases, allowed, seed) => {
          const world = new UsersWorld(seed, { maxPerUser: { most: allowed, then: 'refuse' } })
          await follow(world, phases, async () => {
            for (const user of USERS) expect((await world.alive(user)).length).toBeLessThanOrEqual(allowed)
          })
          for (const refused of world.done) {
            const { deed, error } = refused
            if (deed.does !== 'sign-in' || !(error instanceof LimitError)) continue
            const others = world.done.filter(
              (one) => one !== refused && isSignIn(one, deed.user) && one.begun < refused.ended,
            )
            // Who was refused before is no reason any more.
            const occupying = others.filter((one) => one.error === undefined || one.ended > refused.begun)
            expect(occupying.length).toBeGreaterThanOrEqual(allowed)
          }
        }),
        { numRuns: RUNS },
      ),
    300_000,
  )

  it(
    'lets exactly so many in of those who come at the same time, and of the others nothing is left',
    () =>
      fc.assert(
        fc.asyncProperty(rush, most, fc.integer(), async (deeds, allowed, seed) => {
          const world = new UsersWorld(seed, { maxPerUser: { most: allowed, then: 'refuse' } })
          await follow(world, [{ lanes: deeds.map((deed) => [deed]), rest: 0 }], async () => {
            const alive = await world.alive('ada')
            expect(alive).toHaveLength(Math.min(allowed, deeds.length))
            const { entries } = await world.store.roll('ada')
            expect(entries.map(({ selector }) => selector).toSorted()).toEqual(
              alive.map(({ selector }) => selector).toSorted(),
            )
            const errors = world.done.flatMap(({ error }) => error ?? [])
            expect(errors).toHaveLength(Math.max(0, deeds.length - allowed))
            for (const error of errors) expect(error).toMatchObject({ limit: 'maxPerUser', status: 409 })
          })
        }),
        { numRuns: RUNS },
      ),
    300_000,
  )
})

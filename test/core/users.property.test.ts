/** The index of a user's sessions stays exact, whatever several servers do at once: in whichever order their calls reach the store and are answered. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { isBarred } from '../../src/core/expiry.ts'
import { anyDeed, programOf, USERS, UsersWorld, type Done, type SignIn } from '../support/users-world.ts'

const RUNS = 1_000

type Entered = Done & { readonly signIn: SignIn }

/** Whether this may have ended the session, given that it was not over before the session began. `barred`: up to when its user was revoked. */
function mayEnd({ deed, handle }: Done, { signIn }: Entered, all: readonly Done[], barred: number): boolean {
  if (deed.does === 'revoke-all') return true
  if (deed.does === 'revoke-user')
    return deed.user === signIn.user && signIn.signedInAt <= barred && !spares(handle, signIn, all)
  if (deed.does === 'revoke') return handle === signIn.handle
  if (deed.does === 'sign-out-everywhere') return deed.browser === signIn.browser || signIn.signedInAt <= barred
  return (deed.does === 'sign-in' || deed.does === 'sign-out') && deed.browser === signIn.browser
}

/** Whether a session is spared for certain: a rise in privilege gives it another handle. */
function spares(handle: string | undefined, signIn: SignIn, all: readonly Done[]): boolean {
  return handle === signIn.handle && !all.some(({ deed }) => deed.does === 'raise' && deed.browser === signIn.browser)
}

/** Whether this has ended the session for certain: it came after the sign-in was answered. */
function mustEnd({ deed, handle, error, revoked }: Done, { signIn }: Entered): boolean {
  if (error !== undefined) return false
  if (deed.does === 'revoke-all') return true
  if (deed.does === 'revoke-user') return deed.user === signIn.user && handle !== signIn.handle
  if (deed.does === 'revoke') return revoked === true && handle === signIn.handle
  return (deed.does === 'sign-out' || deed.does === 'sign-out-everywhere') && handle === signIn.handle
}

async function judge(world: UsersWorld): Promise<void> {
  const { done, signIns } = world
  for (const user of USERS) {
    const alive = await world.alive(user)
    const { notBefore } = await world.store.roll(user)
    expect(alive.filter(({ record }) => isBarred(record, notBefore))).toEqual([])
    const handles = alive.map(({ handle }) => handle).toSorted()
    for (const server of world.servers) {
      const listed = (await server.list(user)).map(({ handle }) => handle)
      expect(listed.toSorted(), `the list of ${user}`).toEqual(handles)
    }
    for (const entered of signIns.filter(({ signIn }) => signIn.user === user)) {
      const lives = world.has(alive, entered.signIn)
      const ended = done.find((one) => one.begun > entered.ended && mustEnd(one, entered))
      if (ended !== undefined) expect({ lives, ended: ended.deed, entered }).toMatchObject({ lives: false })
      const doubt = done.some(
        (one) => one !== entered && one.ended > entered.begun && mayEnd(one, entered, done, notBefore),
      )
      if (!doubt) expect({ lives, entered }).toMatchObject({ lives: true })
    }
    for (const { deed, listed, begun, ended } of done) {
      if (deed.does !== 'list' || deed.user !== user || listed === undefined) continue
      for (const entered of signIns.filter(({ signIn, ended: at }) => signIn.user === user && at < begun)) {
        const doubt = done.some(
          (one) =>
            one !== entered &&
            one.ended > entered.begun &&
            one.begun < ended &&
            (mayEnd(one, entered, done, notBefore) ||
              (one.deed.does === 'raise' && one.deed.browser === entered.signIn.browser)),
        )
        if (!doubt) expect(listed).toContain(entered.signIn.handle)
      }
    }
  }
}

describe('the sessions of users', () => {
  it('are listed as they are, and revoked as was asked, in every order (I3, I12)', async () => {
    await fc.assert(
      fc.asyncProperty(programOf(anyDeed), fc.integer(), async (phases, seed) => {
        const world = new UsersWorld(seed, {})
        try {
          await world.follow(phases)
          await judge(world)
        } finally {
          await world.close()
        }
      }),
      { numRuns: RUNS },
    )
  }, 300_000)
})

/** I3: once a sign-out was answered, nothing in flight brings the session back. */
import { setTimeout as pause } from 'node:timers/promises'

import { inLanes, jsonOf, signedIn, tallyOf, who, type Race } from './race.ts'
import type { Site } from '../site.ts'

const IN_FLIGHT = 80
const PAUSE = 25

/** A request that changes the session is in flight on one server while the visitor signs out on the other. */
export const signOutInFlight: Race = raceOf('signed out while a request is in flight elsewhere', (slow) => 1 - slow)

/** The same, both on one server: what a store that knows no comparing can be helped with. */
export const signOutBeside: Race = raceOf('signed out while a request is in flight on the same server', (slow) => slow)

/** `other`: where the visitor signs out, by where the request is in flight. */
function raceOf(name: string, other: (slow: number) => number): Race {
  return {
    name,
    wrong: 'alive again',
    options: {},
    run: async (site, size) => {
      const rounds = size === 'full' ? 50 : 8
      const results = await inLanes(rounds, 10, (round) => revive(site, round, other))
      return tallyOf(rounds, results)
    },
  }
}

async function revive(site: Site, round: number, other: (slow: number) => number): Promise<string | undefined> {
  const slow = round % 2
  const browser = await signedIn(site, `leaver${round}`, slow)
  const kept = browser.copy()
  const inFlight = browser.send(slow, 'POST', `/last?last=slow&wait=${IN_FLIGHT}`, { form: {} })
  await pause(PAUSE)
  jsonOf(await browser.post(other(slow), '/sign-out'))
  browser.take(await inFlight)
  for (const server of [0, 1]) {
    if ((await who(browser, server)).user !== null) return `round ${round}: the browser is signed in again`
    if ((await who(kept.copy(), server)).user !== null) return `round ${round}: the cookie of before is signed in again`
  }
  return undefined
}

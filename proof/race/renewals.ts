/** I4: renewing the id logs nobody out, in whatever order the answers arrive. */
import { setTimeout as pause } from 'node:timers/promises'

import { applied, type Answer, type Browser } from '../browser.ts'
import type { Site } from '../site.ts'
import {
  inLanes,
  permutations,
  SHORT_GRACE,
  signedInBefore,
  tallyOf,
  upTo,
  who,
  WITH_SHORT_GRACE,
  type Race,
} from './race.ts'

const AT_ONCE = 3
/** Between the departures of the three: as three tabs would be restored. */
const APART = 3
/** Between the handlers of the three, so that the later ones find the renewal of the first already made. */
const STEP = 15

/** What both races are alike in. */
const RENEWING = {
  wrong: 'logged out',
  options: WITH_SHORT_GRACE,
  unlike: 'Its regenerate() empties the session; the application carries the data over.',
} satisfies Partial<Race>

/** Three parallel requests that each renew the id; each of the three answers must leave its browser signed in. */
export const parallelRenewals: Race = {
  ...RENEWING,
  name: 'three renewals of the id in parallel',
  run: async (site, size) => {
    const rounds = size === 'full' ? 50 : 8
    const results = await inLanes(rounds, 25, (round) => renewAtOnce(site, round))
    return tallyOf(rounds * AT_ONCE, results.flat())
  },
}

async function renewAtOnce(site: Site, round: number): Promise<string[]> {
  const user = `renewer${round}`
  const browser = await signedInBefore(site, user)
  const answers = await Promise.all(upTo(AT_ONCE).map((at) => pause(at * APART).then(() => renew(browser, at % 2))))
  const out: string[] = []
  for (const [at, answer] of answers.entries()) {
    const holder = browser.copy()
    holder.take(answer)
    const asked = answer.status === 200 ? await who(holder, at % 2) : undefined
    if (asked?.user !== user)
      out.push(`round ${round}: answer ${at} (${answer.status}) left ${asked?.user ?? 'nobody'} signed in`)
    else if (!isRenewed(browser, answer)) out.push(`round ${round}: answer ${at} renewed nothing`)
  }
  return out
}

/** Three renewals in one jar, their answers applied in each of the six orders; asked at once and again after the grace time. */
export const renewalOrders: Race = {
  ...RENEWING,
  name: 'three renewals, answers in every order, then the grace time',
  run: async (site, size) => {
    const orders = permutations(upTo(AT_ONCE))
    const rounds = orders.length * (size === 'full' ? 4 : 1)
    const results = await inLanes(rounds, 12, (round) =>
      renewInOrder(site, orders[round % orders.length] as number[], round),
    )
    return tallyOf(rounds, results)
  },
}

async function renewInOrder(site: Site, order: readonly number[], round: number): Promise<string | undefined> {
  const user = `order${round}`
  const name = `order ${order.join('')}`
  const browser = await signedInBefore(site, user)
  const isSignedIn = async (server: number): Promise<boolean> => (await who(browser, server)).user === user
  const answers = await Promise.all(upTo(AT_ONCE).map((at) => renew(browser, at % 2, at * STEP)))
  if (!answers.some((answer) => isRenewed(browser, answer))) return `${name}: nothing was renewed`
  for (const at of order) {
    browser.take(answers[at] as Answer)
    if (!(await isSignedIn(at % 2))) return `${name}: nobody signed in after answer ${at}`
  }
  await pause(SHORT_GRACE + 500)
  for (const server of [0, 1]) {
    if (!(await isSignedIn(server))) return `${name}: nobody signed in after the grace time`
  }
  const again = await renew(browser, 0)
  if (!isRenewed(browser, again)) return `${name}: nothing was renewed after the grace time`
  browser.take(again)
  return (await isSignedIn(1)) ? undefined : `${name}: a renewal after the grace time logged out`
}

/** Asks for a renewal, and leaves its answer's cookies alone. `wait`: milliseconds that the handler takes before it. */
function renew(browser: Browser, server: number, wait = 0): Promise<Answer> {
  return browser.send(server, 'POST', `/renew?wait=${wait}`, { form: {} })
}

/** Whether the answer brought an id that the browser did not have. */
function isRenewed(browser: Browser, answer: Answer): boolean {
  return [...applied(browser.cookies, answer.setCookies)].some(([name, value]) => browser.cookies.get(name) !== value)
}

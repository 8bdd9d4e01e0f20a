/** I4: renewing the id logs nobody out, in whatever order the answers arrive. */
import { applied, type Answer, type Browser } from '../browser.ts'
import type { Site } from '../site.ts'
import {
  grownOld,
  inLanes,
  permutations,
  SHORT_GRACE,
  signedIn,
  tallyOf,
  upTo,
  who,
  WITH_SHORT_GRACE,
  type Race,
} from './race.ts'

const AT_ONCE = 3
/** Between the departures of the three: as three tabs would be restored. */
const APART = 3
const CARRIED_OVER = 'Its regenerate() empties the session; the application carries the data over.'

/** Three parallel requests that each renew the id; each of the three answers must leave its browser signed in. */
export const parallelRenewals: Race = {
  name: 'three renewals of the id in parallel',
  wrong: 'logged out',
  options: WITH_SHORT_GRACE,
  unlike: CARRIED_OVER,
  run: async (site, size) => {
    const rounds = size === 'full' ? 50 : 8
    const results = await inLanes(rounds, 25, (round) => renewAtOnce(site, round))
    return tallyOf(rounds * AT_ONCE, results.flat())
  },
}

async function renewAtOnce(site: Site, round: number): Promise<string[]> {
  const user = `renewer${round}`
  const browser = await signedIn(site, user)
  await grownOld()
  const answers = await Promise.all(upTo(AT_ONCE).map((at) => renewLater(browser, at)))
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

async function renewLater(browser: Browser, at: number): Promise<Answer> {
  await new Promise((resolve) => setTimeout(resolve, at * APART))
  return browser.send(at % 2, 'POST', '/renew', { form: {} })
}

/** Whether the answer brought an id that the browser did not have. */
function isRenewed(browser: Browser, answer: Answer): boolean {
  return [...applied(browser.cookies, answer.setCookies)].some(([name, value]) => browser.cookies.get(name) !== value)
}

/** Three renewals in one jar, their answers applied in each of the six orders; asked at once and again after the grace time. */
export const renewalOrders: Race = {
  name: 'three renewals, answers in every order, then the grace time',
  wrong: 'logged out',
  options: WITH_SHORT_GRACE,
  unlike: CARRIED_OVER,
  run: async (site, size) => {
    const orders = permutations(upTo(AT_ONCE))
    const repeats = size === 'full' ? 4 : 1
    const results = await inLanes(orders.length * repeats, 12, (round) =>
      renewInOrder(site, orders[round % orders.length] as number[], round),
    )
    return tallyOf(
      orders.length * repeats,
      results.filter((result) => result !== undefined),
    )
  },
}

async function renewInOrder(site: Site, order: readonly number[], round: number): Promise<string | undefined> {
  const user = `order${round}`
  const name = `order ${order.join('')}`
  const browser = await signedIn(site, user)
  await grownOld()
  // Staggered, so that the later ones find the renewal of the first already made.
  const answers = await Promise.all(
    upTo(AT_ONCE).map((at) => browser.send(at % 2, 'POST', `/renew?wait=${at * 15}`, { form: {} })),
  )
  if (!answers.some((answer) => isRenewed(browser, answer))) return `${name}: nothing was renewed`
  for (const at of order) {
    browser.take(answers[at] as Answer)
    if ((await who(browser, at % 2)).user !== user) return `${name}: nobody signed in after answer ${at}`
  }
  await new Promise((resolve) => setTimeout(resolve, SHORT_GRACE + 500))
  for (const server of [0, 1]) {
    if ((await who(browser, server)).user !== user) return `${name}: nobody signed in after the grace time`
  }
  const again = await browser.send(0, 'POST', '/renew', { form: {} })
  if (!isRenewed(browser, again)) return `${name}: nothing was renewed after the grace time`
  browser.take(again)
  return (await who(browser, 1)).user === user ? undefined : `${name}: a renewal after the grace time logged out`
}

/** I4: renewing the id logs nobody out, in whatever order the answers arrive. */
import { inLanes, jsonOf, permutations, signedIn, tallyOf, upTo, who, type Race } from './race.ts'
import type { Site } from '../site.ts'

const AT_ONCE = 3
const SHORT_GRACE = 1_500
/** Between the departures of the three: as three tabs would be restored. */
const APART = 3
const CARRIED_OVER = 'Its regenerate() empties the session; the application carries the data over.'

/** Three parallel requests that each renew the id; each of the three answers must leave its browser signed in. */
export const parallelRenewals: Race = {
  name: 'three renewals of the id in parallel',
  wrong: 'logged out',
  options: {},
  unlike: CARRIED_OVER,
  run: async (site, size) => {
    const rounds = size === 'full' ? 50 : 8
    const results = await inLanes(rounds, 5, (round) => renewAtOnce(site, round))
    return tallyOf(rounds * AT_ONCE, results.flat())
  },
}

async function renewAtOnce(site: Site, round: number): Promise<string[]> {
  const user = `renewer${round}`
  const browser = await signedIn(site, user)
  const answers = await Promise.all(
    upTo(AT_ONCE).map(async (at) => {
      await new Promise((resolve) => setTimeout(resolve, at * APART))
      return browser.send(at % 2, 'POST', '/renew', { form: {} })
    }),
  )
  const out: string[] = []
  for (const [at, answer] of answers.entries()) {
    const holder = browser.copy()
    holder.take(answer)
    const asked = answer.status === 200 ? await who(holder, at % 2) : undefined
    if (asked?.user !== user) out.push(`round ${round}: answer ${at} (${answer.status}) left ${asked?.user ?? 'nobody'} signed in`)
  }
  return out
}

/** Three renewals in one jar, their answers applied in each of the six orders; asked at once and again after the grace time. */
export const renewalOrders: Race = {
  name: 'three renewals, answers in every order, then the grace time',
  wrong: 'logged out',
  options: { graceTimeout: `${SHORT_GRACE}ms` },
  unlike: CARRIED_OVER,
  run: async (site, size) => {
    const orders = permutations(upTo(AT_ONCE))
    const repeats = size === 'full' ? 4 : 1
    const results = await inLanes(orders.length * repeats, 12, (round) => renewInOrder(site, orders[round % orders.length] as number[], round))
    return tallyOf(orders.length * repeats, results.filter((result) => result !== undefined))
  },
}

async function renewInOrder(site: Site, order: readonly number[], round: number): Promise<string | undefined> {
  const user = `order${round}`
  const browser = await signedIn(site, user)
  // Staggered, so that the later ones find the renewal of the first already made.
  const answers = await Promise.all(upTo(AT_ONCE).map((at) => browser.send(at % 2, 'POST', `/renew?wait=${at * 15}`, { form: {} })))
  for (const at of order) {
    const answer = answers[at]
    if (answer !== undefined) browser.take(answer)
    const asked = await who(browser, at % 2)
    if (asked.user !== user) return `order ${order.join('')}: nobody signed in after answer ${at}`
  }
  await new Promise((resolve) => setTimeout(resolve, SHORT_GRACE + 500))
  for (const server of [0, 1]) {
    if ((await who(browser, server)).user !== user) return `order ${order.join('')}: nobody signed in after the grace time`
  }
  jsonOf(await browser.post(0, '/renew'))
  return (await who(browser, 1)).user === user ? undefined : `order ${order.join('')}: a renewal after the grace time logged out`
}

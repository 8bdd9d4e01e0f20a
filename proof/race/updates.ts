/** I2: changes made at the same time on two servers all survive. */
import { jsonOf, signedIn, tallyOf, upTo, who, type Race, type Size, type Tally } from './race.ts'
import type { Site } from '../site.ts'

const PARALLEL = 20
/** The handler's own work between loading and changing: what a query to a database takes. */
const WORK = 5

function roundsOf(size: Size): number {
  return size === 'full' ? 20 : 3
}

/** 20 parallel requests of one browser, alternating between the servers, each adding a key under the same object. */
export const parallelKeys: Race = {
  name: 'keys added in parallel under one object',
  wrong: 'lost',
  options: {},
  run: async (site, size) => {
    const rounds = roundsOf(size)
    const lost: string[] = []
    for (const round of upTo(rounds)) {
      const browser = await signedIn(site, `adder${round}`)
      const adding = upTo(PARALLEL).map((key) =>
        browser.send(key % 2, 'POST', `/key?key=k${key}&wait=${WORK}`, { form: {} }),
      )
      for (const answer of await Promise.all(adding)) jsonOf(browser.take(answer))
      const { keys = {} } = await who(browser, round % 2)
      for (const key of upTo(PARALLEL))
        if (keys[`k${key}`] !== true) lost.push(`round ${round}: k${key} was acknowledged and is gone`)
    }
    return tallyOf(rounds * PARALLEL, lost)
  },
}

/** 20 × 20 parallel exact increments of one number. */
export const parallelIncrements: Race = {
  name: 'increments in parallel of one number',
  wrong: 'miscounted',
  options: {},
  unlike: 'It has no exact read-modify-write; counted with a plain count += 1.',
  run: countAll,
}

async function countAll(site: Site, size: Size): Promise<Tally> {
  const rounds = roundsOf(size)
  const browser = await signedIn(site, 'counter')
  for (const _round of upTo(rounds)) {
    const counting = upTo(PARALLEL).map((at) => browser.send(at % 2, 'POST', `/count?wait=${WORK}`, { form: {} }))
    for (const answer of await Promise.all(counting)) jsonOf(browser.take(answer))
  }
  const of = rounds * PARALLEL
  const counts = [(await who(browser, 0)).count ?? 0, (await who(browser, 1)).count ?? 0]
  const wrong = Math.max(...counts.map((count) => Math.abs(of - count)))
  const note = `counted ${counts.join(' and ')} of ${of}`
  return wrong === 0 ? { wrong, of } : { wrong, of, note }
}

/** Histories by chance, of a shop that keeps every rule, or of one that has a flaw. */
import type { FaultMark, History, Operation } from '../../../../proof/history/history.ts'
import { chance } from '../../../../proof/visitors/random.ts'
import { GRACE, planned, type Planned, STALENESS } from './planned.ts'
import { type Flaw, type Jar, NO_COOKIES, type Said, Shop } from './shop.ts'

export interface ModelOptions {
  readonly seed: number
  /** Two and two are one user. */
  readonly browsers: number
  readonly visits: number
  /** Connections break, and nobody knows what became of the request. */
  readonly breaks?: boolean
  /** The store goes back to what it was a while ago, now and then. */
  readonly forgets?: boolean
  readonly flaw?: Flaw
}

interface Moment {
  readonly at: number
  readonly happen: () => void
}

const FORGETS_EVERY = 3_000
const FORGETS_MOST = 1_500

export function historyOf({ seed, browsers, visits, breaks = false, forgets = false, flaw }: ModelOptions): History {
  const random = chance(seed)
  const sent = planned({ chance: random, browsers, visits, breaks }).toSorted((one, other) => one.began - other.began)
  const shop = new Shop(flaw)
  const answers = new Answers(shop, sent)
  const end = sent.reduce((latest, { ended }) => Math.max(latest, ended), 0)
  const faults: FaultMark[] = breaks ? [{ name: 'connections break', sort: 'server', began: 0, ended: end }] : []
  const moments: Moment[] = sent.flatMap((one) => answers.moments(one))
  for (let at = FORGETS_EVERY; at < (forgets ? end : 0); at += FORGETS_EVERY) {
    const since = at - random.next() * FORGETS_MOST
    moments.push({ at, happen: () => shop.forget(at, since) })
    faults.push({ name: `forgets at ${at}`, sort: 'forgets', began: at - 1, ended: at + 1 })
  }
  for (const { happen } of moments.toSorted((one, other) => one.at - other.at)) happen()
  return {
    run: {
      scenario: 'model',
      target: 'holdfast',
      store: 'redis',
      durability: 'primary',
      seed,
      seconds: end / 1_000,
      servers: ['A', 'B'],
      promises: { grace: GRACE, staleness: STALENESS, answer: 3_000 },
      versions: {},
    },
    operations: sent.map((one, id) => answers.operation(one, id)),
    faults,
    events: [],
    effects: shop.effects,
  }
}

class Answers {
  readonly #shop: Shop
  readonly #jars = new Map<string, Jar>()
  readonly #sentWith = new Map<Planned, Jar>()
  readonly #said = new Map<Planned, Said>()
  readonly #places: ReadonlyMap<Planned, number>

  constructor(shop: Shop, sent: readonly Planned[]) {
    this.#shop = shop
    this.#places = new Map(sent.map((one, place) => [one, place]))
  }

  moments(one: Planned): Moment[] {
    const { began, effect, ended, broken, cookiesOf, browser } = one
    const send = (): void => {
      const jar = cookiesOf === undefined ? this.#jars.get(browser) : this.#sentWith.get(cookiesOf)
      this.#sentWith.set(one, jar ?? NO_COOKIES)
    }
    const carryOut = (): void =>
      void this.#said.set(one, this.#shop.carryOut(one, this.#sentWith.get(one) ?? NO_COOKIES))
    const take = (): void => {
      const jar = this.#said.get(one)?.jar
      if (jar !== undefined && one.kind !== 'replay') this.#jars.set(browser, jar)
    }
    return [
      { at: began, happen: send },
      ...(broken === 'before' ? [] : [{ at: effect, happen: carryOut }]),
      ...(broken === undefined ? [{ at: ended, happen: take }] : []),
    ]
  }

  operation(one: Planned, id: number): Operation {
    const { kind, asked, browser, visit, began, ended, broken, of, server } = one
    const begun = { id, kind, asked: of === undefined ? asked : { ...asked, of: this.#places.get(of) } }
    const { jar: _, ...said } = this.#said.get(one) ?? {}
    const outcome = broken === undefined ? { ...said, server: `${server}#1` } : { status: 0, outcome: 'unknown' }
    return { ...begun, browser, visit, began, ended, ...outcome } as Operation
  }
}

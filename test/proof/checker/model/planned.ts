/** What visitors of the model do, and when: all of it is settled before the first request. */
import type { AskedBy, Kind } from '../../../../proof/history/history.ts'
import type { Chance } from '../../../../proof/visitors/random.ts'

/** A request: sent, carried out at some moment, answered. */
export interface Planned {
  readonly kind: Kind
  readonly asked: AskedBy[Kind]
  readonly browser: string
  readonly visit: string
  readonly began: number
  /** When the server has it: of a broken connection, it may be later than the end. */
  readonly effect: number
  readonly ended: number
  /** The connection broke: before the server had it, or after. */
  readonly broken?: 'before' | 'after'
  /** Instead of the jar's cookies, those with which this one was sent. */
  readonly cookiesOf?: Planned
  /** Of a replay: what came before it. */
  readonly of?: Planned
  /** How old a state it is shown where it may be old: from 0, the oldest, to 1. */
  readonly freshness: number
  readonly server: 'A' | 'B'
}

export interface Plan {
  readonly chance: Chance
  /** Each is a browser; two and two are one user. */
  readonly browsers: number
  readonly visits: number
  /** Whether connections break. */
  readonly breaks: boolean
}

export const GRACE = 2_000
export const STALENESS = 1_000
const TAKES_MOST = 80

export function planned(plan: Plan): Planned[] {
  return Array.from({ length: plan.browsers }, (_, at) => new Planning(plan, at).planned).flat()
}

class Planning {
  readonly planned: Planned[] = []
  readonly #plan: Plan
  readonly #browser: string
  readonly #user: string
  #now: number
  #visits = 0
  #visit = ''
  #names = 0

  constructor(plan: Plan, at: number) {
    this.#plan = plan
    this.#browser = `v${at}`
    this.#user = `u${at >> 1}`
    this.#now = plan.chance.next() * 100
    for (let visit = 0; visit < plan.visits; visit++) this.#goThrough()
  }

  #goThrough(): void {
    const guest = this.#nextVisit()
    this.#inTurn(this.#below(3), () => this.#add())
    this.#signIn(guest)
    this.#inTurn(2 + this.#below(8), () => this.#act())
    this.#signOut()
  }

  #act(): void {
    this.#plan.chance.pick<() => void>([
      [3, () => void this.#alone('read', {})],
      [3, () => this.#atOnce(() => this.#add())],
      [3, () => this.#atOnce(() => this.#send('count', {}))],
      [2, () => this.#atOnce(() => (this.#below(2) === 0 ? this.#add() : this.#send('read', {})))],
      [2, () => void this.#alone('mark', { mark: ++this.#names })],
      [1, () => void this.#alone('submit', { form: 'genuine' })],
      [1, () => void this.#alone('submit', { form: 'from another site' })],
      [1, () => this.#buy()],
    ])()
  }

  #signIn(guest: string): void {
    for (let from: string | undefined = guest; ; from = undefined) {
      this.#nextVisit()
      const signIn = this.#alone('sign-in', { user: this.#user, ...(from !== undefined && { from }) })
      if (signIn.broken !== undefined) continue
      if (this.#below(2) === 0) this.#replay(signIn, 'signed in')
      if (this.#below(2) === 0) this.#renew()
      return
    }
  }

  #renew(): void {
    const renewal = this.#alone('renew', {})
    if (renewal.broken !== undefined) return
    this.#alone('read', {})
    if (this.#below(2) === 0) this.#replay(renewal, 'renewed')
    if (this.#below(2) === 0) return
    this.#now += GRACE + STALENESS + 1_000
    this.#replay(renewal, 'renewed')
  }

  #signOut(): void {
    const asked = { user: this.#user, everywhere: this.#below(4) === 0 }
    const first = this.#alone('sign-out', asked)
    for (let last = first; last.broken !== undefined;) last = this.#alone('sign-out', asked, { cookiesOf: first })
    this.#replay(first, 'ended')
    this.#now += this.#below(2) * 1.2 * STALENESS
    this.#replay(first, 'ended')
  }

  #buy(): void {
    const cycle = `${this.#browser}.${++this.#names}`
    this.#alone('begin', { cycle })
    this.#atOnce(() => this.#send('finish', { cycle }))
  }

  #add(): Planned {
    return this.#send('add', { item: `${this.#browser}.${++this.#names}` })
  }

  #replay(of: Planned, because: 'renewed' | 'signed in' | 'ended'): void {
    this.#wait([this.#send('replay', { of: -1, because }, { cookiesOf: of, of })])
  }

  #inTurn(times: number, act: () => Planned | void): void {
    for (let left = times; left > 0; left--) {
      const sent = act()
      if (sent !== undefined) this.#wait([sent])
    }
  }

  #atOnce(send: () => Planned): void {
    this.#wait(Array.from({ length: 1 + this.#below(3) }, send))
  }

  #alone(kind: Kind, asked: AskedBy[Kind], more: Partial<Planned> = {}): Planned {
    const sent = this.#send(kind, asked, more)
    this.#wait([sent])
    return sent
  }

  #wait(sent: readonly Planned[]): void {
    this.#now = Math.max(...sent.map(({ ended }) => ended)) + 1 + this.#plan.chance.next() * TAKES_MOST
  }

  #send(kind: Kind, asked: AskedBy[Kind], more: Partial<Planned> = {}): Planned {
    const { chance, breaks } = this.#plan
    const began = (this.#now += chance.next())
    const ended = began + 2 + chance.next() * TAKES_MOST
    const broken = breaks && chance.next() < 0.1 ? (chance.next() < 0.5 ? 'before' : 'after') : undefined
    // Who stood still carries it out when nobody waits any more.
    const late = broken === 'after' ? chance.next() * 10 * TAKES_MOST : 0
    const effect = began + (ended - began) * (0.1 + 0.8 * chance.next()) + late
    const sent: Planned = {
      kind,
      asked,
      browser: this.#browser,
      visit: this.#visit,
      began,
      effect,
      ended,
      freshness: chance.next(),
      server: this.planned.length % 2 === 0 ? 'A' : 'B',
      ...(broken !== undefined && { broken }),
      ...more,
    }
    this.planned.push(sent)
    return sent
  }

  #below(limit: number): number {
    return this.#plan.chance.below(limit)
  }

  #nextVisit(): string {
    this.#visit = `${this.#browser}-${++this.#visits}`
    return this.#visit
  }
}

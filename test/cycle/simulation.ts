/**
 * A whole deployment in virtual time: visitors with tabs, servers that die and stand still, a store whose calls are slow,
 * overtake each other and lose answers. Everything random comes from one seed, so that a run can be made again.
 */
import { defineCycle, type CycleKind, type FinalStep } from 'holdfast/cycle'

import type { RandomSource } from '../../src/core/random.ts'
import type { Manager } from '../../src/core/sessions.ts'
import type { Store } from '../../src/core/store.ts'
import { StoreUnavailableError } from '../../src/errors.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import type { Session } from '../../src/types.ts'
import { Browser, SECRET, server, type TestData } from '../support/core-browser.ts'
import { VirtualTime } from '../support/virtual-time.ts'

/** What visitors and fate do, one after the other; none waits for the one before. `after`: milliseconds since that. */
export type Deed = { readonly after: number; readonly on: number } & (
  | { readonly do: 'begin'; readonly visitor: number; readonly blank: boolean }
  | { readonly do: 'step' | 'abandon' | 'load'; readonly visitor: number; readonly cycle: number }
  | {
      readonly do: 'finish'
      readonly visitor: number
      readonly cycle: number
      /** How long the final step takes up to its effect, and after it; and how it ends. */
      readonly takes: number
      readonly lingers: number
      readonly ends: 'returns' | 'throws' | 'reopens'
    }
  | { readonly do: 'sign-in' | 'sign-out' | 'renew'; readonly visitor: number }
  | { readonly do: 'kill' }
  | { readonly do: 'stop'; readonly takes: number }
)

/** How bad the network is. `calm`: calls take a few milliseconds, and none fails. */
export type Weather = 'calm' | 'slow' | 'stormy'

export interface Plan {
  readonly deeds: readonly Deed[]
  readonly weather: Weather
  readonly seed: number
  /** By how much each server's clock is ahead, in milliseconds. */
  readonly skews: readonly number[]
  readonly onDoubt: 'refuse' | 'retry'
}

interface Order {
  readonly steps: readonly string[]
}

/** A cycle, as its visitor knows it. */
interface Known {
  readonly token: string
  readonly visitor: number
  /** Who the visitor was; `NaN`: nobody knows. */
  readonly self: number
  /** When the visitor got it: it was begun before. */
  readonly knownAt: number
  readonly stepsTaken: string[]
  abandoned: boolean
}

/** A final step that was begun. */
export interface Run {
  readonly cycle: Known
  readonly by: number
  readonly server: number
  readonly begunAt: number
  /** What it was given. */
  readonly key: string
  readonly state: Order | undefined
  /** What the visitor knew when it began. */
  readonly stepsTaken: readonly string[]
  readonly abandoned: boolean
  /** Whether it has said that nothing happened. */
  reopened: boolean
  /** When its submission was answered; `Infinity`: not yet. */
  answeredAt: number
}

/** What a final step did. */
export interface Effect {
  readonly run: Run
  readonly cycle: Known
  readonly result: number
  readonly threw: boolean
}

/** A submission of a final step, with what was answered. */
export interface Submission {
  readonly cycle: Known
  readonly by: number
  /** Whether the visitor is known to be somebody else than whom the cycle was begun for. */
  readonly foreign: boolean
  readonly server: number
  readonly answeredAt: number
  readonly lasted: number
  readonly takes: number
  readonly answer: { readonly result: number; readonly repeated: boolean } | { readonly error: unknown }
}

/** What came out: for the rules that must hold. */
export interface Story {
  /** In the order in which they began. */
  readonly runs: readonly Run[]
  readonly effects: readonly Effect[]
  readonly submissions: readonly Submission[]
  readonly cycles: readonly Known[]
  /** Errors of all other deeds. */
  readonly errors: readonly unknown[]
  /** The submission of each cycle that could be sent once all was quiet again. */
  readonly probes: readonly Submission[]
  /** Whether a final step of a server that died is run again: at least once, and not at most. */
  readonly retried: boolean
  /** Whether anything died, stood still, was slow or got lost. */
  readonly calm: boolean
  /** Servers that died. */
  readonly dead: ReadonlySet<number>
  /** Deeds that were not answered though their server lives. */
  readonly unanswered: number
}

const LEASE = 3_000
/** Of a cycle. */
export const LIFETIME = 90_000
const VISITORS = 3
/** By then whatever was on its way has arrived, and every claim has run out. */
const QUIET = 60_000

interface Surroundings {
  readonly skew: number
  readonly noise: Noise
  readonly random: RandomSource
}

class SimulatedServer {
  readonly number: number
  readonly manager: Manager<TestData>
  dead = false
  #standsStill: Promise<void> = Promise.resolve()

  constructor(number: number, store: Store, time: VirtualTime, { skew, noise, random }: Surroundings) {
    this.number = number
    const clock = { now: () => time.now + skew, forward: () => undefined }
    this.manager = server(noisyStore(store, this, noise), clock, { idleTimeout: '5m' }, SECRET, random)
  }

  stop(ms: number): void {
    this.#standsStill = Promise.all([this.#standsStill, sleep(ms)]).then(() => undefined)
  }

  /** Goes on where the server runs; never where it is dead. */
  async alive(): Promise<void> {
    await this.#standsStill
    if (this.dead) await new Promise(() => undefined)
  }
}

/** Chances of one call. */
class Noise {
  readonly #random: () => number
  weather: Weather

  constructor(random: () => number, weather: Weather) {
    this.#random = random
    this.weather = weather
  }

  delay(): number {
    const chance = this.#random()
    if (this.weather === 'calm' || chance < 0.7) return Math.floor(this.#random() * 5)
    if (chance < 0.92) return Math.floor(this.#random() * 200)
    if (chance < 0.98) return Math.floor(this.#random() * 1_500)
    return Math.floor(this.#random() * 4 * LEASE)
  }

  fault(): 'refuse' | 'lose' | undefined {
    if (this.weather !== 'stormy') return undefined
    const chance = this.#random()
    return chance < 0.04 ? 'lose' : chance < 0.06 ? 'refuse' : undefined
  }
}

const OPERATIONS = ['load', 'create', 'replace', 'patch', 'touch', 'end', 'enroll', 'withdraw', 'roll'] as const

/** The way of one server to the store. */
function noisyStore(store: Store, at: SimulatedServer, noise: Noise): Store {
  const noisy = Object.create(store) as Record<string, (...asked: never[]) => Promise<unknown>>
  for (const operation of OPERATIONS) {
    noisy[operation] = async (...asked) => {
      const fault = noise.fault()
      await at.alive()
      await sleep(noise.delay())
      if (fault === 'refuse') throw new StoreUnavailableError('refused', { applied: 'no' })
      const answer = await (store[operation] as (...asked: never[]) => unknown)(...asked)
      await sleep(noise.delay())
      await at.alive()
      if (fault === 'lose') throw new StoreUnavailableError('lost', { applied: 'unknown' })
      return answer
    }
  }
  for (const operation of [
    'open',
    'close',
    'epoch',
    'moveEpoch',
    'nextLease',
    'holdLease',
    'remaining',
    'bar',
    'stats',
  ])
    noisy[operation] = (...asked) => (store as never as typeof noisy)[operation]!(...asked)
  return noisy as unknown as Store
}

/** Makes the run, and answers what happened. */
export async function live(plan: Plan): Promise<Story> {
  const time = new VirtualTime().install()
  try {
    return await new Simulation(time, plan).live()
  } finally {
    time.uninstall()
  }
}

class Simulation {
  readonly #time: VirtualTime
  readonly #plan: Plan
  readonly #noise: Noise
  readonly #random: RandomSource
  readonly #store: Store
  readonly #kind: CycleKind<Order | undefined, number>
  readonly #servers: SimulatedServer[]
  readonly #visitors = Array.from({ length: VISITORS }, () => ({
    browser: new Browser(),
    self: 0,
    sent: 0,
    waiting: 0,
  }))
  readonly #runs: Run[] = []
  readonly #effects: Effect[] = []
  readonly #submissions: Submission[] = []
  readonly #probes: Submission[] = []
  readonly #cycles: Known[] = []
  readonly #errors: unknown[] = []
  readonly #dead = new Set<number>()
  #results = 0
  #unanswered = 0
  #started = 0

  constructor(time: VirtualTime, plan: Plan) {
    this.#time = time
    this.#plan = plan
    this.#noise = new Noise(seeded(plan.seed), plan.weather)
    this.#random = bytesOf(seeded(~plan.seed))
    this.#store = memoryStore({ now: () => time.now })
    this.#kind = defineCycle<Order | undefined, number>('order', {
      lease: '3s',
      patience: '1s',
      maxOpen: 2,
      lifetime: `${LIFETIME}ms`,
      onDoubt: plan.onDoubt,
    })
    this.#servers = plan.skews.map((skew) => this.#start(skew))
  }

  async live(): Promise<Story> {
    await this.#time.settle(Promise.all(this.#servers.map((one) => one.manager.ready())))
    for (const deed of this.#plan.deeds) {
      await this.#time.pass(deed.after)
      this.#carryOut(deed)
    }
    this.#noise.weather = 'calm'
    await this.#time.pass(QUIET)
    const probing = this.#start(0)
    for (const cycle of this.#cycles) await this.#time.settle(this.#submit(probing, { cycle, visitor: cycle.visitor }))
    const alive = [...this.#servers, probing].filter(({ dead }) => !dead)
    await this.#time.settle(Promise.all(alive.map((one) => one.manager.close())))
    const { deeds, weather, onDoubt } = this.#plan
    return {
      runs: this.#runs,
      effects: this.#effects,
      submissions: this.#submissions,
      probes: this.#probes,
      cycles: this.#cycles,
      errors: this.#errors,
      dead: this.#dead,
      unanswered: this.#unanswered,
      retried: onDoubt === 'retry',
      calm: weather === 'calm' && !deeds.some((deed) => deed.do === 'kill' || deed.do === 'stop'),
    }
  }

  #start(skew: number): SimulatedServer {
    const surroundings = { skew, noise: this.#noise, random: this.#random }
    return new SimulatedServer(this.#started++, this.#store, this.#time, surroundings)
  }

  #carryOut(deed: Deed): void {
    const at = deed.on % this.#servers.length
    const on = this.#servers[at]!
    switch (deed.do) {
      case 'stop':
        return on.stop(deed.takes)
      case 'kill':
        return this.#kill(at)
      case 'begin':
        return this.#note(this.#begin(on, deed), on)
      case 'sign-in':
      case 'sign-out':
      case 'renew':
        return this.#note(this.#change(on, deed.do, deed.visitor), on)
      case 'step':
      case 'abandon':
      case 'load':
      case 'finish':
        return this.#withCycle(on, deed)
    }
  }

  #withCycle(on: SimulatedServer, deed: Extract<Deed, { cycle: number }>): void {
    const cycle = this.#cycles[deed.cycle % Math.max(1, this.#cycles.length)]
    if (cycle === undefined) return
    // Mostly one's own; now and then somebody else's.
    const visitor = deed.visitor === VISITORS ? cycle.visitor : deed.visitor
    if (deed.do === 'finish') this.#note(this.#submit(on, { ...deed, cycle, visitor }), on)
    else if (deed.do === 'step') this.#note(this.#step(on, cycle, visitor), on)
    else if (deed.do === 'abandon') this.#note(this.#abandon(on, cycle, visitor), on)
    else this.#note(this.#load(on, cycle, visitor), on)
  }

  /** A new process takes the place of the one that dies. */
  #kill(at: number): void {
    const dying = this.#servers[at]!
    dying.dead = true
    this.#dead.add(dying.number)
    this.#servers[at] = this.#start(this.#plan.skews[at] ?? 0)
  }

  #note(deed: Promise<unknown>, on: SimulatedServer): void {
    this.#unanswered++
    let open = true
    const close = (): void => {
      if (open) this.#unanswered--
      open = false
    }
    deed.then(close, (error: unknown) => {
      close()
      this.#errors.push(error)
    })
    const { number } = on
    // Whoever waits for a dead server waits for nothing.
    void sleep(QUIET - 1_000).then(() => {
      if (this.#dead.has(number)) close()
    })
  }

  async #request<Result>(
    on: SimulatedServer,
    visitor: number,
    handler: (session: Session<TestData>) => Promise<Result>,
  ): Promise<Result> {
    const who = this.#visitors[visitor]!
    who.sent++
    who.waiting++
    const { result, cookies } = await who.browser.request(on.manager, handler, 'POST')
    await on.alive()
    who.browser.keep(cookies)
    who.waiting--
    return result
  }

  async #begin(on: SimulatedServer, { visitor, blank }: { visitor: number; blank: boolean }): Promise<void> {
    const by = visitor % VISITORS
    const { self } = this.#visitors[by]!
    const cycle = await this.#request(on, by, (session) => this.#kind.begin(session, blank ? undefined : { steps: [] }))
    this.#cycles.push({
      token: cycle.token,
      visitor: by,
      self,
      knownAt: this.#time.now,
      stepsTaken: [],
      abandoned: false,
    })
  }

  async #change(on: SimulatedServer, what: 'sign-in' | 'sign-out' | 'renew', visitor: number): Promise<void> {
    const by = visitor % VISITORS
    const who = this.#visitors[by]!
    const alone = who.waiting === 0
    const before = who.sent
    if (what !== 'renew') who.self = Number.NaN
    await this.#request(on, by, async (session) => {
      if (what === 'sign-in') await session.signIn(`user ${by}`)
      else if (what === 'sign-out') await session.signOut()
      else await session.regenerateId()
    })
    // With other requests under way at the same time, nobody knows whose answer came last.
    if (what !== 'renew' && alone && who.sent === before + 1) who.self = ++this.#results
  }

  async #step(on: SimulatedServer, cycle: Known, visitor: number): Promise<void> {
    const name = `step ${++this.#results}`
    await this.#request(on, visitor, async (session) => {
      await this.#kind.step(session, cycle.token, (state) => ({ steps: [...(state?.steps ?? []), name] }))
      cycle.stepsTaken.push(name)
    })
  }

  async #load(on: SimulatedServer, cycle: Known, visitor: number): Promise<void> {
    await this.#request(on, visitor, (session) => this.#kind.load(session, cycle.token))
  }

  async #abandon(on: SimulatedServer, cycle: Known, visitor: number): Promise<void> {
    await this.#request(on, visitor, async (session) => {
      if (await this.#kind.abandon(session, cycle.token)) cycle.abandoned = true
    })
  }

  /** Without an end it is a probe: then all is quiet. */
  async #submit(
    on: SimulatedServer,
    {
      cycle,
      visitor,
      takes = 0,
      lingers = 0,
      ends,
    }: { cycle: Known; visitor: number; takes?: number; lingers?: number; ends?: 'returns' | 'throws' | 'reopens' },
  ): Promise<void> {
    const { self } = this.#visitors[visitor]!
    const foreign =
      visitor !== cycle.visitor || (!Number.isNaN(self) && !Number.isNaN(cycle.self) && self !== cycle.self)
    const begun = this.#time.now
    let run: Run | undefined
    const answer = await this.#request(on, visitor, (session) =>
      this.#kind.finish(session, cycle.token, async (given) => {
        run = this.#begun(on, cycle, visitor, given)
        await sleep(takes)
        await on.alive()
        if (ends === 'reopens') {
          run.reopened = true
          throw given.reopen('not yet')
        }
        const result = ++this.#results
        const threw = ends === 'throws'
        this.#effects.push({ run, cycle, result, threw })
        await sleep(lingers)
        await on.alive()
        if (threw) throw new RangeError('it went wrong')
        return result
      }),
    ).catch((error: unknown) => ({ error }))
    const answeredAt = this.#time.now
    if (run !== undefined) run.answeredAt = answeredAt
    const lasted = answeredAt - begun
    const took = takes + lingers
    const submission = { cycle, by: visitor, foreign, server: on.number, takes: took, lasted, answeredAt, answer }
    ;(ends === undefined ? this.#probes : this.#submissions).push(submission)
  }

  #begun(on: SimulatedServer, cycle: Known, by: number, given: FinalStep<Order | undefined>): Run {
    const run: Run = {
      cycle,
      by,
      server: on.number,
      begunAt: this.#time.now,
      key: given.idempotencyKey,
      state: given.state,
      stepsTaken: [...cycle.stepsTaken],
      abandoned: cycle.abandoned,
      reopened: false,
      answeredAt: Number.POSITIVE_INFINITY,
    }
    this.#runs.push(run)
    return run
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    if (ms <= 0) resolve()
    else setTimeout(resolve, ms)
  })
}

function bytesOf(random: () => number): RandomSource {
  return (size) => Buffer.from(Array.from({ length: size }, () => Math.floor(random() * 256)))
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

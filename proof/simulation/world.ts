/** Carries out a schedule, in virtual time and in this process alone, and answers the history of what happened. */
import { setTimeout as pause } from 'node:timers/promises'

import type { VirtualTime } from '../../test/support/virtual-time.ts'
import type { Cookies } from '../browser.ts'
import { check, unexcused } from '../checker/check.ts'
import type { Violation } from '../checker/violations.ts'
import type { Effect, History } from '../history/history.ts'
import { Recorder } from '../history/recorder.ts'
import { type Sending, type Served, SimulatedBrowser } from './browser.ts'
import type { Fault, Schedule } from './plan.ts'
import { GRACE, SimulatedServer, STALENESS } from './server.ts'
import { SimulatedStore } from './store.ts'

/** What came of a schedule. */
export interface Outcome {
  readonly history: History
  /** Those that nothing excuses. */
  readonly violations: readonly Violation[]
  /** What happened, a line for each thing, where that was asked for. */
  readonly story: readonly string[]
}

export interface Wish {
  /** Writing it down takes as long as the rest. */
  readonly story?: boolean
}

const NAMES = ['A', 'B', 'C'] as const
/** Milliseconds in which an answer comes, whatever happens to the store: on top of what it takes to the browser. */
const ANSWER = 6_500
/** When everything is over so long, all is whole again: breakers have closed, and clocks are set. */
const QUIET = 6_000
/** More than any schedule takes, in milliseconds: something hangs. */
const TIME_MOST = 600_000
const NOBODY_THERE: Served = { reply: { status: 503, cookies: [] }, server: undefined }

export async function carryOut(schedule: Schedule, time: VirtualTime, wish: Wish = {}): Promise<Outcome> {
  time.restart()
  const world = new World(schedule, time, wish)
  return time.settle(world.run(), TIME_MOST)
}

class World {
  readonly #schedule: Schedule
  readonly #store: SimulatedStore
  readonly #recorder = new Recorder()
  readonly #effects: Effect[] = []
  readonly #story: string[] = []
  readonly #wish: Wish
  readonly #slots: Slot[]
  readonly #browsers: SimulatedBrowser[]
  readonly #began: number
  readonly #time: VirtualTime

  constructor(schedule: Schedule, time: VirtualTime, wish: Wish) {
    this.#schedule = schedule
    this.#wish = wish
    this.#time = time
    this.#began = time.now
    this.#store = new SimulatedStore(time, {
      note: (line) => this.#note(line),
      trouble: (name, lasts) => this.#mark(name, 'outage', lasts),
    })
    this.#slots = NAMES.slice(0, schedule.servers).map((name, at) => new Slot(name, () => this.#start(name, at)))
    const count = 1 + Math.max(0, ...schedule.deeds.map(({ by }) => by))
    this.#browsers = Array.from(
      { length: count },
      (_, at) =>
        new SimulatedBrowser(`v${at}`, `u${at % schedule.users}`, {
          recorder: this.#recorder,
          send: (on, request, cookies) => this.#send(on, request, cookies),
          lost: (what) => this.#mark(`${what} lost`, 'kill', 1),
          mayLose: schedule.faults.some(({ what }) => what === 'fail-over'),
          othersToken: (name) => this.#browsers.find((one) => one.name !== name && one.token !== undefined)?.token,
        }),
    )
  }

  async run(): Promise<Outcome> {
    const { deeds, faults, durability, seed } = this.#schedule
    for (const fault of faults) setTimeout(() => this.#make(fault), fault.at)
    await Promise.all(
      deeds.map(async (deed) => {
        await pause(deed.at)
        await this.#browsers[deed.by]?.do(deed)
      }),
    )
    const over = Math.max(0, ...this.#recorder.faults.map(({ ended }) => ended)) - this.#recorder.now()
    await pause(QUIET + Math.max(0, over))
    await Promise.all(this.#browsers.map((browser, at) => browser.lookAtLast(at)))
    for (const { server } of this.#slots) server?.die()
    const history = this.#recorder.history(
      {
        scenario: 'simulation',
        target: 'holdfast',
        store: 'redis',
        durability,
        seed,
        seconds: Math.ceil(this.#recorder.now() / 1_000),
        servers: this.#slots.map(({ name }) => name),
        promises: { grace: GRACE, answer: ANSWER, staleness: STALENESS },
        versions: {},
      },
      this.#effects,
    )
    return { history, violations: unexcused(check(history)), story: this.#story }
  }

  #start(name: string, at: number): SimulatedServer {
    const slot = this.#slots?.[at]
    const connection = this.#store.connect(at, this.#schedule, slot?.calls ?? 0)
    return new SimulatedServer(name, slot?.starts ?? 0, this.#schedule, connection, (effect) => {
      this.#note(() => `${name}: the effect of ${effect.cycle}`)
      this.#effects.push(effect)
    })
  }

  #make(fault: Fault): void {
    this.#note(() => `! ${JSON.stringify(fault)}`)
    switch (fault.what) {
      case 'crash':
        this.#mark('a server killed', 'server', fault.lasts)
        this.#slots[fault.server % this.#slots.length]?.crash(fault.lasts)
        break
      case 'fail-over':
        this.#failOver(fault.writes)
        break
      case 'silence':
        this.#store.silence(fault.lasts, fault.server)
        this.#mark('what is sent to the store is lost', 'outage', fault.lasts)
        break
      case 'cut':
        this.#slots[fault.server % this.#slots.length]?.server?.cut()
        break
    }
  }

  async #send(
    on: number,
    { asked, token, evidence = true }: Omit<Sending, 'cookies'>,
    cookies: Cookies,
  ): Promise<Served | undefined> {
    const slots = this.#slots
    const slot = slots.map((_, at) => slots[(on + at) % slots.length]).find((one) => one?.server !== undefined)
    if (slot?.server === undefined) return NOBODY_THERE
    const { name } = slot
    const cookie = [...cookies].map((pair) => pair.join('=')).join('; ')
    this.#note(() => `${name}: ${JSON.stringify(asked)}`)
    const reply = await Promise.race([slot.server.answer({ asked, cookie, token, evidence }), slot.server.death])
    this.#note(
      () =>
        `${name}: ${JSON.stringify(asked)} is ${reply === undefined ? 'never answered' : `answered ${reply.status} ${reply.code ?? ''} ${JSON.stringify(reply.seen ?? null)}`}`,
    )
    return reply && { reply, server: `${name}#${slot.starts}` }
  }

  #failOver(writes: number): void {
    const lost = this.#store.failOver(writes)
    this.#note(() => `  ${lost} writes are lost`)
    this.#mark('fail-over', 'failover', 1)
  }

  #mark(name: string, sort: History['faults'][number]['sort'], lasts: number): void {
    const began = this.#recorder.now()
    this.#recorder.faults.push({ name, sort, began, ended: began + lasts })
  }

  #note(line: () => string): void {
    if (this.#wish.story === true) this.#story.push(`${String(this.#time.now - this.#began).padStart(6)} ${line()}`)
  }
}

/** A server's place, in which one comes after the other. */
class Slot {
  readonly name: string
  server: SimulatedServer | undefined
  /** How many servers have stood here, and how many calls to the store they made. */
  starts = 0
  calls = 0
  readonly #start: () => SimulatedServer

  constructor(name: string, start: () => SimulatedServer) {
    this.name = name
    this.#start = start
    setTimeout(() => this.start(), 0)
  }

  start(): void {
    this.starts++
    this.server = this.#start()
  }

  crash(lasts: number): void {
    const { server } = this
    if (server === undefined) return
    this.calls = server.calls
    this.server = undefined
    server.die()
    setTimeout(() => this.start(), lasts)
  }
}

/** Visitors who come while Redis has its trouble, and what became of each request. */
import { setTimeout as pause } from 'node:timers/promises'

import { Browser, type Answer } from '../browser.ts'

export type Kind = 'read' | 'write' | 'anonymous' | 'sign-in' | 'sign-out'

/** One request. Times of the monotonic clock, in milliseconds. */
export interface Asked {
  readonly kind: Kind
  readonly visitor: number
  readonly at: number
  readonly took: number
  /** 0: the connection broke. */
  readonly status: number
}

/** A visitor who stays signed in, reads, and counts up. */
interface Stayer {
  readonly browser: Browser
  readonly user: string
  /** Additions that were acknowledged, and those whose outcome is not known. */
  acknowledged: number
  unknown: number
}

export interface Found {
  readonly sessionsLost: number
  readonly writesLost: number
  /** Additions beyond what was acknowledged or may have gone through. */
  readonly writesTooMany: number
  /** Signed out with the word of a replica where there are any, and signed in again. */
  readonly aliveAfterEnd: number
  readonly ends: number
}

const THINKS = 25
const STAYERS = 40
const LEAVERS = 4
const STRANGERS = 4

export class Visitors {
  readonly asked: Asked[] = []
  readonly #servers: readonly string[]
  readonly #stayers: readonly Stayer[]
  /** What the browsers of those had who were told that they are signed out for good. */
  readonly #gone: Browser[] = []
  readonly #lanes: Promise<void>[] = []
  readonly #leaving = new AbortController()

  private constructor(servers: readonly string[], stayers: readonly Stayer[]) {
    this.#servers = servers
    this.#stayers = stayers
  }

  /** Signs in those who stay. */
  static async arrive(servers: readonly string[]): Promise<Visitors> {
    const stayers = Array.from({ length: STAYERS }, (_, at) => ({
      browser: new Browser(servers),
      user: `stayer${at}`,
      acknowledged: 0,
      unknown: 0,
    }))
    for (const { browser, user } of stayers) {
      const { status, body } = await browser.post(0, `/sign-in?user=${user}`)
      if (status !== 200) throw new Error(`sign-in was answered with ${status}: ${body.slice(0, 200)}`)
    }
    return new Visitors(servers, stayers)
  }

  /** They come until `leave` is called. */
  come(): void {
    for (const [at, stayer] of this.#stayers.entries()) this.#lanes.push(this.#stay(at, stayer))
    for (let at = 0; at < LEAVERS; at++) this.#lanes.push(this.#comeAndGo(STAYERS + at))
    for (let at = 0; at < STRANGERS; at++) this.#lanes.push(this.#passBy(STAYERS + LEAVERS + at))
  }

  async leave(): Promise<void> {
    this.#leaving.abort()
    await Promise.all(this.#lanes)
  }

  /** Looks what is left, once all is well again. */
  async audit(): Promise<Found> {
    const stayers = await Promise.all(this.#stayers.map((stayer) => this.#look(stayer)))
    let aliveAfterEnd = 0
    for (const browser of this.#gone) if ((await userOf(browser)) !== null) aliveAfterEnd++
    const sum = (what: (one: { lost: number; less: number; more: number }) => number): number =>
      stayers.reduce((total, one) => total + what(one), 0)
    return {
      sessionsLost: sum(({ lost }) => lost),
      writesLost: sum(({ less }) => less),
      writesTooMany: sum(({ more }) => more),
      aliveAfterEnd,
      ends: this.#gone.length,
    }
  }

  async #stay(visitor: number, stayer: Stayer): Promise<void> {
    for (let turn = visitor; !this.#leaving.signal.aborted; turn++) {
      if (turn % 2 === 0) await this.#ask('read', visitor, () => stayer.browser.get(turn % 2, '/who'))
      else await this.#add(visitor, stayer, (turn >> 1) % 2)
      await think()
    }
  }

  async #add(visitor: number, stayer: Stayer, server: number): Promise<void> {
    const answer = await this.#ask('write', visitor, () => stayer.browser.post(server, '/count'))
    if (answer?.status === 200) stayer.acknowledged++
    else if (answer === undefined || answer.status === 503) stayer.unknown++
  }

  async #comeAndGo(visitor: number): Promise<void> {
    for (let turn = 0; !this.#leaving.signal.aborted; turn++) {
      const browser = new Browser(this.#servers)
      const came = await this.#ask('sign-in', visitor, () => browser.post(turn % 2, `/sign-in?user=leaver${visitor}`))
      await think()
      if (came?.status !== 200) continue
      const before = browser.copy()
      const left = await this.#ask('sign-out', visitor, () => browser.post((turn + 1) % 2, '/sign-out'))
      const durable = left?.status === 200 && (JSON.parse(left.body) as { durable?: boolean }).durable === true
      if (durable) this.#gone.push(before)
      await think()
    }
  }

  /** Somebody new each time: a page with a form. */
  async #passBy(visitor: number): Promise<void> {
    for (let turn = 0; !this.#leaving.signal.aborted; turn++) {
      await this.#ask('anonymous', visitor, () => new Browser(this.#servers).get(turn % 2, '/form'))
      await think()
    }
  }

  async #ask(kind: Kind, visitor: number, send: () => Promise<Answer>): Promise<Answer | undefined> {
    const at = performance.now()
    const answer = await send().catch(() => undefined)
    this.asked.push({ kind, visitor, at, took: performance.now() - at, status: answer?.status ?? 0 })
    return answer
  }

  async #look({ browser, user, acknowledged, unknown }: Stayer): Promise<{ lost: number; less: number; more: number }> {
    const { status, body } = await browser.get(0, '/who')
    const found = status === 200 ? (JSON.parse(body) as { user: string | null; count?: number }) : { user: null }
    if (found.user !== user) return { lost: 1, less: 0, more: 0 }
    const count = found.count ?? 0
    return { lost: 0, less: Math.max(0, acknowledged - count), more: Math.max(0, count - acknowledged - unknown) }
  }
}

async function userOf(browser: Browser): Promise<string | null> {
  const { status, body } = await browser.copy().get(0, '/who')
  return status === 200 ? (JSON.parse(body) as { user: string | null }).user : null
}

function think(): Promise<void> {
  return pause(THINKS * (0.5 + Math.random()))
}

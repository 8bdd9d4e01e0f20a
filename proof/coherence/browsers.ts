/** The browsers: some wait for each answer, some do not, and all hold what they read against what was acknowledged. */
import { setTimeout as pause } from 'node:timers/promises'

import type { Answer, Browser } from '../browser.ts'
import { insist } from './insist.ts'
import { Ledger, type Violation } from './ledger.ts'
import type { Said } from './server.ts'

/** Of the requests: those that change something; and those of them that do so by a GET. */
const CHANGING = 0.05
const CHANGING_BY_GET = 0.2
/** Milliseconds between two requests of a browser, on average. */
const THINKS = 15
/** How many requests a browser that does not wait has under way. */
const OVERLAPPING = 3
/** After so many of the changes the browsers that do not wait pause for so long: their next requests would make up for what went wrong. */
const RESTING = { share: 0.4, ms: 3_000 } as const
/** How much later, at most, a browser that does not wait takes an answer's cookies, in milliseconds. */
const TAKEN_LATER = 300

/** What all browsers of one kind have done. */
export interface Tally {
  reads: number
  additions: number
  /** Answered with a 503: the machine was too busy for the store's deadline. */
  unavailable: number
  ownWrite: number
  goingBack: number
  /** Of the reads behind what was acknowledged to whomever: by how many milliseconds. */
  readonly staleness: number[]
}

export function emptyTally(): Tally {
  return { reads: 0, additions: 0, unavailable: 0, ownWrite: 0, goingBack: 0, staleness: [] }
}

/** How many requests each browser makes, and until when at the latest; before then, where the proof has seen enough. */
export interface Visit {
  readonly requests: number
  readonly until: number
  isOver(): boolean
}

interface Answered {
  readonly answer: Answer
  readonly count: number
}

interface Jar {
  readonly browser: Browser
  /** The highest count that its own additions, and its reads and additions, have shown it. */
  written: number
  seen: number
}

/** A session, and the browsers that are in it. */
export class Visited {
  readonly name: string
  readonly ledger = new Ledger()
  readonly #jars: readonly Jar[]
  /** Has the cookies of the sign-in, and never takes others: no floor of its own keeps it from anything old. */
  readonly #behind: Browser
  #restsUntil = 0
  readonly #violate: (violation: Violation) => void
  readonly #bound: number

  /** `browser` has signed in; so many with its cookies come. */
  constructor(browser: Browser, name: string, count: number, bound: number, violate: (violation: Violation) => void) {
    this.name = name
    this.#jars = Array.from({ length: count }, () => ({ browser: browser.copy(), written: 0, seen: 0 }))
    this.#behind = browser
    this.#bound = bound
    this.#violate = violate
  }

  get browsers(): number {
    return this.#jars.length
  }

  /** Each browser does so many things one after the other, and stops at the latest then. */
  async wait({ requests, isOver }: Visit, tally: Tally): Promise<void> {
    await this.#each(async (jar) => {
      for (let left = requests; left > 0 && !isOver(); left--) {
        await thinking()
        if (Math.random() < CHANGING) await this.#add(jar, tally)
        else await this.#read(jar, tally)
      }
    })
  }

  /**
   * Each browser has several requests under way at a time, and takes the cookies of their answers later and in any order. One
   * more only reads all the while, and takes none.
   */
  async overlap({ requests, until, isOver }: Visit, tally: Tally): Promise<void> {
    const taken: Promise<void>[] = []
    const over = new AbortController()
    const overlap = async ({ browser }: Jar): Promise<void> => {
      let left = requests
      const lane = async (): Promise<void> => {
        while (left-- > 0 && !isOver()) {
          await thinking(Math.min(this.#restsUntil, until))
          const adds = Math.random() < CHANGING
          if (adds && Math.random() < RESTING.share) this.#restsUntil = performance.now() + RESTING.ms
          taken.push(takeLater(browser, await (adds ? this.#sendAddition : this.#sendRead).call(this, browser, tally)))
        }
      }
      await Promise.all(Array.from({ length: OVERLAPPING }, lane))
    }
    const readOn = async (): Promise<void> => {
      while (!over.signal.aborted) {
        await thinking()
        await this.#sendRead(this.#behind, tally)
      }
    }
    const reading = readOn()
    try {
      await this.#each(overlap)
    } finally {
      over.abort()
    }
    await Promise.all([reading, ...taken])
  }

  async #each(visit: (jar: Jar) => Promise<void>): Promise<void> {
    await Promise.all(this.#jars.map(visit))
  }

  /** Whether every addition that was acknowledged is there, and no other. */
  async audit(): Promise<void> {
    const { body } = await insist(() => this.#behind.send(0, 'GET', '/count/fresh'))
    const { count = 0 } = JSON.parse(body) as Said
    const { additions, unknown } = this.ledger
    if (count < additions || count > additions + unknown)
      this.#complain('lost-addition', `${additions} additions were answered, ${unknown} were not, ${count} are there`)
  }

  async #read(jar: Jar, tally: Tally): Promise<void> {
    const answered = await this.#sendRead(jar.browser, tally)
    if (answered === undefined) return
    const { answer, count } = answered
    jar.browser.take(answer)
    if (count < jar.written) {
      tally.ownWrite++
      this.#complain('own-write', `wrote ${jar.written}, then read ${count}`)
    } else if (count < jar.seen) {
      tally.goingBack++
      this.#complain('going-back', `saw ${jar.seen}, then read ${count}`)
    }
    jar.seen = Math.max(jar.seen, count)
  }

  async #add(jar: Jar, tally: Tally): Promise<void> {
    const answered = await this.#sendAddition(jar.browser, tally)
    if (answered === undefined) return
    const { answer, count } = answered
    jar.browser.take(answer)
    if (count <= jar.seen) this.#complain('going-back', `saw ${jar.seen}, then added one and was told ${count}`)
    jar.written = count
    jar.seen = Math.max(jar.seen, count)
  }

  async #sendRead(browser: Browser, tally: Tally): Promise<Answered | undefined> {
    const sent = performance.now()
    const answer = await browser.send(0, 'GET', '/count')
    tally.reads++
    const said = this.#saidBy(answer)
    if (said === undefined) return void tally.unavailable++
    const { count = 0, user } = said
    if (user !== this.name) this.#complain('answer', `was taken for ${user ?? 'nobody'}`)
    const staleness = this.ledger.staleness(count, sent)
    if (staleness > 0) tally.staleness.push(staleness)
    if (staleness >= this.#bound) this.#complain('bound', `read ${count}, old for ${Math.round(staleness)} ms`)
    return { answer, count }
  }

  async #sendAddition(browser: Browser, tally: Tally): Promise<Answered | undefined> {
    const answer = await browser.send(0, Math.random() < CHANGING_BY_GET ? 'GET' : 'POST', '/add')
    tally.additions++
    const said = this.#saidBy(answer)
    if (said === undefined) {
      this.ledger.unknown++
      return void tally.unavailable++
    }
    const { count = 0 } = said
    this.ledger.acknowledge(count, performance.now())
    return { answer, count }
  }

  /** `undefined`: nobody could say. */
  #saidBy({ status, body }: Answer): Said | undefined {
    if (status === 200) return JSON.parse(body) as Said
    if (status !== 503) this.#complain('answer', `was answered with ${status}: ${body.slice(0, 200)}`)
    return undefined
  }

  #complain(rule: Violation['rule'], text: string): void {
    this.#violate({ rule, text: `${this.name}: ${text}` })
  }
}

async function takeLater(browser: Browser, answered: Answered | undefined): Promise<void> {
  if (answered === undefined) return
  await pause(Math.random() * TAKEN_LATER)
  browser.take(answered.answer)
}

async function thinking(restsUntil = 0): Promise<void> {
  await pause(Math.max(restsUntil - performance.now(), 0) + THINKS * (0.5 + Math.random()))
}

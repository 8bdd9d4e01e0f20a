/** What a race is, and what comes out of it. */
import { setTimeout as pause } from 'node:timers/promises'

import type { Answer, Browser } from '../browser.ts'
import type { Site, SiteOptions } from '../site.ts'

/** The outcome of a race: how many of how many went wrong. */
export interface Tally {
  readonly wrong: number
  readonly of: number
  /** What went wrong at first, or what the numbers mean for this target. */
  readonly note?: string
}

/** How often a race is run. `full` is what the project promises. */
export type Size = 'full' | 'quick'

export interface Race {
  readonly name: string
  /** What is counted as wrong, to follow "3 of 400". */
  readonly wrong: string
  readonly options: SiteOptions
  /** What another product lacks for a fair comparison; a footnote to its number. */
  readonly unlike?: string
  run(site: Site, size: Size): Promise<Tally>
}

/** What the application says about a browser: `GET /who`. */
export interface Who {
  readonly user: string | null
  readonly handle: string | null
  readonly status: string | null
  readonly keys?: Readonly<Record<string, true>>
  readonly count?: number
  readonly items?: readonly string[]
  readonly last?: string
}

/** Asks a server who the browser is; the answer's cookies are taken. */
export async function who(browser: Browser, server: number): Promise<Who> {
  return jsonOf(await browser.get(server, '/who')) as Who
}

/** The body of an answer that has to be a success. */
export function jsonOf(answer: Answer): unknown {
  if (answer.status !== 200) throw new Error(`answered ${answer.status}: ${answer.body.slice(0, 300)}`)
  return JSON.parse(answer.body) as unknown
}

/** The CSRF token of `GET /form`. */
export function tokenOf(answer: Answer): string {
  return (jsonOf(answer) as { token: string }).token
}

/** A browser that has just signed in, through the server. */
export async function signedIn(site: Site, user: string, server = 0): Promise<Browser> {
  const browser = site.browser()
  jsonOf(await browser.post(server, `/sign-in?user=${user}`))
  return browser
}

/**
 * A grace time short enough to wait for. An id younger than the grace is not renewed again, so whoever wants
 * to see a renewal lets the id grow old first.
 */
export const SHORT_GRACE = 500
export const WITH_SHORT_GRACE: SiteOptions = { graceTimeout: `${SHORT_GRACE}ms` }

/** Lets an id grow old enough to be renewed. */
export function grownOld(): Promise<void> {
  return pause(SHORT_GRACE + 50)
}

/** A browser that signed in so long ago that its id may be renewed. */
export async function signedInBefore(site: Site, user: string): Promise<Browser> {
  const browser = await signedIn(site, user)
  await grownOld()
  return browser
}

/** Whole numbers from 0. */
export function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index)
}

/** Runs the rounds, `width` of them at a time, and answers their results in order. */
export async function inLanes<Result>(
  rounds: number,
  width: number,
  run: (round: number) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = []
  let next = 0
  const lane = async (): Promise<void> => {
    for (let round = next++; round < rounds; round = next++) results[round] = await run(round)
  }
  await Promise.all(upTo(width).map(lane))
  return results
}

/** Adds up complaints: each is something that went wrong, and `undefined` something that did not. */
export function tallyOf(of: number, results: readonly (string | undefined)[]): Tally {
  const complaints = results.filter((result) => result !== undefined)
  const [note] = complaints
  return note === undefined ? { wrong: 0, of } : { wrong: complaints.length, of, note }
}

/** All orders of the items. */
export function permutations<Item>(items: readonly Item[]): Item[][] {
  if (items.length < 2) return [[...items]]
  return items.flatMap((item, at) => permutations(items.toSpliced(at, 1)).map((rest) => [item, ...rest]))
}

/** How long a stolen copy of a browser's cookies reads on at another server, once an end was acknowledged. */
import { setTimeout as pause } from 'node:timers/promises'

import { Browser } from '../browser.ts'
import type { Said } from './server.ts'

export interface Ends {
  /** For each end, the milliseconds from its answer to the sending of the last read that was still served; 0: none was. */
  readonly lasted: readonly number[]
  readonly reads: number
}

export interface EndsSettings {
  readonly count: number
  readonly atOnce: number
  /** Milliseconds between two reads of a thief. */
  readonly pace: number
  /** Milliseconds after which a thief who still reads has been seen for long enough. */
  readonly most: number
}

/** So often a thief reads before the end, and for so many milliseconds after the first refusal. */
const BEFORE = 12
const AFTER = 120

/** Ends so many sessions, each at one server, by its owner or by somebody else, while a thief reads at another. */
export async function endMany(origins: readonly string[], settings: EndsSettings): Promise<Ends> {
  const ends: { readonly lasted: number; readonly reads: number }[] = []
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < settings.count) ends.push(await endOne(origins, next++, settings))
  }
  await Promise.all(Array.from({ length: settings.atOnce }, lane))
  return { lasted: ends.map(({ lasted }) => lasted), reads: ends.reduce((sum, { reads }) => sum + reads, 0) }
}

async function endOne(
  origins: readonly string[],
  number: number,
  settings: EndsSettings,
): Promise<{ lasted: number; reads: number }> {
  const servers = origins.length - 1
  const here = number % servers
  const there = (here + 1 + (Math.floor(number / servers) % (servers - 1))) % servers
  const user = `robbed-${number}`
  const owner = new Browser(origins)
  expectDone(await owner.post(0, `/sign-in?user=${user}`))
  expectDone(await owner.post(0, '/add'))
  const thief = new Thief(owner.copy(), 1 + there, user, settings)
  await thief.read(BEFORE)
  const reading = thief.readOn()
  await pause(settings.pace * Math.random())
  const [who, path] = number % 2 === 0 ? [owner, '/sign-out'] : [new Browser(origins), `/revoke?user=${user}`]
  try {
    expectDone(await who.post(1 + here, path))
  } finally {
    thief.endedAt = performance.now()
  }
  return { lasted: await reading, reads: thief.reads }
}

class Thief {
  endedAt: number | undefined
  reads = 0
  readonly #browser: Browser
  readonly #server: number
  readonly #user: string
  readonly #settings: EndsSettings

  constructor(browser: Browser, server: number, user: string, settings: EndsSettings) {
    this.#browser = browser
    this.#server = server
    this.#user = user
    this.#settings = settings
  }

  async read(times: number): Promise<void> {
    for (let left = times; left > 0; left--)
      if (!(await this.#isServed())) throw new Error(`${this.#user} was refused before the end`)
  }

  /** Reads until it is refused, and a little longer. Answers for how long after the end it was served. */
  async readOn(): Promise<number> {
    let [lasted, refusedAt] = [0, Number.POSITIVE_INFINITY]
    for (;;) {
      const sent = performance.now()
      const served = await this.#isServed()
      if (served) lasted = this.endedAt === undefined ? 0 : Math.max(0, sent - this.endedAt)
      else refusedAt = Math.min(refusedAt, sent)
      const now = performance.now()
      if (this.endedAt !== undefined && (now > refusedAt + AFTER || now > this.endedAt + this.#settings.most))
        return lasted
      await pause(this.#settings.pace)
    }
  }

  async #isServed(): Promise<boolean> {
    this.reads++
    const { status, body } = await this.#browser.send(this.#server, 'GET', '/count')
    return status === 200 && (JSON.parse(body) as Said).user === this.#user
  }
}

function expectDone({ status, body }: { readonly status: number; readonly body: string }): void {
  if (status !== 200) throw new Error(`an answer of ${status}: ${body.slice(0, 200)}`)
}

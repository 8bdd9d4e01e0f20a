/** How long a stolen copy of a browser's cookies reads on at another server, once an end was acknowledged. */
import { setTimeout as pause } from 'node:timers/promises'

import { Browser } from '../browser.ts'
import { insist } from './insist.ts'
import type { Said } from './server.ts'

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

/**
 * Ends so many sessions, each at one server, by its owner or by somebody else, while a thief reads at another. Answers for each
 * how many milliseconds after the end was acknowledged the last read was sent that was still served; 0: none was.
 */
export async function endMany(origins: readonly string[], settings: EndsSettings): Promise<readonly number[]> {
  const lasted: number[] = []
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < settings.count) lasted.push(await endOne(origins, next++, settings))
  }
  await Promise.all(Array.from({ length: settings.atOnce }, lane))
  return lasted
}

async function endOne(origins: readonly string[], number: number, settings: EndsSettings): Promise<number> {
  const servers = origins.length - 1
  const here = number % servers
  const there = (here + 1 + (Math.floor(number / servers) % (servers - 1))) % servers
  const user = `robbed-${number}`
  const owner = new Browser(origins)
  await insist(() => owner.post(0, `/sign-in?user=${user}`))
  await insist(() => owner.post(0, '/add'))
  const stolen = owner.copy()
  for (let left = BEFORE; left > 0; left--) await insist(() => stolen.send(1 + there, 'GET', '/count'))
  const thief = new Thief(stolen, 1 + there, user, settings)
  const reading = thief.readOn()
  await pause(settings.pace * Math.random())
  const [who, path] = number % 2 === 0 ? [owner, '/sign-out'] : [new Browser(origins), `/revoke?user=${user}`]
  try {
    await insist(() => who.post(1 + here, path))
  } finally {
    thief.endedAt = performance.now()
  }
  return reading
}

class Thief {
  endedAt: number | undefined
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
    const { status, body } = await this.#browser.send(this.#server, 'GET', '/count')
    return status === 200 && (JSON.parse(body) as Said).user === this.#user
  }
}

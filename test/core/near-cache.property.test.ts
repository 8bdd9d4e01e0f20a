/** Whatever order reads, changes, news and answers come in, nothing old stays: searched over orders, with a channel that breaks. */
import fc from 'fast-check'
import { expect, it } from 'vitest'

import { NearCache } from '../../src/core/near-cache.ts'
import type { Selector, Tracked } from '../../src/core/store.ts'
import { liveRecord } from '../support/live-record.ts'

const SELECTORS = ['a', 'b'].map((letter) => letter.repeat(24) as Selector)
const FOREVER = 3_600_000

type Deed = {
  readonly do: 'look' | 'through' | 'write' | 'write here' | 'answer' | 'news' | 'break' | 'mend'
  readonly at: number
}

const deeds = fc.array(
  fc.record<Deed>({
    do: fc.constantFrom(
      'look',
      'look',
      'look',
      'through',
      'write',
      'write here',
      'answer',
      'answer',
      'news',
      'news',
      'break',
      'mend',
    ),
    at: fc.nat(1),
  }),
  { minLength: 4, maxLength: 40 },
)

/** The store, and what is under way between it and the cache. */
class World {
  readonly cache: NearCache
  readonly versions = new Map<Selector, number>(SELECTORS.map((selector) => [selector, 1]))
  /** Answers to reads come in the order of the reads, and news in the order of the changes; which of both is first is open. */
  readonly answers: (() => void)[] = []
  readonly news: { readonly selector: Selector; readonly version: number }[] = []
  readonly #reading = new Set<Selector>()
  /** Which versions the cache has heard of. */
  readonly told = new Map<Selector, number>()
  /** The channel is broken, and nobody has noticed yet. */
  broken = false

  constructor() {
    this.cache = new NearCache({
      entries: 100_000,
      bytes: 10_000_000,
      maxAge: FOREVER,
      ask: (selector) => {
        this.#reading.add(selector)
        const answer: Tracked = { found: liveRecord(this.versions.get(selector) ?? 0), tracked: true }
        return new Promise((resolve) => this.answers.push(() => resolve(answer)))
      },
    })
  }

  write(selector: Selector): void {
    this.versions.set(selector, (this.versions.get(selector) ?? 0) + 1)
    if (this.#reading.delete(selector) && !this.broken)
      this.news.push({ selector, version: this.versions.get(selector) ?? 0 })
  }

  notice(): void {
    if (!this.broken) return
    this.broken = false
    this.#reading.clear()
    this.news.length = 0
    this.cache.flush()
  }

  deliverNews(): void {
    const { selector, version } = this.news.shift() ?? {}
    if (selector === undefined) return
    this.cache.changed(selector)
    this.told.set(selector, version ?? 0)
  }

  /** What is kept, and is not what the store has, although the news of that is not under way, nor known to be lost. */
  get stale(): readonly Selector[] {
    if (this.broken) return []
    return SELECTORS.filter((selector) => {
      const kept = this.news.some((one) => one.selector === selector) ? undefined : this.cache.get(selector, 0)
      return kept !== undefined && kept.record.counter !== this.versions.get(selector)
    })
  }
}

async function live(list: readonly Deed[]): Promise<void> {
  const world = new World()
  const looking: Promise<void>[] = []
  const look = (selector: Selector, floor: number | undefined): void => {
    const shown = world.versions.get(selector) ?? 0
    const told = world.told.get(selector) ?? 0
    looking.push(
      world.cache.look(selector, floor).then(({ standing }) => {
        // Nobody gets less than what was there when he asked, if he asked for that, nor less than the news that was here by then.
        const least = floor === undefined ? shown : Math.max(floor, told)
        expect('record' in standing && standing.record.counter).toBeGreaterThanOrEqual(least)
      }),
    )
  }
  for (const { do: what, at } of list) {
    const selector = SELECTORS[at]!
    if (what === 'look') look(selector, world.versions.get(selector)! - at)
    else if (what === 'through') look(selector, undefined)
    else if (what === 'write') world.write(selector)
    else if (what === 'write here') {
      world.cache.changed(selector)
      world.write(selector)
      world.cache.changed(selector)
    } else if (what === 'answer') world.answers.shift()?.()
    else if (what === 'news') world.deliverNews()
    else if (what === 'break') world.broken = true
    else world.notice()
    await settled()
    expect(world.stale).toEqual([])
  }
  world.notice()
  while (world.news.length > 0) world.deliverNews()
  while (world.answers.length > 0) {
    world.answers.shift()?.()
    await settled()
    expect(world.stale).toEqual([])
  }
  await Promise.all(looking)
}

function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

it('keeps nothing old once the news is there', async () => {
  await fc.assert(fc.asyncProperty(deeds, live), { numRuns: 3_000 })
}, 120_000)

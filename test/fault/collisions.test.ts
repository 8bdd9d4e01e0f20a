/** I1, with every fault that could make two visits one, each alone: no session is ever shared. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'

import { memoryStore } from 'holdfast/memory'
import type { Sessions, Store } from 'holdfast'
import { afterAll, afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'

import type { Bag } from '../../proof/app/actor.ts'
import { listenWith } from '../../proof/app/holdfast.ts'
import { Browser, closeConnections } from '../../proof/browser.ts'
import { inLanes, jsonOf, who } from '../../proof/race/race.ts'
import { openId } from '../../src/core/cookie.ts'
import { createKeyring } from '../../src/core/keyring.ts'
import { resolveOptions } from '../../src/core/options.ts'
import { pooledRandom, type RandomSource } from '../../src/core/random.ts'
import { Manager } from '../../src/core/sessions.ts'
import type { Selector } from '../../src/core/store.ts'

const SECRET = 'a secret of the tests, for no other use: 5ca1ab1e'
const QUIET = { warn: () => undefined, error: () => undefined }
const VISITORS = 40

let events: { what?: string }[] = []
const listen = (message: unknown): void => {
  events.push(message as { what?: string })
}
beforeEach(() => {
  events = []
  subscribe('holdfast:collision', listen)
})
afterEach(() => {
  unsubscribe('holdfast:collision', listen)
})
afterAll(closeConnections)

/** Two servers, each with its own view of one store. */
async function serveTwo(
  stores: readonly [Store, Store],
  { random = pooledRandom, ready = true }: { random?: () => RandomSource; ready?: boolean } = {},
): Promise<() => Browser> {
  const origins: string[] = []
  for (const store of stores) {
    const settings = resolveOptions({ log: QUIET })
    const sessions: Sessions<Bag> = new Manager<Bag>({ settings, secret: SECRET, store, random: random() })
    if (ready) await sessions.ready()
    const listening = await listenWith('express', sessions)
    onTestFinished(() => listening.close())
    origins.push(`http://127.0.0.1:${listening.port}`)
  }
  return () => new Browser(origins)
}

/** The store, with some methods replaced. */
function changed(store: Store, changes: (store: Store) => Partial<Store>): Store {
  const own = changes(store)
  return new Proxy(store, {
    get: (target, name) => {
      const value: unknown = Reflect.get(own, name) ?? Reflect.get(target, name, target)
      return typeof value === 'function' ? (value.bind(Reflect.has(own, name) ? own : target) as unknown) : value
    },
  })
}

/** Guests, with and without a form opened first, and signed-in users, on both servers at once. Answers the selectors of all. */
async function everyoneKeepsTheirOwn(browser: () => Browser, { withForms = true } = {}): Promise<Selector[]> {
  const keyring = createKeyring(SECRET, '')
  const selectors = await inLanes(VISITORS, 8, async (round) => {
    const visitor = browser()
    const server = round % 2
    if (round % 3 === 1 && withForms) await visitor.get(server, '/form')
    jsonOf(await visitor.post(server, `/key?key=of${round}`))
    if (round % 3 === 2) jsonOf(await visitor.post(1 - server, `/sign-in?user=u${round}`))
    for (const asked of [await who(visitor, 0), await who(visitor, 1)]) {
      expect([asked.keys, asked.user]).toEqual([{ [`of${round}`]: true }, round % 3 === 2 ? `u${round}` : null])
    }
    const opened = (['sid', 'gid'] as const).map((rank) => openId(keyring, rank, visitor.cookies.get(rank) ?? ''))
    const [genuine] = opened.flatMap((one) => ('id' in one ? [one.id.selector] : []))
    return genuine as Selector
  })
  expect(new Set(selectors).size).toBe(VISITORS)
  return selectors
}

describe('I1: no two visits share a session', () => {
  it('when the random source of both processes repeats itself', async () => {
    const store = memoryStore()
    const always = (): RandomSource => (size) => Buffer.alloc(size, 7)
    await everyoneKeepsTheirOwn(await serveTwo([store, store], { random: always }))
  })

  it('when the store lost its counter: a lease that another holds is refused with an event, and the next is taken', async () => {
    const store = memoryStore()
    let counter = 0
    const forgetful = changed(store, () => ({ nextLease: () => ++counter }))
    await everyoneKeepsTheirOwn(await serveTwo([store, forgetful]))
    expect(events).toContainEqual(expect.objectContaining({ what: 'lease', lease: 1 }))
  })

  it('when two processes believe that they hold the same lease', async () => {
    const store = memoryStore()
    const credulous = changed(store, () => ({
      nextLease: () => 1,
      holdLease: (_lease: number, owner: string) => owner,
    }))
    await everyoneKeepsTheirOwn(await serveTwo([credulous, credulous]))
  })

  it('when a record exists already under a fresh selector: it is refused with an event, and another selector is minted', async () => {
    const store = memoryStore()
    const haunted = new Haunted(store)
    const browser = await serveTwo([haunted.store, haunted.store])
    const victim = browser()
    jsonOf(await victim.post(0, '/key?key=private'))
    jsonOf(await victim.post(0, '/sign-in?user=victim'))

    haunted.haunting = true
    const selectors = await everyoneKeepsTheirOwn(browser, { withForms: false })
    expect(haunted.occupied.size).toBeGreaterThan(VISITORS / 2)
    expect(events.length).toBeGreaterThanOrEqual(haunted.occupied.size)
    for (const selector of selectors) expect(haunted.occupied.has(selector)).toBe(false)
    for (const selector of haunted.occupied) expect(await store.load(selector)).toEqual(haunted.theirs)
    expect(await who(victim, 1)).toMatchObject({ user: 'victim', keys: { private: true } })
  })

  it('when a record exists already under the selector that a visitor was given with a form', async () => {
    const store = memoryStore()
    const haunted = new Haunted(store)
    const browser = await serveTwo([haunted.store, haunted.store])
    const victim = browser()
    jsonOf(await victim.post(0, '/key?key=private'))
    haunted.haunting = true
    const visitor = browser()
    await visitor.get(0, '/form')
    jsonOf(await visitor.post(0, '/key?key=of-another'))
    expect(haunted.occupied.size).toBe(1)
    for (const server of [0, 1]) expect((await who(visitor, server)).keys ?? {}).not.toHaveProperty('private')
    for (const selector of haunted.occupied) expect(await store.load(selector)).toEqual(haunted.theirs)
  })

  it('when no lease can be had, and random bits stand in for it', async () => {
    const unleased = changed(memoryStore(), () => ({ nextLease: () => Promise.reject(new Error('no leases today')) }))
    await everyoneKeepsTheirOwn(await serveTwo([unleased, unleased], { ready: false }))
  })
})

/** A store in which every second fresh selector is taken: by a copy of the record that was written first. */
class Haunted {
  haunting = false
  theirs: Uint8Array | undefined
  readonly occupied = new Set<Selector>()
  readonly store: Store
  #creations = 0

  constructor(store: Store) {
    this.store = changed(store, () => ({
      create: async (selector: Selector, record: Uint8Array, ttl: number) => {
        this.theirs ??= record
        if (this.haunting && this.#creations++ % 2 === 0) {
          this.occupied.add(selector)
          await store.create(selector, this.theirs, ttl)
        }
        return store.create(selector, record, ttl)
      },
    }))
  }
}

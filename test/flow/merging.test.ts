/** I2: what several requests change at once, on two servers, is merged by place. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'

import { memoryStore } from 'holdfast/memory'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { closeConnections, type Browser } from '../../proof/browser.ts'
import { jsonOf, who } from '../../proof/race/race.ts'
import { nameOf, openSite, type Site, type Target } from '../../proof/site.ts'
import { ADAPTERS, serve, type Servers } from './servers.ts'

const TARGETS: readonly Target[] = [
  { kind: 'holdfast', adapter: 'express', store: 'redis' },
  { kind: 'holdfast', adapter: 'fastify', store: 'lmdb' },
]

afterAll(closeConnections)

/** Sends all at once, the one at place n to server n % 2, and takes the answers. */
async function atOnce(browser: Browser, paths: readonly string[]): Promise<void> {
  const sent = paths.map((path, at) => browser.send(at % 2, 'POST', path, { form: {} }))
  for (const answer of await Promise.all(sent)) jsonOf(browser.take(answer))
}

/** Everything that can be changed, changed at once. */
const DIFFERENT_PLACES = [
  '/key?key=one&wait=20',
  '/key?key=two&wait=20',
  '/item?item=book&wait=20',
  '/item?item=pen&wait=20',
  '/last?last=here&wait=20',
  '/count?wait=20',
]

async function expectAll(browser: Browser): Promise<void> {
  for (const server of [0, 1]) {
    const { keys, items = [], last, count } = await who(browser, server)
    expect({ keys, items: items.toSorted(), last, count }).toEqual({
      keys: { one: true, two: true },
      items: ['book', 'pen'],
      last: 'here',
      count: 1,
    })
  }
}

describe.each(TARGETS.map((target) => [nameOf(target), target] as const))('two processes on %s', (_name, target) => {
  let site: Site
  beforeAll(async () => {
    site = await openSite(target)
  })
  afterAll(() => site.close())

  it('I2: properties, array tails, values and updates of one signed-in session, changed at once, all survive', async () => {
    const browser = site.browser()
    jsonOf(await browser.post(0, '/sign-in?user=ada'))
    await atOnce(browser, DIFFERENT_PLACES)
    await expectAll(browser)
  })

  it('I2: so do those of a guest', async () => {
    const browser = site.browser()
    jsonOf(await browser.post(1, '/last?last=nowhere'))
    await atOnce(browser, DIFFERENT_PLACES)
    await expectAll(browser)
  })

  it('I2: so do the first values that a visitor with an open form ever stores, in one session', async () => {
    const browser = site.browser()
    await browser.get(0, '/form')
    await atOnce(browser, DIFFERENT_PLACES)
    await expectAll(browser)
  })
})

describe.each(ADAPTERS)('two servers of one process on %s', (adapter) => {
  let servers: Servers
  beforeAll(async () => {
    const store = memoryStore()
    servers = await serve(adapter, [{ store }, { store }])
  })
  afterAll(() => servers.close())

  it('I2: on the same place the later wins, and an event names the place', async () => {
    const told: unknown[] = []
    const listen = (message: unknown): unknown => told.push(message)
    const browser = servers.browser()
    jsonOf(await browser.post(0, '/sign-in?user=ada'))
    const { handle } = await who(browser, 0)
    subscribe('holdfast:conflict', listen)
    await atOnce(browser, ['/last?last=later&wait=60', '/last?last=sooner&wait=20'])
    unsubscribe('holdfast:conflict', listen)
    expect((await who(browser, 1)).last).toBe('later')
    expect(told).toEqual([expect.objectContaining({ handle, paths: ['last'] })])
  })

  it('I7: a browser sees on the other server what it has the answer to, every time', async () => {
    const browser = servers.browser()
    for (let round = 0; round < 50; round++) {
      jsonOf(await browser.post(round % 2, `/last?last=${round}`))
      expect((await who(browser, (round + 1) % 2)).last).toBe(String(round))
    }
  })
})

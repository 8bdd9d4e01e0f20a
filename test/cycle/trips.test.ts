/** What a cycle costs at the store. A trip is whatever is asked for at once, without waiting for one another. */
import { defineCycle } from 'holdfast/cycle'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import type { Session } from '../../src/types.ts'
import { Browser, type TestData } from '../support/core-browser.ts'
import { openWorld, type World } from './world.ts'

vi.mock('node:timers/promises', async () => (await import('../support/virtual-time.ts')).virtualPromises)

const plain = defineCycle<{ n: number }, number>('plain')
const stepped = defineCycle<{ n: number } | undefined, number>('stepped', { steps: ['one'] })
const blank = defineCycle<{ n: number } | undefined, number>('blank')

/** How long the store takes for each answer here. */
const TRIP = 10

let world: World
let browser: Browser

beforeEach(async () => {
  world = await openWorld()
  browser = new Browser()
  await browser.visit(world.servers[0]!, (session) => void (session.data['seen'] = true))
})

afterEach(async () => {
  await world.close()
})

/** What an act costs besides the session's own trips, on the second server, in time and by the store's own count. */
async function costOf(
  act: (session: Session<TestData>) => Promise<unknown>,
): Promise<{ trips: number; commands: number }> {
  const [, slow] = world.faulty
  let cost = { trips: 0, commands: 0 }
  const visit = browser.visit(world.servers[1]!, async (session) => {
    slow!.faults = { delay: TRIP }
    const before = { time: world.time.now, commands: world.store.stats().commands }
    await act(session).catch(() => undefined)
    cost = {
      trips: Math.round((world.time.now - before.time) / TRIP),
      commands: world.store.stats().commands - before.commands,
    }
    slow!.faults = {}
  })
  await world.time.settle(visit)
  return cost
}

const begin = (kind: typeof blank, state?: { n: number }): Promise<string> =>
  browser.visit(world.servers[0]!, async (session) => (await kind.begin(session, state)).token)

describe('a cycle with a state', () => {
  it('costs one trip to begin', async () => {
    expect(await costOf((session) => plain.begin(session, { n: 1 }))).toEqual({ trips: 1, commands: 3 })
  })

  it('costs two trips for a step', async () => {
    const token = await begin(stepped, { n: 1 })
    expect(await costOf((session) => stepped.step(session, token, () => ({ n: 2 })))).toEqual({ trips: 2, commands: 2 })
  })

  it('costs two trips to finish, one to be told of the outcome, and one to be told that it is too early', async () => {
    const token = await begin(stepped, { n: 1 })
    const finish = () => costOf((session) => stepped.finish(session, token, () => 1))
    expect(await finish()).toEqual({ trips: 1, commands: 1 })
    await browser.visit(world.servers[0]!, (session) => stepped.step(session, token, () => undefined))
    expect(await finish()).toEqual({ trips: 2, commands: 3 })
    expect(await finish()).toEqual({ trips: 1, commands: 1 })
  })

  it('costs one trip to look at', async () => {
    const token = await begin(stepped, { n: 1 })
    expect(await costOf((session) => stepped.load(session, token))).toEqual({ trips: 1, commands: 1 })
  })
})

describe('a cycle that begins without a state', () => {
  it('costs nothing to begin, and two trips for its first step and for every later one', async () => {
    expect(await costOf((session) => blank.begin(session))).toEqual({ trips: 0, commands: 0 })
    const token = await begin(blank)
    const step = () => costOf((session) => blank.step(session, token, () => ({ n: 1 })))
    expect(await step()).toEqual({ trips: 2, commands: 4 })
    expect(await step()).toEqual({ trips: 2, commands: 3 })
  })

  it('costs two trips to finish, after steps and without', async () => {
    const [one, other] = [await begin(blank), await begin(blank)]
    expect(await costOf((session) => blank.finish(session, one, () => 1))).toEqual({ trips: 2, commands: 3 })
    await browser.visit(world.servers[0]!, (session) => blank.step(session, other, () => ({ n: 1 })))
    expect(await costOf((session) => blank.finish(session, other, () => 1))).toEqual({ trips: 2, commands: 4 })
  })
})

describe('a visitor with nothing stored', () => {
  it('costs one trip more: nobody has asked yet whether the id is still good', async () => {
    browser = new Browser()
    const token = await begin(blank)
    expect(await costOf((session) => blank.begin(session))).toEqual({ trips: 0, commands: 0 })
    expect(await costOf((session) => blank.load(session, token))).toEqual({ trips: 2, commands: 2 })
    expect(await costOf((session) => blank.finish(session, token, () => 1))).toEqual({ trips: 3, commands: 4 })
  })
})

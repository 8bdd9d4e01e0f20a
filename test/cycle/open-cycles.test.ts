/** Which cycles a session has open: the list, the limit, and what ends them. */
import { defineCycle, type Cycle } from 'holdfast/cycle'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import type { Selector } from '../../src/core/store.ts'
import { Browser } from '../support/core-browser.ts'
import { around, gate, pause } from '../support/paused-store.ts'
import { codeOf, failOnce, openWorld, type World } from './world.ts'

vi.mock('node:timers/promises', async () => (await import('../support/virtual-time.ts')).virtualPromises)

interface Draft {
  text: string
}

const draft = defineCycle<Draft | undefined, string>('draft', { lease: '9s', lifetime: '1h' })
const few = defineCycle<Draft | undefined, string>('few', { maxOpen: 2, lifetime: '1h' })
const single = defineCycle<Draft | undefined, string>('single', { maxOpen: 1 })

let world: World
let browser: Browser

beforeEach(async () => {
  world = await openWorld({ idleTimeout: '4h' })
  browser = new Browser()
  await browser.visit(world.servers[0]!, (session) => void (session.data['seen'] = true))
})

afterEach(async () => {
  await world.close()
})

async function begin(text: string | undefined, kind = draft): Promise<Cycle<Draft | undefined, string>> {
  await world.time.pass(1_000)
  return browser.visit(world.servers[0]!, (session) => kind.begin(session, text === undefined ? undefined : { text }))
}

async function listed(kind = draft): Promise<string[]> {
  const cycles = await browser.visit(world.servers[1]!, (session) => kind.list(session))
  return cycles.map(({ state }) => state?.text ?? '')
}

async function statusOf(id: string, kind = draft): Promise<string> {
  return browser.visit(world.servers[1]!, (session) =>
    kind.load(session, id).then(
      ({ status }) => status,
      (error: { code: string }) => error.code,
    ),
  )
}

function step(token: string, text: string, kind = draft): Promise<unknown> {
  return browser.visit(world.servers[1]!, (session) => kind.step(session, token, () => ({ text })))
}

function reopen(token: string, kind = draft): Promise<string | undefined> {
  return codeOf(
    browser.visit(world.servers[1]!, (session) =>
      kind.finish(session, token, ({ reopen: again }) => {
        throw again('not yet')
      }),
    ),
  )
}

describe('the list of open cycles', () => {
  it('has a cycle that was opened again', async () => {
    const { token } = await begin('one')
    expect(await reopen(token)).toBe('ERR_CYCLE_REOPENED')
    expect(await listed()).toEqual(['one'])
  })

  it('has a cycle that was opened again while others were begun at the limit', async () => {
    const first = await begin('one', few)
    await step(first.token, 'one!', few)
    const wait = gate()
    const submitted = browser.request(world.servers[1]!, (session) =>
      few.finish(session, first.token, async ({ reopen: again }) => {
        await wait.passed
        throw again('not yet')
      }),
    )
    await world.time.pass(10)
    for (const text of ['two', 'three', 'four']) await begin(text, few)
    wait.open()
    expect(await codeOf(submitted)).toBe('ERR_CYCLE_REOPENED')
    expect(await listed(few)).toContain('one!')
  })

  it('has a cycle that began without a state from its first step on', async () => {
    const { token } = await begin(undefined)
    expect(await listed()).toEqual([])
    await step(token, 'late')
    expect(await listed()).toEqual(['late'])
  })

  it('has none whose lifetime is over, though the store still has it', async () => {
    await begin('old')
    await world.time.pass(60 * 60_000 - 1_000)
    await begin('new')
    await world.time.pass(5_000)
    expect(await listed()).toEqual(['new'])
  })

  it('has the others where one cannot be read', async () => {
    await begin('good')
    const bad = pause(world.store, 'create', 'before')
    let spoiled: Selector | undefined
    const create = world.store.create.bind(world.store)
    world.store.create = (selector, record, ttl, durability) => {
      const garbage = Uint8Array.from(record)
      garbage.fill(0xff, garbage.length - 8)
      spoiled = selector
      return create(selector, garbage, ttl, durability)
    }
    bad.goOn()
    const { id, token } = await begin('bad')
    world.store.create = create
    expect(spoiled).toBeDefined()
    expect(await listed()).toEqual(['good'])
    expect(await statusOf(id)).toBe('ERR_CYCLE_UNKNOWN')
    expect(await codeOf(step(token, 'x'))).toBe('ERR_CYCLE_UNKNOWN')
    let ran = 0
    expect(
      await codeOf(browser.visit(world.servers[0]!, (session) => draft.finish(session, token, () => `${++ran}`))),
    ).toBe('ERR_CYCLE_UNKNOWN')
    expect(ran).toBe(0)
  })
})

describe('the limit of open cycles', () => {
  it('holds for cycles that began without a state, from their first step on; and refuses without ending them', async () => {
    for (const text of ['one', 'two']) await step((await begin(undefined, few)).token, text, few)
    const third = await begin(undefined, few)
    expect(await codeOf(step(third.token, 'three', few))).toBe('ERR_CYCLE_LIMIT')
    expect(await listed(few)).toEqual(['two', 'one'])
    await browser.visit(world.servers[0]!, async (session) => few.abandon(session, (await few.list(session))[0]?.id))
    await step(third.token, 'three', few)
    expect(await listed(few)).toEqual(['three', 'one'])
  })

  it('ends none in which a step was taken, also where it began without a state', async () => {
    const stepped = await begin(undefined, few)
    await step(stepped.token, 'mine', few)
    for (const text of ['a', 'b', 'c']) await begin(text, few)
    expect(await listed(few)).toEqual(['c', 'mine'])
  })

  it('ends none that is being finished (I11)', async () => {
    const first = await begin('one', few)
    const second = await begin('two', few)
    const ending = pause(world.store, 'end', 'before')
    const third = browser.request(world.servers[0]!, (session) => few.begin(session, { text: 'three' }))
    await world.time.pass(0)
    await ending.reached
    const wait = gate()
    const submitted = browser.request(world.servers[1]!, (session) =>
      few.finish(session, first.token, async () => {
        await wait.passed
        return 'done'
      }),
    )
    await world.time.pass(10)
    ending.goOn()
    await world.time.settle(third)
    wait.open()
    expect((await submitted).result).toEqual({ result: 'done', repeated: false })
    expect(await statusOf(first.id, few)).toBe('done')
    expect(await statusOf(second.id, few)).toBe('open')
  })

  it('counts none whose lifetime is over', async () => {
    for (const text of ['one', 'two']) await step((await begin(text, few)).token, text, few)
    await world.time.pass(60 * 60_000 + 5_000)
    await begin('three', few)
    expect(await listed(few)).toEqual(['three'])
  })

  it('leaves the newest where two are begun at once, and not none', async () => {
    const begun = await Promise.all(
      world.servers.map(async (server, at) =>
        browser.request(server, (session) => single.begin(session, { text: `${at}` })),
      ),
    )
    const open = await Promise.all(begun.map(({ result }) => statusOf(result.id, single)))
    expect(open.filter((status) => status === 'open').length).toBeGreaterThanOrEqual(1)
    expect(open.filter((status) => status !== 'open' && status !== 'ERR_CYCLE_ENDED')).toEqual([])
    await begin('last', single)
    expect(await listed(single)).toEqual(['last'])
  })
})

describe('a cycle that is abandoned', () => {
  it('I11: while its final step runs: that comes too late, and duplicates get the outcome', async () => {
    const { token } = await begin('one')
    const ending = pause(world.store, 'end', 'before')
    const abandoned = codeOf(browser.request(world.servers[0]!, (session) => draft.abandon(session, token)))
    await world.time.pass(0)
    await ending.reached
    const wait = gate()
    const submitted = browser.request(world.servers[1]!, (session) =>
      draft.finish(session, token, async () => {
        await wait.passed
        return 'done'
      }),
    )
    await world.time.pass(10)
    ending.goOn()
    expect(await world.time.settle(abandoned)).toBe('ERR_CYCLE_BUSY')
    wait.open()
    expect((await submitted).result).toEqual({ result: 'done', repeated: false })
    const again = await browser.visit(world.servers[0]!, (session) => draft.finish(session, token, () => 'twice'))
    expect(again).toEqual({ result: 'done', repeated: true })
  })

  it.each([
    ['with a state', 'one'],
    ['without', undefined],
  ])('is over, and says whether it was open (%s)', async (_, text) => {
    const { id, token } = await begin(text)
    const abandon = () => browser.visit(world.servers[0]!, (session) => draft.abandon(session, id))
    expect(await abandon()).toBe(true)
    expect(await abandon()).toBe(false)
    expect(await listed()).toEqual([])
    expect(await codeOf(browser.visit(world.servers[1]!, (session) => draft.finish(session, token, () => 'x')))).toBe(
      'ERR_CYCLE_ENDED',
    )
  })

  it('I11: without a state, while its final step is claimed for the first time', async () => {
    const { token } = await begin(undefined)
    const ending = pause(world.store, 'end', 'before')
    const abandoned = codeOf(browser.request(world.servers[0]!, (session) => draft.abandon(session, token)))
    await world.time.pass(0)
    await ending.reached
    const finish = () => browser.visit(world.servers[1]!, (session) => draft.finish(session, token, () => 'done'))
    expect(await finish()).toEqual({ result: 'done', repeated: false })
    ending.goOn()
    expect(await world.time.settle(abandoned)).toBe('ERR_CYCLE_FINISHED')
    expect(await finish()).toEqual({ result: 'done', repeated: true })
  })

  it('was not open where it gave way to newer ones', async () => {
    const first = await begin('one', single)
    await begin('two', single)
    expect(await browser.visit(world.servers[0]!, (session) => single.abandon(session, first.id))).toBe(false)
  })
})

describe('a step whose answer gets lost', () => {
  it('is taken once', async () => {
    const { token } = await begin('a')
    failOnce(world.faulty[1]!, 'replace', 'lose')
    const stepped = browser.visit(world.servers[1]!, (session) =>
      draft.step(session, token, (state) => ({ text: `${state?.text}b` })),
    )
    expect((await world.time.settle(stepped)).state).toEqual({ text: 'ab' })
    expect(await listed()).toEqual(['ab'])
  })

  it('because the store is silent, is taken once or not at all: nobody knows', async () => {
    const { token } = await begin('a')
    failOnce(world.faulty[1]!, 'replace', 'swallow')
    const stepped = browser.visit(world.servers[1]!, (session) =>
      draft.step(session, token, (state) => ({ text: `${state?.text}b` })),
    )
    expect(await codeOf(world.time.settle(stepped))).toBe('ERR_COMMIT_UNKNOWN')
    await world.time.pass(100)
    expect(await listed()).toEqual(['ab'])
  })

  it('is never taken twice, where another step came on top of it: nobody knows', async () => {
    const { token } = await begin('a')
    const add = (at: number, sign: string) =>
      browser.request(world.servers[at]!, (session) =>
        draft.step(session, token, (state) => ({ text: `${state?.text}${sign}` })),
      )
    let count = 0
    const remove = around(world.faulty[1]!, 'replace', async (call) => {
      const answer = await call()
      if (++count > 1) return answer
      await add(0, 'c')
      throw new Error('connection reset')
    })
    expect(await codeOf(world.time.settle(add(1, 'b')))).toBe('ERR_COMMIT_UNKNOWN')
    remove()
    expect(await listed()).toEqual(['abc'])
  })

  it('is the same for the first step of a cycle that began without a state, and for a beginning', async () => {
    const { token } = await begin(undefined)
    failOnce(world.faulty[1]!, 'create', 'lose')
    await world.time.settle(step(token, 'one'))
    failOnce(world.faulty[0]!, 'create', 'lose')
    const second = browser.visit(world.servers[0]!, (session) => draft.begin(session, { text: 'two' }))
    await world.time.settle(second)
    expect((await listed()).toSorted()).toEqual(['one', 'two'])
  })
})

describe('an early end', () => {
  it('keeps no step waiting', async () => {
    const steps = defineCycle<Draft, string>('steps', { steps: ['only'] })
    const { token } = await browser.visit(world.servers[0]!, (session) => steps.begin(session, { text: 'a' }))
    const early = pause(world.store, 'patch', 'after')
    const finish = codeOf(browser.request(world.servers[0]!, (session) => steps.finish(session, token, () => 'x')))
    await world.time.pass(0)
    await early.reached
    await browser.visit(world.servers[1]!, (session) => steps.step(session, token, () => undefined, 'only'))
    early.goOn()
    expect(await world.time.settle(finish)).toBe('ERR_CYCLE_STEP')
  })

  it('is refused where a cycle began without a state, and stores nothing', async () => {
    const steps = defineCycle<undefined, string>('steps', { steps: ['first', 'second'] })
    const { token } = await browser.visit(world.servers[0]!, (session) => steps.begin(session))
    const early = browser.visit(world.servers[1]!, (session) => steps.finish(session, token, () => 'x'))
    await expect(early).rejects.toMatchObject({ code: 'ERR_CYCLE_STEP', expected: 'first' })
    expect(world.faulty[1]!.done).not.toContain('create')
  })
})

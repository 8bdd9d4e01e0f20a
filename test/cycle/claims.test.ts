/** The claim on a cycle's final step: taken, kept, lost, left behind. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'

import { StoreUnavailableError } from 'holdfast'
import { defineCycle, type CycleError, type FinalStep } from 'holdfast/cycle'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import type { Patched } from '../../src/core/store.ts'
import { Browser } from '../support/core-browser.ts'
import { around, gate, pause } from '../support/paused-store.ts'
import { codeOf, failOnce, openWorld, type World } from './world.ts'

vi.mock('node:timers/promises', async () => (await import('../support/virtual-time.ts')).virtualPromises)

const order = defineCycle<{ amount: number }, number>('order', { lease: '9s', patience: '3s' })
const signal = defineCycle<undefined, string>('signal', { lease: '9s', patience: '3s' })
const again = defineCycle<{ amount: number }, number>('again', { lease: '9s', patience: '3s', onDoubt: 'retry' })
const LEASE = 9_000

let world: World
let browser: Browser

beforeEach(async () => {
  world = await openWorld()
  browser = new Browser()
})

afterEach(async () => {
  await world.close()
})

type Run = (step: FinalStep<{ amount: number }>) => number | Promise<number>

async function begun(kind = order): Promise<string> {
  return (await browser.visit(world.servers[0]!, (session) => kind.begin(session, { amount: 5 }))).token
}

/** A submission of the final step, whose answer is not waited for. */
function submit(at: number, token: string, run: Run, kind = order): Promise<{ result: number; repeated: boolean }> {
  const submitted = browser
    .request(world.servers[at]!, (session) => kind.finish(session, token, run), 'POST')
    .then(({ result }) => result)
  submitted.catch(() => undefined)
  return submitted
}

/** Runs for so long. */
function lasting(ms: number, result = 1): Run {
  return async () => {
    await new Promise((resolve) => {
      setTimeout(resolve, ms)
    })
    return result
  }
}

/** What the channel says meanwhile. */
async function toldDuring(act: () => Promise<void>): Promise<unknown[]> {
  const told: unknown[] = []
  const note = (message: unknown): void => void told.push((message as { what: string }).what)
  subscribe('holdfast:cycle', note)
  await act()
  unsubscribe('holdfast:cycle', note)
  return told
}

describe('the claim of a server that runs the final step', () => {
  it('I11: is kept for as long as it runs, also where answers to its renewal get lost', async () => {
    const token = await begun()
    failOnce(world.faulty[0]!, 'patch', 'lose', 2)
    const first = submit(0, token, lasting(5 * LEASE))
    for (let at = 0; at < 5; at++) {
      await world.time.pass(LEASE / 2)
      expect(await codeOf(world.time.settle(submit(1, token, () => 2)))).toBe('ERR_CYCLE_BUSY')
    }
    expect(await world.time.settle(first)).toEqual({ result: 1, repeated: false })
    expect(await world.time.settle(submit(1, token, () => 2))).toEqual({ result: 1, repeated: true })
  })

  it.each([
    ['a second ahead', 1_000],
    ['a second behind', -1_000],
  ])('I11: is believed by a server whose clock is %s', async (_, skew) => {
    await world.close()
    world = await openWorld({ skews: [0, skew] })
    const token = await begun()
    const first = submit(0, token, lasting(4 * LEASE))
    for (let at = 0; at < 8; at++) {
      await world.time.pass(LEASE / 10)
      expect(await codeOf(world.time.settle(submit(1, token, () => 2)))).toBe('ERR_CYCLE_BUSY')
    }
    expect(await world.time.settle(first)).toEqual({ result: 1, repeated: false })
  })

  it('is given up where the step goes on for longer than any request may, and aborts it', async () => {
    const token = await begun()
    let aborted = false
    const first = submit(0, token, ({ signal: over }) => {
      over.addEventListener('abort', () => (aborted = true))
      return new Promise(() => undefined)
    })
    first.catch(() => undefined)
    await world.time.pass(14 * 60_000)
    expect(await codeOf(world.time.settle(submit(1, token, () => 2)))).toBe('ERR_CYCLE_BUSY')
    expect(aborted).toBe(false)
    await world.time.pass(60_000 + LEASE + 2_000)
    expect(aborted).toBe(true)
    expect(await codeOf(world.time.settle(submit(1, token, () => 2)))).toBe('ERR_CYCLE_IN_DOUBT')
  })

  it('aborts the step when it has run out and could not be renewed, not before, and not late', async () => {
    const token = await begun()
    const begunAt = world.time.now
    let abortedAt = 0
    const first = submit(0, token, async (step) => {
      step.signal.addEventListener('abort', () => (abortedAt = world.time.now - begunAt))
      return lasting(2 * LEASE)(step)
    })
    await world.time.pass(1)
    world.faulty[0]!.faults = { fail: (asked) => (asked === 'patch' ? 'hang' : undefined) }
    await world.time.pass(LEASE + 100)
    expect(abortedAt).toBeGreaterThanOrEqual(LEASE - 100)
    expect(abortedAt).toBeLessThanOrEqual(LEASE + 10)
    world.faulty[0]!.faults = {}
    expect(await world.time.settle(first)).toEqual({ result: 1, repeated: false })
  })

  it('leaves no timer behind, and none that keeps a process alive', async () => {
    const token = await begun()
    const before = world.time.waiting
    const first = submit(0, token, () => new Promise((resolve) => void setTimeout(resolve, LEASE, 1).unref()))
    await world.time.pass(10)
    expect(world.time.referenced).toBe(0)
    await world.time.settle(first)
    await world.time.pass(2_000)
    expect(world.time.waiting).toBe(before)
  })
})

describe('the answer to a claim gets lost', () => {
  it('I11: and it runs all the same, once', async () => {
    const token = await begun()
    failOnce(world.faulty[0]!, 'patch', 'lose')
    let effects = 0
    const both = Promise.all([submit(0, token, () => ++effects), submit(1, token, () => ++effects)])
    const answers = await world.time.settle(both)
    expect(effects).toBe(1)
    expect(answers.map(({ result }) => result)).toEqual([1, 1])
  })

  it.each(['create', 'patch'] as const)('I11: the same for a cycle without a state (%s)', async (operation) => {
    const { token } = await browser.visit(world.servers[0]!, (session) => signal.begin(session))
    failOnce(world.faulty[0]!, operation, 'lose')
    let effects = 0
    const finish = (at: number) =>
      browser.request(world.servers[at]!, (session) => signal.finish(session, token, () => `${++effects}`))
    const answers = await world.time.settle(Promise.all([finish(0), finish(1)]))
    expect(effects).toBe(1)
    expect(answers.map(({ result }) => result.result)).toEqual(['1', '1'])
  })

  it('I11: because the store is silent: then nothing is run, and the cycle is free again at once', async () => {
    const token = await begun()
    let effects = 0
    failOnce(world.faulty[0]!, 'patch', 'swallow')
    const both = [submit(0, token, () => ++effects), submit(1, token, () => ++effects)] as const
    await expect(world.time.settle(both[0])).rejects.toBeInstanceOf(StoreUnavailableError)
    expect(await world.time.settle(both[1])).toEqual({ result: 1, repeated: false })
    expect(effects).toBe(1)
  })

  it('I11: every time: then nothing is run, and the cycle is free again at once', async () => {
    const token = await begun()
    let effects = 0
    world.faulty[0]!.faults = { fail: (asked) => (asked === 'patch' ? 'lose' : undefined) }
    const first = submit(0, token, () => ++effects)
    await expect(world.time.settle(first)).rejects.toBeInstanceOf(StoreUnavailableError)
    expect(effects).toBe(0)
    world.faulty[0]!.faults = {}
    expect(await world.time.settle(submit(1, token, () => ++effects))).toEqual({ result: 1, repeated: false })
  })

  it('I11: and the claim arrives when nobody waits for it any more: the cycle is free again before its lease is over', async () => {
    const token = await begun()
    let effects = 0
    // The store is stopped, and carries out later what it was sent.
    const stopped = gate()
    const patch = world.store.patch.bind(world.store)
    world.store.patch = async (...asked) => {
      await stopped.passed
      return patch(...asked)
    }
    const first = submit(0, token, () => ++effects)
    await expect(world.time.settle(first)).rejects.toBeInstanceOf(StoreUnavailableError)
    await world.time.pass(500)
    world.store.patch = patch
    stopped.open()
    await world.time.pass(1_500)
    expect(await world.time.settle(submit(1, token, () => ++effects))).toEqual({ result: 1, repeated: false })
  })
})

describe('a server that is stopped for longer than its lease, and goes on', () => {
  it('I11: between the claim and the step: it runs nothing where somebody was told that it is in doubt', async () => {
    const token = await begun()
    const claim = pause(world.store, 'patch', 'after')
    let effects = 0
    // The store's deadline is not what ends it: the whole process stands still.
    const first = submit(0, token, () => ++effects)
    await world.time.pass(0)
    await claim.reached
    // Its clock goes on, its timers do not: as far as it knows the answer came in time.
    const now = world.time.now
    const clock = vi.spyOn(world.time, 'now', 'get').mockImplementation(() => now + LEASE + 1_500)
    expect(await codeOf(world.time.settle(submit(1, token, () => ++effects)))).toBe('ERR_CYCLE_IN_DOUBT')
    claim.goOn()
    expect(await codeOf(world.time.settle(first))).toBe('ERR_CYCLE_IN_DOUBT')
    expect(effects).toBe(0)
    clock.mockRestore()
  })

  it('I11: between the claim and the step, and nobody looked: it takes the cycle again, and runs it', async () => {
    const token = await begun()
    const claim = pause(world.store, 'patch', 'after')
    let effects = 0
    const first = submit(0, token, () => ++effects)
    await world.time.pass(0)
    await claim.reached
    const now = world.time.now
    const clock = vi.spyOn(world.time, 'now', 'get').mockImplementation(() => now + LEASE + 1_500)
    claim.goOn()
    expect(await world.time.settle(first)).toEqual({ result: 1, repeated: false })
    expect(effects).toBe(1)
    clock.mockRestore()
  })

  it('I11: within the step: meanwhile it is in doubt, then everybody gets the outcome', async () => {
    const token = await begun()
    const stopped = gate()
    const first = submit(0, token, async () => {
      await stopped.passed
      return 7
    })
    await world.time.pass(1)
    world.faulty[0]!.faults = { fail: (asked) => (asked === 'patch' ? 'refuse' : undefined) }
    await world.time.pass(LEASE + 1_500)
    expect(await codeOf(world.time.settle(submit(1, token, () => 8)))).toBe('ERR_CYCLE_IN_DOUBT')
    world.faulty[0]!.faults = {}
    stopped.open()
    expect(await world.time.settle(first)).toEqual({ result: 7, repeated: false })
    expect(await world.time.settle(submit(1, token, () => 8))).toEqual({ result: 7, repeated: true })
  })

  it('I11: within the step, and then says that nothing happened: the doubt is over for everybody', async () => {
    const token = await begun()
    const stopped = gate()
    const first = submit(0, token, async ({ reopen }) => {
      await stopped.passed
      throw reopen('declined')
    })
    await world.time.pass(1)
    world.faulty[0]!.faults = { fail: (asked) => (asked === 'patch' ? 'refuse' : undefined) }
    await world.time.pass(LEASE + 1_500)
    expect(await codeOf(world.time.settle(submit(1, token, () => 8)))).toBe('ERR_CYCLE_IN_DOUBT')
    stopped.open()
    expect(await codeOf(world.time.settle(first))).toBe('ERR_CYCLE_REOPENED')
    expect(await world.time.settle(submit(1, token, () => 8))).toEqual({ result: 8, repeated: false })
  })

  it('does not take the outcome from the one who ran it again, where that is asked for', async () => {
    const token = await begun(again)
    const [stopped, second] = [gate(), gate()]
    const keys: string[] = []
    const first = submit(
      0,
      token,
      async ({ idempotencyKey }) => {
        keys.push(idempotencyKey)
        await stopped.passed
        return 1
      },
      again,
    )
    await world.time.pass(1)
    world.faulty[0]!.faults = { fail: (asked) => (asked === 'patch' ? 'refuse' : undefined) }
    await world.time.pass(LEASE + 1_500)
    const other = submit(
      1,
      token,
      async ({ idempotencyKey }) => {
        keys.push(idempotencyKey)
        await second.passed
        return 2
      },
      again,
    )
    await world.time.pass(1)
    world.faulty[0]!.faults = {}
    stopped.open()
    await world.time.settle(first)
    second.open()
    expect(await world.time.settle(other)).toEqual({ result: 2, repeated: false })
    expect(await world.time.settle(submit(0, token, () => 3, again))).toEqual({ result: 2, repeated: true })
    expect(new Set(keys).size).toBe(1)
  })
})

describe('a server that died with the claim', () => {
  async function died(kind = order): Promise<string> {
    const token = await begun(kind)
    submit(0, token, () => new Promise(() => undefined), kind).catch(() => undefined)
    await world.time.pass(1)
    world.faulty[0]!.faults = { fail: () => 'hang' }
    return token
  }

  it('I11: leaves the cycle in doubt after its lease, with the idempotency key', async () => {
    const token = await died()
    await world.time.pass(LEASE + 1_100)
    const failed = await world.time.settle(submit(1, token, () => 2)).catch((error: unknown) => error)
    expect(failed).toMatchObject({ code: 'ERR_CYCLE_IN_DOUBT' })
    expect((failed as CycleError).idempotencyKey).toMatch(/^[\w-]{24}$/)
  })

  it('is seen as in doubt by all who look, also before anybody submits again', async () => {
    const token = await died()
    await world.time.pass(LEASE + 1_100)
    const at = world.servers[1]!
    expect(await browser.visit(at, (session) => order.load(session, token))).toMatchObject({ status: 'in-doubt' })
    expect(await codeOf(browser.visit(at, (session) => order.step(session, token, () => undefined)))).toBe(
      'ERR_CYCLE_IN_DOUBT',
    )
    expect(await codeOf(browser.visit(at, (session) => order.abandon(session, token)))).toBe('ERR_CYCLE_IN_DOUBT')
  })

  it('is not taken to be dead where it gave a sign of life between the look and the mark', async () => {
    const token = await begun()
    const late = gate()
    const first = submit(0, token, async () => {
      await late.passed
      return 1
    })
    await world.time.pass(1)
    // It stood still, and goes on just now.
    world.faulty[0]!.faults = { fail: (asked) => (asked === 'patch' ? 'refuse' : undefined) }
    await world.time.pass((4 * LEASE) / 3 - 300)
    const looked = pause(world.store, 'epoch', 'after')
    const second = codeOf(submit(1, token, () => 2))
    await world.time.pass(0)
    await looked.reached
    world.faulty[0]!.faults = {}
    await world.time.pass(500)
    looked.goOn()
    expect(await world.time.settle(second)).toBe('ERR_CYCLE_BUSY')
    late.open()
    expect(await world.time.settle(first)).toEqual({ result: 1, repeated: false })
  })

  it('lets it be run again where that is asked for, under the same key', async () => {
    const token = await died(again)
    await world.time.pass(LEASE + 1_100)
    expect(await world.time.settle(submit(1, token, () => 2, again))).toEqual({ result: 2, repeated: false })
  })
})

describe('a server that takes a cycle over from one that gives no sign, and then runs nothing', () => {
  /** Its claim counts, and it does not get to know that it does. */
  const lost = (): void => {
    let claims = 0
    const fail = (asked: string): 'lose' | undefined => (asked === 'patch' && ++claims > 1 ? 'lose' : undefined)
    world.faulty[1]!.faults = { fail }
  }
  /** Its claim counts on the primary. */
  const unconfirmed = (): void => {
    const remove = around(world.store, 'patch', async (call) => {
      const patched = (await call()) as Patched
      if (!patched.done) return patched
      remove()
      return { ...patched, durable: false }
    })
  }
  const faults = [
    ['no answer to its claim', lost],
    ['no replica', unconfirmed],
  ] as const

  /** A cycle whose first claim has run out, with a second one that was in vain. */
  async function takenOver(run: Run, fault: () => void): Promise<{ token: string; first: Promise<unknown> }> {
    const token = await begun(again)
    const first = submit(0, token, run, again)
    await world.time.pass(1)
    world.faulty[0]!.faults = { fail: (asked) => (asked === 'patch' ? 'refuse' : undefined) }
    await world.time.pass(LEASE + 1_100)
    fault()
    const second = submit(1, token, () => 2, again)
    await expect(world.time.settle(second)).rejects.toBeInstanceOf(StoreUnavailableError)
    for (const one of world.faulty) one.faults = {}
    await world.time.pass(500)
    return { token, first }
  }

  it.each(faults)('I11: leaves the doubt, which nothing has resolved (%s)', async (_, fault) => {
    const { token } = await takenOver(() => new Promise(() => undefined), fault)
    const at = world.servers[1]!
    expect(await codeOf(browser.visit(at, (session) => again.abandon(session, token)))).toBe('ERR_CYCLE_IN_DOUBT')
    const step = browser.visit(at, (session) => again.step(session, token, () => ({ amount: 6 })))
    expect(await codeOf(step)).toBe('ERR_CYCLE_IN_DOUBT')
    expect(await world.time.settle(submit(1, token, () => 3, again))).toEqual({ result: 3, repeated: false })
  })

  it.each(faults)('leaves it to the first one to record its outcome (%s)', async (_, fault) => {
    const stopped = gate()
    const run: Run = async () => {
      await stopped.passed
      return 1
    }
    const { token, first } = await takenOver(run, fault)
    stopped.open()
    expect(await world.time.settle(first)).toEqual({ result: 1, repeated: false })
    expect(await world.time.settle(submit(1, token, () => 3, again))).toEqual({ result: 1, repeated: true })
  })
})

describe('the outcome of the final step', () => {
  it.each(['lose', 'swallow', 'refuse', 'hang'] as const)(
    'I11: is recorded, though the first answer fails (%s)',
    async (fault) => {
      const token = await begun()
      failOnce(world.faulty[0]!, 'replace', fault)
      const told = await toldDuring(async () => {
        expect(await world.time.settle(submit(0, token, () => 3))).toEqual({ result: 3, repeated: false })
      })
      expect(told).toEqual(['done'])
      expect(await world.time.settle(submit(1, token, () => 4))).toEqual({ result: 3, repeated: true })
    },
  )

  it('I11: is recorded though the cycle cannot be taken out of the list', async () => {
    const token = await begun()
    world.faulty[0]!.faults = { fail: (asked) => (asked === 'withdraw' ? 'refuse' : undefined) }
    expect(await world.time.settle(submit(0, token, () => 3))).toEqual({ result: 3, repeated: false })
    expect(await world.time.settle(submit(1, token, () => 4))).toEqual({ result: 3, repeated: true })
  })

  it('is recorded later, where the store failed for longer than the claim held: until then it is in doubt', async () => {
    const token = await begun()
    world.faulty[0]!.faults = { fail: (asked) => (asked === 'replace' ? 'refuse' : undefined) }
    expect(await world.time.settle(submit(0, token, () => 3))).toEqual({ result: 3, repeated: false })
    await world.time.pass(LEASE + 1_500)
    expect(await codeOf(world.time.settle(submit(1, token, () => 4)))).toBe('ERR_CYCLE_IN_DOUBT')
    world.faulty[0]!.faults = {}
    await world.time.pass(30_000)
    expect(await world.time.settle(submit(1, token, () => 4))).toEqual({ result: 3, repeated: true })
  })

  it('is not tried for ever', async () => {
    const token = await begun()
    const before = world.time.waiting
    world.faulty[0]!.faults = { fail: (asked) => (asked === 'replace' ? 'refuse' : undefined) }
    await world.time.settle(submit(0, token, () => 3))
    expect(world.time.referenced).toBe(0)
    await world.time.pass(20 * 60_000)
    expect(world.time.waiting).toBe(before)
  })

  it('is told on the channel, in one word', async () => {
    const told = await toldDuring(async () => {
      const token = await begun()
      await world.time.settle(submit(0, token, ({ reopen }) => Promise.reject(reopen('no')))).catch(() => undefined)
      await world.time.settle(submit(0, token, () => 3))
      await world.time.settle(submit(1, token, () => 3))
    })
    expect(told).toEqual(['reopened', 'done', 'repeated'])
  })
})

describe('a cycle that is opened again', () => {
  it.each(['lose', 'swallow', 'refuse', 'hang'] as const)(
    'can be submitted again, though the answer to that failed (%s)',
    async (fault) => {
      const token = await begun()
      failOnce(world.faulty[0]!, 'replace', fault)
      const first = submit(0, token, ({ reopen }) => {
        throw reopen('card declined')
      })
      expect(await codeOf(world.time.settle(first))).toBe('ERR_CYCLE_REOPENED')
      expect(await world.time.settle(submit(1, token, () => 4))).toEqual({ result: 4, repeated: false })
    },
  )

  it('is so too where the reason was returned, not thrown', async () => {
    const token = await begun()
    const first = submit(0, token, ({ reopen }) => reopen('card declined') as never)
    expect(await codeOf(world.time.settle(first))).toBe('ERR_CYCLE_REOPENED')
    expect(await world.time.settle(submit(1, token, () => 4))).toEqual({ result: 4, repeated: false })
  })

  it('I11: by a server that has lost its claim: whoever took the cycle meanwhile keeps it', async () => {
    const token = await begun(again)
    const [stopped, second] = [gate(), gate()]
    const first = submit(
      0,
      token,
      async ({ reopen }) => {
        await stopped.passed
        throw reopen('too late')
      },
      again,
    )
    await world.time.pass(1)
    world.faulty[0]!.faults = { fail: (asked) => (asked === 'patch' ? 'refuse' : undefined) }
    await world.time.pass(LEASE + 1_500)
    let effects = 0
    const other = submit(
      1,
      token,
      async () => {
        effects++
        await second.passed
        return 2
      },
      again,
    )
    await world.time.pass(1)
    world.faulty[0]!.faults = {}
    stopped.open()
    expect(await codeOf(world.time.settle(first))).toBe('ERR_CYCLE_REOPENED')
    const third = submit(0, token, () => ++effects, again)
    await world.time.pass(100)
    second.open()
    await world.time.settle(other)
    expect(await world.time.settle(third)).toEqual({ result: 2, repeated: true })
    expect(effects).toBe(1)
  })
})

describe('what the final step may do to what it is given', () => {
  it('anything: the outcome is recorded all the same', async () => {
    const token = await begun()
    const spoil: Run = ({ state }) => {
      Object.assign(state, { payment: new Map([[() => 1, 2]]), amount: Symbol('five') })
      return 3
    }
    expect(await world.time.settle(submit(0, token, spoil))).toEqual({ result: 3, repeated: false })
    expect(await world.time.settle(submit(1, token, () => 4))).toEqual({ result: 3, repeated: true })
    expect(await browser.visit(world.servers[1]!, (session) => order.load(session, token))).toMatchObject({
      state: { amount: 5 },
      status: 'done',
    })
  })

  it.each([
    ['a symbol', Object.assign(new Error('x'), { name: Symbol('x') })],
    ['endless', Object.assign(new Error('x'), { name: 'x'.repeat(100_000) })],
    [
      'one that throws',
      Object.defineProperty(new Error('x'), 'name', {
        get: () => {
          throw new Error('no name')
        },
      }),
    ],
    ['nothing at all', undefined],
  ])('throw an error whose name is %s: the cycle ends as failed', async (_, error) => {
    const token = await begun()
    const first = submit(0, token, () => {
      throw error as Error
    })
    const caught = await world.time.settle(first).then(
      () => 'no error',
      (thrown: unknown) => thrown,
    )
    expect(caught).toBe(error)
    expect(await codeOf(world.time.settle(submit(1, token, () => 4)))).toBe('ERR_CYCLE_FAILED')
  })

  it.each([
    ['a function', () => () => 1],
    ['larger than a record', () => 'x'.repeat(300_000)],
  ])('return what cannot be kept (%s): who submits again learns that it is done', async (_, make) => {
    const token = await begun()
    const first = await world.time.settle(submit(0, token, make as never))
    expect(first.repeated).toBe(false)
    const second = await world.time.settle(submit(1, token, () => 4)).catch((error: unknown) => error)
    expect(second).toMatchObject({ code: 'ERR_CYCLE_FINISHED' })
    expect((second as CycleError).idempotencyKey).toMatch(/^[\w-]{24}$/)
  })

  it('a logger that throws changes nothing', async () => {
    await world.close()
    const broken = (): never => {
      throw new Error('disk full')
    }
    world = await openWorld({ log: { warn: broken, error: broken } })
    const token = await begun()
    const first = await world.time.settle(submit(0, token, (() => () => 1) as never)).catch((error: unknown) => error)
    expect(first).toMatchObject({ repeated: false })
    expect(await codeOf(world.time.settle(submit(1, token, () => 4)))).toBe('ERR_CYCLE_FINISHED')
  })
})

describe('a store of which one call fails at once while another is under way', () => {
  it('leaves no rejection that nobody waits for, which would end the process', async () => {
    // The look at the index is lost; the entry in it is refused in the same turn.
    world.faulty[0]!.faults = {
      fail: (asked) => (asked === 'roll' ? 'lose' : undefined),
      delay: (asked) => (asked === 'roll' ? 10 : 0),
    }
    const remove = around(world.store, 'enroll', () => {
      throw new Error('full')
    })
    const refused = browser.visit(world.servers[0]!, (session) => order.begin(session, { amount: 1 }))
    expect(await codeOf(world.time.settle(refused))).toBe('ERR_STORE_UNAVAILABLE')
    await world.time.pass(100)
    remove()
  })
})

describe('a store that fails at every call of one kind', () => {
  const operations = ['load', 'create', 'replace', 'patch', 'end', 'enroll', 'withdraw', 'roll'] as const
  const faults = ['refuse', 'lose', 'hang', 'swallow'] as const

  it.each(operations.flatMap((operation) => faults.map((fault) => [operation, fault] as const)))(
    'I11: %s, %s: nothing runs twice, everything answers in bounded time, and afterwards it goes on',
    async (operation, fault) => {
      const tokens = [await begun(), await begun()]
      const blank = await browser.visit(world.servers[0]!, (session) => signal.begin(session))
      world.faulty[0]!.faults = { fail: (asked) => (asked === operation ? fault : undefined) }
      let effects = 0
      const visit = (act: Parameters<Browser['request']>[1]): Promise<unknown> =>
        world.time.settle(browser.request(world.servers[0]!, act as never), 30_000).catch((error: unknown) => error)
      await visit((session) => order.begin(session, { amount: 1 }))
      await visit((session) => order.step(session, tokens[0], (state) => void state.amount++))
      await visit((session) => order.finish(session, tokens[0], () => ++effects))
      await visit((session) => signal.finish(session, blank.token, () => 'sent'))
      await visit((session) => order.list(session))
      await visit((session) => order.abandon(session, tokens[1]))
      const one = effects
      expect(one).toBeLessThanOrEqual(1)
      world.faulty[0]!.faults = {}
      await world.time.pass(LEASE + 1_500)
      const last = await world.time.settle(submit(1, tokens[0]!, () => ++effects)).catch((error: unknown) => error)
      expect(effects).toBe(1)
      expect(last).toMatchObject(one === 1 ? { result: 1, repeated: true } : { result: 1, repeated: false })
    },
  )
})

import { OptionsError, StoreUnavailableError, UnconfirmedError } from 'holdfast'
import { CycleError, defineCycle, type CycleKind } from 'holdfast/cycle'
import { describe, expect, it } from 'vitest'

import type { Swap } from '../../src/core/store.ts'
import { Browser, deployment, type Deployment } from '../support/core-browser.ts'

interface Transfer {
  amount: number
  to?: string
}

const transfer = defineCycle<Transfer, { receipt: number }>('transfer', { steps: ['details', 'confirm'] })
const plain = defineCycle<Transfer, number>('plain')

async function codeOf(act: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await act()
  } catch (error) {
    if (error instanceof CycleError) return error.code
    throw error
  }
  return undefined
}

/** A visitor with something stored, and a cycle that one of the servers began. */
async function begun(): Promise<Deployment & { browser: Browser; token: string; id: string }> {
  const deployed = await deployment()
  const browser = new Browser()
  const { token, id } = await browser.visit(deployed.servers[0]!, (session) => plain.begin(session, { amount: 5 }))
  return { ...deployed, browser, token, id }
}

describe('a cycle from its beginning to its end', () => {
  it('goes from server to server, and ends with the result of what was run', async () => {
    const { servers } = await deployment()
    const [one, other] = servers
    const browser = new Browser()
    const first = await browser.visit(one!, (session) => transfer.begin(session, { amount: 5 }))
    expect(first).toMatchObject({ state: { amount: 5 }, status: 'open', step: undefined, next: 'details' })
    const second = await browser.visit(other!, (session) =>
      transfer.step(session, first.token, (state) => void (state.to = 'Bob')),
    )
    expect(second).toMatchObject({ state: { amount: 5, to: 'Bob' }, step: 'details', next: 'confirm' })
    const third = await browser.visit(one!, (session) =>
      transfer.step(session, second.token, () => undefined, 'confirm'),
    )
    expect(third).toMatchObject({ step: 'confirm', next: undefined })
    const done = await browser.visit(other!, (session) =>
      transfer.finish(session, third.token, ({ state }) => ({ receipt: state.amount * 100 })),
    )
    expect(done).toEqual({ result: { receipt: 500 }, repeated: false })
  })

  it('needs no state: then nothing is written until its end', async () => {
    const { servers, store } = await deployment()
    const signal = defineCycle<undefined, string>('signal')
    const browser = new Browser()
    const before = store.stats().commands
    const cycle = await browser.visit(servers[0]!, (session) => signal.begin(session))
    expect(store.stats().commands).toBe(before)
    const again = await browser.visit(servers[1]!, (session) => signal.load(session, cycle.id))
    expect(again).toMatchObject({ status: 'open', state: undefined })
    const finish = () => browser.visit(servers[1]!, (session) => signal.finish(session, cycle.token, () => 'sent'))
    expect(await finish()).toEqual({ result: 'sent', repeated: false })
    expect(await finish()).toEqual({ result: 'sent', repeated: true })
  })

  it('can be looked at by its id and by its token, before and after the end', async () => {
    const { browser, servers, token, id } = await begun()
    for (const name of [id, token])
      expect(await browser.visit(servers[1]!, (session) => plain.load(session, name))).toMatchObject({
        id,
        status: 'open',
      })
    await browser.visit(servers[1]!, (session) => plain.finish(session, token, () => 7))
    expect(await browser.visit(servers[0]!, (session) => plain.load(session, id))).toMatchObject({
      status: 'done',
      result: 7,
    })
  })

  it('gives its token another spelling each time', async () => {
    const { browser, servers, id, token } = await begun()
    const again = await browser.visit(servers[0]!, (session) => plain.load(session, id))
    expect(again.token).not.toBe(token)
    expect(again.field()).toBe(`<input type="hidden" name="_csrf" value="${again.token}">`)
  })

  it('is a CSRF token too', async () => {
    const { browser, servers, token } = await begun()
    expect(await browser.visit(servers[1]!, (session) => session.csrf.verify(token))).toBe(true)
  })

  it('lists what is open, newest first, and not what is over', async () => {
    const { browser, servers, clock } = await begun()
    clock.forward(1_000)
    const second = await browser.visit(servers[0]!, (session) => plain.begin(session, { amount: 6 }))
    const list = () => browser.visit(servers[1]!, (session) => plain.list(session))
    expect((await list()).map(({ state }) => state.amount)).toEqual([6, 5])
    await browser.visit(servers[0]!, (session) => plain.finish(session, second.token, () => 1))
    expect((await list()).map(({ state }) => state.amount)).toEqual([5])
  })
})

describe('the end of a cycle', () => {
  it('I11: runs once, whoever sends it how often', async () => {
    const { browser, servers, token } = await begun()
    let effects = 0
    const run = async (): Promise<number> => {
      await new Promise((resolve) => setTimeout(resolve, 30))
      return ++effects
    }
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, at) =>
        browser.request(servers[at % 2]!, (session) => plain.finish(session, token, run), 'POST'),
      ),
    )
    expect(effects).toBe(1)
    expect(answers.map(({ result }) => result.result)).toEqual([1, 1, 1, 1, 1, 1])
    expect(answers.filter(({ result }) => !result.repeated)).toHaveLength(1)
  })

  it('can say that nothing happened, and the visitor tries again', async () => {
    const { browser, servers, token } = await begun()
    const failing = browser.visit(servers[0]!, (session) =>
      plain.finish(session, token, ({ reopen }) => {
        throw reopen('card declined')
      }),
    )
    await expect(failing).rejects.toMatchObject({ code: 'ERR_CYCLE_REOPENED', reason: 'card declined' })
    const done = await browser.visit(servers[1]!, (session) =>
      plain.finish(session, token, ({ state }) => state.amount),
    )
    expect(done).toEqual({ result: 5, repeated: false })
  })

  it('ends as failed with any other error, which its maker gets as it is', async () => {
    const { browser, servers, token } = await begun()
    const failing = browser.visit(servers[0]!, (session) =>
      plain.finish(session, token, () => {
        throw new RangeError('no more')
      }),
    )
    await expect(failing).rejects.toBeInstanceOf(RangeError)
    const again = browser.visit(servers[1]!, (session) => plain.finish(session, token, () => 1))
    await expect(again).rejects.toMatchObject({ code: 'ERR_CYCLE_FAILED', reason: 'RangeError' })
  })

  it('gives the effect one name over all retries', async () => {
    const { browser, servers, token } = await begun()
    const keys: string[] = []
    for (const at of [0, 1, 0])
      await browser
        .visit(servers[at]!, (session) =>
          plain.finish(session, token, ({ idempotencyKey, reopen }) => {
            keys.push(idempotencyKey)
            throw reopen('again')
          }),
        )
        .catch(() => undefined)
    expect(keys).toHaveLength(3)
    expect(new Set(keys).size).toBe(1)
  })

  it('comes after the last step, where steps are declared', async () => {
    const { servers } = await deployment()
    const browser = new Browser()
    const { token } = await browser.visit(servers[0]!, (session) => transfer.begin(session, { amount: 5 }))
    const early = browser.visit(servers[0]!, (session) => transfer.finish(session, token, () => ({ receipt: 1 })))
    await expect(early).rejects.toMatchObject({ code: 'ERR_CYCLE_STEP', expected: 'details' })
    await browser.visit(servers[0]!, (session) => transfer.step(session, token, () => undefined))
    await browser.visit(servers[0]!, (session) => transfer.step(session, token, () => undefined))
    expect(
      await browser.visit(servers[0]!, (session) => transfer.finish(session, token, () => ({ receipt: 1 }))),
    ).toMatchObject({
      repeated: false,
    })
  })
})

describe('what a cycle refuses', () => {
  it('a step that is not next; one that was taken may be taken again', async () => {
    const { servers } = await deployment()
    const browser = new Browser()
    const { token } = await browser.visit(servers[0]!, (session) => transfer.begin(session, { amount: 5 }))
    const step = (name: string) =>
      browser.visit(servers[1]!, (session) => transfer.step(session, token, () => undefined, name))
    expect(await codeOf(() => step('confirm'))).toBe('ERR_CYCLE_STEP')
    expect(await codeOf(() => step('nonsense'))).toBe('ERR_CYCLE_STEP')
    await step('details')
    await step('confirm')
    expect(await step('details')).toMatchObject({ step: 'details', next: 'confirm' })
  })

  it('steps after the end', async () => {
    const { browser, servers, token } = await begun()
    await browser.visit(servers[0]!, (session) => plain.finish(session, token, () => 1))
    expect(
      await codeOf(() => browser.visit(servers[1]!, (session) => plain.step(session, token, () => undefined))),
    ).toBe('ERR_CYCLE_FINISHED')
    expect(await codeOf(() => browser.visit(servers[1]!, (session) => plain.abandon(session, token)))).toBe(
      'ERR_CYCLE_FINISHED',
    )
  })

  it('everything once it was abandoned', async () => {
    const { browser, servers, token, id } = await begun()
    expect(await browser.visit(servers[0]!, (session) => plain.abandon(session, id))).toBe(true)
    for (const act of [
      () => browser.visit(servers[1]!, (session) => plain.load(session, id)),
      () => browser.visit(servers[1]!, (session) => plain.step(session, token, () => undefined)),
      () => browser.visit(servers[1]!, (session) => plain.finish(session, token, () => 1)),
    ])
      expect(await codeOf(act)).toBe('ERR_CYCLE_ENDED')
  })

  it('another session, by token and by id', async () => {
    const { servers, token, id } = await begun()
    const stranger = new Browser()
    await stranger.visit(servers[0]!, (session) => void (session.data['seen'] = true))
    expect(await codeOf(() => stranger.visit(servers[0]!, (session) => plain.finish(session, token, () => 1)))).toBe(
      'ERR_CYCLE_ENDED',
    )
    expect(await codeOf(() => stranger.visit(servers[0]!, (session) => plain.load(session, id)))).toBe(
      'ERR_CYCLE_UNKNOWN',
    )
  })

  it('another kind of cycle, a plain CSRF token, garbage, nothing', async () => {
    const { browser, servers, token } = await begun()
    const code = (kind: CycleKind<never, never>, given: string | undefined) =>
      codeOf(() => browser.visit(servers[0]!, (session) => kind.load(session, given)))
    expect(await code(transfer as never, token)).toBe('ERR_CYCLE_UNKNOWN')
    const csrf = await browser.visit(servers[0]!, (session) => session.csrf.token())
    expect(await code(plain as never, csrf)).toBe('ERR_CYCLE_UNKNOWN')
    expect(await code(plain as never, 'garbage')).toBe('ERR_CYCLE_FOREIGN')
    expect(await code(plain as never, undefined)).toBe('ERR_CYCLE_FOREIGN')
  })

  it('anything after its lifetime, but its outcome', async () => {
    const { servers, clock } = await deployment({ idleTimeout: '2h' })
    const short = defineCycle<Transfer, number>('short', { lifetime: '10m' })
    const browser = new Browser()
    const cycle = await browser.visit(servers[0]!, (session) => short.begin(session, { amount: 1 }))
    const done = await browser.visit(servers[0]!, (session) => short.begin(session, { amount: 2 }))
    await browser.visit(servers[0]!, (session) => short.finish(session, done.token, () => 3))
    clock.forward(10 * 60_000 + 5_000)
    expect(
      await codeOf(() => browser.visit(servers[1]!, (session) => short.finish(session, cycle.token, () => 1))),
    ).toBe('ERR_CYCLE_EXPIRED')
    expect(await codeOf(() => browser.visit(servers[1]!, (session) => short.load(session, cycle.id)))).toBe(
      'ERR_CYCLE_EXPIRED',
    )
    expect(await browser.visit(servers[1]!, (session) => short.finish(session, done.token, () => 9))).toEqual({
      result: 3,
      repeated: true,
    })
  })

  it('options that are wrong', () => {
    for (const make of [
      () => defineCycle(''),
      () => defineCycle('a b'),
      () => defineCycle('a', { steps: [] }),
      () => defineCycle('a', { steps: ['x', 'x'] }),
      () => defineCycle('a', { maxOpen: 0 }),
      () => defineCycle('a', { lifetime: '0m' as never }),
      () => defineCycle('a', { onDoubt: 'perhaps' as never }),
      () => defineCycle('a', { schema: {} as never }),
      () => defineCycle('a', { step: ['x'] } as never),
    ])
      expect(make).toThrow(OptionsError)
  })

  it('a state that the schema refuses; and takes what it made of it', async () => {
    const { servers } = await deployment()
    const schema = {
      '~standard': {
        version: 1 as const,
        vendor: 'test',
        validate: (value: unknown) => {
          const { amount } = value as Transfer
          return amount > 0
            ? { value: { amount: Math.round(amount) } }
            : { issues: [{ message: 'too little', path: ['amount'] }] }
        },
      },
    }
    const checked = defineCycle<Transfer, number>('checked', { schema })
    const browser = new Browser()
    const refused = browser.visit(servers[0]!, (session) => checked.begin(session, { amount: 0 }))
    await expect(refused).rejects.toMatchObject({ code: 'ERR_CYCLE_STATE', issues: [{ path: ['amount'] }] })
    const cycle = await browser.visit(servers[0]!, (session) => checked.begin(session, { amount: 1.6 }))
    expect(cycle.state).toEqual({ amount: 2 })
    const worse = browser.visit(servers[0]!, (session) => checked.step(session, cycle.token, () => ({ amount: -1 })))
    await expect(worse).rejects.toMatchObject({ code: 'ERR_CYCLE_STATE' })
    expect(await browser.visit(servers[0]!, (session) => checked.load(session, cycle.id))).toMatchObject({
      state: { amount: 2 },
    })
  })
})

describe('what a cycle lives through', () => {
  it('a visitor who becomes a guest, renewals, and a pause as long as the session', async () => {
    const { servers, clock } = await deployment({ idleTimeout: '3h', absoluteTimeout: '12h' })
    const browser = new Browser()
    const cycle = await browser.visit(servers[0]!, (session) => plain.begin(session, { amount: 5 }))
    await browser.visit(servers[1]!, (session) => void (session.data['name'] = 'Ada'))
    await browser.visit(servers[0]!, (session) => session.regenerateId())
    for (let hours = 0; hours < 10; hours += 2) {
      clock.forward(2 * 3_600_000)
      await browser.visit(servers[1]!, (session) => session.handle)
    }
    expect(
      await browser.visit(servers[1]!, (session) => plain.finish(session, cycle.token, ({ state }) => state.amount)),
    ).toEqual({
      result: 5,
      repeated: false,
    })
  })

  it('not a sign-in, nor a sign-out', async () => {
    const { browser, servers, token } = await begun()
    await browser.visit(servers[0]!, (session) => session.signIn('ada'))
    const finish = (with_: string) =>
      codeOf(() => browser.visit(servers[1]!, (session) => plain.finish(session, with_, () => 1)))
    expect(await finish(token)).toBe('ERR_CYCLE_ENDED')
    const mine = await browser.visit(servers[0]!, (session) => plain.begin(session, { amount: 1 }))
    await browser.visit(servers[0]!, (session) => session.signOut())
    expect(await finish(mine.token)).toBe('ERR_CYCLE_ENDED')
  })

  it('two tabs with a cycle each, and two steps at once in one', async () => {
    const { servers } = await deployment()
    const browser = new Browser()
    const counting = defineCycle<{ clicks: number }, number>('counting')
    const [one, two] = [
      await browser.visit(servers[0]!, (session) => counting.begin(session, { clicks: 0 })),
      await browser.visit(servers[1]!, (session) => counting.begin(session, { clicks: 100 })),
    ]
    await Promise.all(
      Array.from({ length: 8 }, (_, at) =>
        browser.request(
          servers[at % 2]!,
          (session) => counting.step(session, one.token, (state) => void state.clicks++),
          'POST',
        ),
      ),
    )
    expect(await browser.visit(servers[0]!, (session) => counting.load(session, one.id))).toMatchObject({
      state: { clicks: 8 },
    })
    expect(await browser.visit(servers[0]!, (session) => counting.load(session, two.id))).toMatchObject({
      state: { clicks: 100 },
    })
  })
})

describe('the limit of open cycles', () => {
  it('ends the oldest that took no step, and refuses where there is none', async () => {
    const { servers, clock } = await deployment()
    const few = defineCycle<Transfer, number>('few', { maxOpen: 2 })
    const browser = new Browser()
    const begin = async (amount: number) => {
      clock.forward(1_000)
      return browser.visit(servers[amount % 2]!, (session) => few.begin(session, { amount }))
    }
    const first = await begin(1)
    const second = await begin(2)
    await browser.visit(servers[0]!, (session) => few.step(session, first.token, () => undefined))
    const third = await begin(3)
    expect(await codeOf(() => browser.visit(servers[0]!, (session) => few.load(session, second.id)))).toBe(
      'ERR_CYCLE_ENDED',
    )
    await browser.visit(servers[0]!, (session) => few.step(session, third.token, () => undefined))
    expect(await codeOf(() => begin(4))).toBe('ERR_CYCLE_LIMIT')
    expect((await browser.visit(servers[0]!, (session) => few.list(session))).map(({ state }) => state.amount)).toEqual(
      [3, 1],
    )
  })
})

describe('the limits of a session’s data', () => {
  const notes = defineCycle<{ text: unknown }, string>('notes')
  const long = 'x'.repeat(2_000)
  const deep = { a: { b: { c: { d: {} } } } }

  it.each<[string, unknown]>([
    ['recordSize', long],
    ['depth', deep],
  ])('hold for a state: %s', async (limit, text) => {
    const { servers } = await deployment({ limits: { recordSize: 1_000, depth: 4 } })
    const browser = new Browser()
    const begin = (what: unknown) => browser.visit(servers[0]!, (session) => notes.begin(session, { text: what }))
    await expect(begin(text)).rejects.toMatchObject({ code: 'ERR_LIMIT', limit })
    const { token } = await begin('short')
    const step = browser.visit(servers[1]!, (session) =>
      notes.step(session, token, (state) => void (state.text = text)),
    )
    await expect(step).rejects.toMatchObject({ code: 'ERR_LIMIT', limit })
    const left = await browser.visit(servers[0]!, (session) => notes.load(session, token))
    expect(left.state).toEqual({ text: 'short' })
  })

  it('hold for a result: it is the first one’s alone', async () => {
    const { servers } = await deployment({ limits: { recordSize: 1_000 } })
    const browser = new Browser()
    const { token } = await browser.visit(servers[0]!, (session) => notes.begin(session, { text: '' }))
    const finish = (at: number) => browser.visit(servers[at]!, (session) => notes.finish(session, token, () => long))
    expect(await finish(0)).toEqual({ result: long, repeated: false })
    expect(await codeOf(() => finish(1))).toBe('ERR_CYCLE_FINISHED')
  })
})

describe('a store that fails', () => {
  it('runs nothing under a claim that was not confirmed', async () => {
    const { servers, store, browser, token } = await begun()
    const patch = store.patch.bind(store)
    store.patch = async (...asked) => {
      const answer = await patch(...asked)
      return answer.done && asked[4] === 'replicated' ? { ...answer, durable: false } : answer
    }
    let ran = 0
    const finish = () => browser.visit(servers[0]!, (session) => plain.finish(session, token, () => ++ran))
    await expect(finish()).rejects.toBeInstanceOf(StoreUnavailableError)
    expect(ran).toBe(0)
    store.patch = patch
    expect(await finish()).toEqual({ result: 1, repeated: false })
  })

  it.each(['create', 'replace'] as const)(
    'says so where durability: ‘replicated’ is not confirmed: %s',
    async (what) => {
      const { servers, store } = await deployment({ durability: 'replicated' })
      const browser = new Browser()
      const begin = () => browser.visit(servers[0]!, (session) => plain.begin(session, { amount: 5 }))
      const step = (token: string) =>
        browser.visit(servers[1]!, (session) => plain.step(session, token, (state) => void (state.amount = 6)))
      const { token } = await begin()
      const bare = (store[what] as (...asked: unknown[]) => Promise<Swap>).bind(store)
      Object.assign(store, {
        [what]: async (...asked: unknown[]) => {
          const answer = await bare(...asked)
          return answer.done && asked.at(-1) === 'replicated' ? { ...answer, durable: false } : answer
        },
      })
      await expect(what === 'create' ? begin() : step(token)).rejects.toBeInstanceOf(UnconfirmedError)
    },
  )
})

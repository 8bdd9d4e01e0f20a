/** Whose a cycle is: what other sessions, other kinds and made-up names reach. */
import { defineCycle } from 'holdfast/cycle'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { Browser, server, SECRET } from '../support/core-browser.ts'
import { codeOf, openWorld, type World } from './world.ts'

vi.mock('node:timers/promises', async () => (await import('../support/virtual-time.ts')).virtualPromises)

const pay = defineCycle<undefined, string>('pay')
const close = defineCycle<undefined, string>('close')

let world: World
let browser: Browser

beforeEach(async () => {
  world = await openWorld({ idleTimeout: '4h' })
  browser = new Browser()
  await browser.visit(world.servers[0]!, (session) => session.signIn('ada'))
})

afterEach(async () => {
  await world.close()
})

async function begun(kind = pay): Promise<{ id: string; token: string }> {
  return browser.visit(world.servers[0]!, (session) => kind.begin(session))
}

async function finish(token: string | undefined, kind = pay, by = browser): Promise<string> {
  return by.visit(world.servers[1]!, (session) =>
    kind
      .finish(session, token, () => 'ran')
      .then(
        ({ repeated }) => (repeated ? 'repeated' : 'ran'),
        (error: { code?: string }) => error.code ?? 'another error',
      ),
  )
}

describe('I11: a cycle of another kind', () => {
  it('is not accepted, though it is of the same session and has no state', async () => {
    const { id, token } = await begun()
    expect(await finish(token, close)).toBe('ERR_CYCLE_UNKNOWN')
    expect(await codeOf(browser.visit(world.servers[1]!, (session) => close.load(session, id)))).toBe(
      'ERR_CYCLE_UNKNOWN',
    )
    expect(await finish(token)).toBe('ran')
  })
})

describe('an id that nobody was given', () => {
  const made = ['A'.repeat(24), Buffer.alloc(18, 0xff).toString('base64url'), Buffer.alloc(18, 1).toString('base64url')]

  it.each(made)('leads nowhere, and costs no command (%s)', async (id) => {
    await browser.visit(world.servers[1]!, () => undefined)
    const calls = [
      () => browser.visit(world.servers[1]!, (session) => pay.load(session, id)),
      () => browser.visit(world.servers[1]!, (session) => pay.abandon(session, id)),
    ]
    for (const call of calls) {
      const before = world.faulty[1]!.asked.filter((asked) => asked !== 'epoch').length
      expect(await codeOf(call())).toBe('ERR_CYCLE_UNKNOWN')
      // The request's own look at its session, and nothing besides.
      expect(world.faulty[1]!.asked.filter((asked) => asked !== 'epoch').length).toBeLessThanOrEqual(before + 1)
    }
  })

  it('is not one where a single bit of a genuine one was turned', async () => {
    const { id } = await begun()
    const bytes = Buffer.from(id, 'base64url')
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const turned = Buffer.from(bytes)
      turned[bit >> 3]! ^= 1 << (bit & 7)
      const name = turned.toString('base64url')
      expect(await codeOf(browser.visit(world.servers[1]!, (session) => pay.load(session, name)))).toBe(
        'ERR_CYCLE_UNKNOWN',
      )
    }
  })
})

describe('I11: another session', () => {
  it("reaches no cycle of somebody else's, by token or id, and is not told whose it is", async () => {
    const { id, token } = await begun()
    const guest = new Browser()
    await guest.visit(world.servers[0]!, (session) => void (session.data['seen'] = true))
    const user = new Browser()
    await user.visit(world.servers[0]!, (session) => session.signIn('bob'))
    const nobody = new Browser()
    expect(await finish(token, pay, guest)).toBe('ERR_CYCLE_ENDED')
    expect(await finish(token, pay, user)).toBe('ERR_CYCLE_FOREIGN')
    expect(await finish(token, pay, nobody)).toBe('ERR_CYCLE_ENDED')
    for (const other of [guest, user, nobody])
      expect(await codeOf(other.visit(world.servers[0]!, (session) => pay.load(session, id)))).toBe('ERR_CYCLE_UNKNOWN')
    expect(await finish(token)).toBe('ran')
  })

  it('has a list of its own, and a limit of its own', async () => {
    const note = defineCycle<{ text: string }, string>('note', { maxOpen: 1 })
    const other = new Browser()
    await other.visit(world.servers[0]!, (session) => session.signIn('bob'))
    for (const [text, by] of [
      ['hers', browser],
      ['his', other],
    ] as const)
      await by.visit(world.servers[0]!, (session) => note.begin(session, { text }))
    for (const [text, by] of [
      ['hers', browser],
      ['his', other],
    ] as const) {
      const listed = await by.visit(world.servers[1]!, (session) => note.list(session))
      expect(listed.map(({ state }) => state.text)).toEqual([text])
    }
  })

  it.each([
    ['a sign-in', (by: Browser) => by.visit(world.servers[0]!, (session) => session.signIn('bob'))],
    [
      'a second sign-in of the same user',
      (by: Browser) => by.visit(world.servers[0]!, (session) => session.signIn('ada')),
    ],
    ['a sign-out', (by: Browser) => by.visit(world.servers[0]!, (session) => session.signOut())],
    [
      'a rise in privilege',
      (by: Browser) => by.visit(world.servers[0]!, (session) => session.regenerateId({ previous: 'refused' })),
    ],
    ['a revocation', () => world.servers[0]!.revokeUser('ada')],
    ['the end of its time', () => world.time.pass(13 * 3_600_000)],
  ])('is what %s leaves', async (_, change) => {
    const { token } = await begun()
    await change(browser)
    expect(await finish(token)).toMatch(/^ERR_CYCLE_(?:ENDED|FOREIGN)$/)
  })

  it('is not what a request is that still brings the id from before a sign-in: it is refused', async () => {
    const guest = new Browser()
    await guest.visit(world.servers[0]!, (session) => void (session.data['seen'] = true))
    const { token } = await guest.visit(world.servers[0]!, (session) => pay.begin(session))
    const before = guest.copy()
    await guest.visit(world.servers[0]!, (session) => session.signIn('ada'))
    expect(await finish(token, pay, before)).toBe('ERR_CYCLE_ENDED')
  })

  it('has no part in what goes on under way: a sign-out within the final step leaves the outcome recorded', async () => {
    const { token } = await begun()
    const kept = browser.copy()
    const done = await browser.visit(world.servers[0]!, (session) =>
      pay.finish(session, token, async () => {
        await kept.visit(world.servers[1]!, (other) => other.signOut())
        return 'paid'
      }),
    )
    expect(done).toEqual({ result: 'paid', repeated: false })
  })
})

describe('I11: an id that its session has outgrown', () => {
  const notes = defineCycle<{ text: string }, string>('notes')

  /** A browser with nothing but the id from before anything was stored. */
  function keptVisit(by: Browser): Browser {
    const kept = new Browser()
    kept.jar.set('__Host-visit', by.jar.get('__Host-visit')!)
    return kept
  }

  /** A visitor with a cycle, who has become what `grow` makes of them; and who still has the first id. */
  async function outgrown(grow: (by: Browser) => Promise<unknown>): Promise<[Browser, { id: string; token: string }]> {
    const visitor = new Browser()
    const cycle = await visitor.visit(world.servers[0]!, (session) => notes.begin(session, { text: 'private' }))
    const kept = keptVisit(visitor)
    await grow(visitor)
    return [kept, cycle]
  }

  const growths: readonly (readonly [string, (by: Browser) => Promise<unknown>])[] = [
    ['signed in', (by) => by.visit(world.servers[0]!, (session) => session.signIn('ada'))],
    [
      'had its id renewed, and the grace is over',
      async (by) => {
        await by.visit(world.servers[0]!, (session) => void (session.data['seen'] = true))
        await by.visit(world.servers[0]!, () => undefined)
        await world.time.pass(61_000)
      },
    ],
    [
      'was signed out',
      async (by) => {
        await by.visit(world.servers[0]!, (session) => void (session.data['seen'] = true))
        await by.visit(world.servers[0]!, (session) => session.signOut())
      },
    ],
  ]

  it.each(growths)('reaches none of its cycles: it %s', async (_, grow) => {
    const [kept, { id, token }] = await outgrown(grow)
    const at = world.servers[1]!
    const acts = [
      () => kept.visit(at, (session) => notes.load(session, id)),
      () => kept.visit(at, (session) => notes.step(session, token, () => undefined)),
      () => kept.visit(at, (session) => notes.abandon(session, id)),
      () => kept.visit(at, (session) => notes.finish(session, token, () => 'ran')),
      () => kept.visit(at, (session) => notes.begin(session, { text: 'slipped in' })),
    ]
    for (const act of acts) expect(await codeOf(act())).toBe('ERR_CYCLE_ENDED')
    expect(await kept.visit(at, (session) => notes.list(session))).toEqual([])
  })

  it('reaches none while a session that superseded it is not seen yet: a request between two sign-ins', async () => {
    const visitor = new Browser()
    const { token } = await visitor.visit(world.servers[0]!, (session) => notes.begin(session, { text: 'private' }))
    await visitor.visit(world.servers[0]!, (session) => session.signIn('ada'))
    const between = visitor.copy()
    await visitor.visit(world.servers[0]!, (session) => session.signIn('ada'))
    expect(between.jar.has('__Host-visit') && between.jar.has('__Host-sid')).toBe(true)
    const late = between.visit(world.servers[1]!, (session) => notes.finish(session, token, () => 'ran'))
    expect(await codeOf(late)).toBe('ERR_CYCLE_ENDED')
  })

  it('reaches none by a copy that was served while the store failed: the store is asked', async () => {
    await world.close()
    world = await openWorld({ idleTimeout: '4h', serveStale: '5m' })
    const user = new Browser()
    await user.visit(world.servers[0]!, (session) => session.signIn('ada'))
    const { token } = await user.visit(world.servers[1]!, (session) => notes.begin(session, { text: 'private' }))
    const kept = user.copy()
    world.faulty[1]!.faults = { fail: (asked) => (asked === 'load' || asked === 'epoch' ? 'hang' : undefined) }
    const [status, code] = await world.time.settle(
      kept.visit(world.servers[1]!, async (session) => {
        const before = session.status
        world.faulty[1]!.faults = {}
        await user.visit(world.servers[0]!, (other) => other.signOut())
        await new Promise((resolve) => {
          setTimeout(resolve, 5_000)
        })
        return [before, await codeOf(notes.finish(session, token, () => 'ran'))]
      }),
    )
    expect([status, code]).toEqual(['stale', 'ERR_CYCLE_ENDED'])
  })

  it('reaches them where it is still good: nothing was stored, or the next id was never presented', async () => {
    const [kept, { id }] = await outgrown((by) =>
      by.request(world.servers[0]!, (session) => void (session.data['seen'] = true)),
    )
    expect(await kept.visit(world.servers[1]!, (session) => notes.load(session, id))).toMatchObject({
      state: { text: 'private' },
    })
  })
})

describe('a token', () => {
  it('is read under all secrets of a rotation, and so is an id', async () => {
    const clock = { now: () => world.time.now, forward: () => undefined }
    const both = server(world.store, clock, { idleTimeout: '4h' }, [
      'another secret of at least thirty-two bytes!',
      SECRET,
    ])
    await world.time.settle(both.ready())
    const { id, token } = await begun()
    expect(await browser.visit(both, (session) => pay.load(session, id))).toMatchObject({ status: 'open' })
    expect(await browser.visit(both, (session) => pay.finish(session, token, () => 'ran'))).toMatchObject({
      repeated: false,
    })
    expect(await finish(token)).toBe('repeated')
    await world.time.settle(both.close())
  })

  it('may be anything at all: garbage is refused, and nothing is asked', async () => {
    for (const garbage of ['', 'x', '🂡'.repeat(40), 'A'.repeat(80), 'A'.repeat(1e6), undefined, null, 7, {}, ['a']])
      expect(await finish(garbage as never)).toBe('ERR_CYCLE_FOREIGN')
  })
})

describe('I11: the lifetime of a cycle', () => {
  it('is what it was at the beginning, whatever later versions of the application say', async () => {
    const short = defineCycle<undefined, string>('timed', { lifetime: '10m' })
    const long = defineCycle<undefined, string>('timed', { lifetime: '3h' })
    const { token } = await browser.visit(world.servers[0]!, (session) => short.begin(session))
    expect(await finish(token, short)).toBe('ran')
    for (let minutes = 0; minutes < 120; minutes += 10) {
      expect(await finish(token, long)).toMatch(/^(?:repeated|ERR_CYCLE_EXPIRED)$/)
      await world.time.pass(10 * 60_000)
    }
  })

  it('does not shorten that of an outcome: one of the last moment is there as long as requests may last', async () => {
    const short = defineCycle<undefined, string>('timed', { lifetime: '10m' })
    const { token } = await browser.visit(world.servers[0]!, (session) => short.begin(session))
    await world.time.pass(10 * 60_000 - 1_000)
    const slow = browser.request(world.servers[0]!, (session) =>
      short.finish(session, token, async () => {
        await new Promise((resolve) => {
          setTimeout(resolve, 14 * 60_000)
        })
        return 'ran'
      }),
    )
    await world.time.settle(slow)
    await world.time.pass(10 * 60_000)
    expect(await finish(token, short)).toBe('repeated')
  })
})

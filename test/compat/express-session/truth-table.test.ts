/** When a session is stored, touched and sent: every row of the tables, on the original and on the drop-in. */
import { describe, expect, test } from 'vitest'

import { implementations } from './implementations.ts'
import { cookieFor, open, type Handler } from './site.ts'

const READS: Handler = (_request, response) => response.end('read')
const WRITES: Handler = (request, response) => {
  request.session!['visits'] = Number(request.session!['visits'] ?? 0) + 1
  response.end('written')
}

interface Row {
  readonly situation: string
  readonly options: Record<string, unknown>
  /** What the first request does, which nothing was there for. */
  readonly first: Handler
  /** What the second one does, with the cookie of the first. */
  readonly second?: Handler
  /** What the store was asked in the last of them. */
  readonly calls: readonly string[]
  readonly sent: boolean
}

const MAX_AGE = { maxAge: 60_000 }

const rows: readonly Row[] = [
  ...[true, false].flatMap((resave): Row[] => [
    {
      situation: 'new, unmodified, saveUninitialized',
      options: { resave, saveUninitialized: true },
      first: READS,
      calls: ['set id1'],
      sent: true,
    },
    {
      situation: 'new, unmodified, not saveUninitialized',
      options: { resave, saveUninitialized: false },
      first: READS,
      calls: [],
      sent: false,
    },
    ...[true, false].map((saveUninitialized): Row => ({
      situation: `new, modified, saveUninitialized ${saveUninitialized}`,
      options: { resave, saveUninitialized },
      first: WRITES,
      calls: ['set id1'],
      sent: true,
    })),
    {
      situation: 'existing, unmodified',
      options: { resave, saveUninitialized: true },
      first: READS,
      second: READS,
      calls: ['get id1', resave ? 'set id1' : 'touch id1'],
      sent: false,
    },
    {
      situation: 'existing, unmodified, rolling',
      options: { resave, rolling: true, saveUninitialized: true },
      first: READS,
      second: READS,
      calls: ['get id1', resave ? 'set id1' : 'touch id1'],
      sent: true,
    },
    {
      situation: 'existing, modified',
      options: { resave, saveUninitialized: false },
      first: WRITES,
      second: WRITES,
      calls: ['get id1', 'set id1'],
      sent: false,
    },
    {
      situation: 'existing, modified, rolling',
      options: { resave, rolling: true, saveUninitialized: false },
      first: WRITES,
      second: WRITES,
      calls: ['get id1', 'set id1'],
      sent: true,
    },
    {
      situation: 'existing, modified, with an expiry',
      options: { resave, saveUninitialized: false, cookie: MAX_AGE },
      first: WRITES,
      second: WRITES,
      calls: ['get id1', 'set id1'],
      sent: true,
    },
    {
      situation: 'existing, unmodified, with an expiry',
      options: { resave, saveUninitialized: false, cookie: MAX_AGE },
      first: WRITES,
      second: READS,
      calls: ['get id1', resave ? 'set id1' : 'touch id1'],
      sent: false,
    },
    {
      situation: 'existing, only its cookie changed',
      options: { resave, saveUninitialized: false },
      first: WRITES,
      second: (request, response) => {
        request.session!.cookie.maxAge = 5_000
        response.end()
      },
      calls: ['get id1', resave ? 'set id1' : 'touch id1'],
      sent: false,
    },
    {
      situation: 'existing, saved by hand, then unchanged',
      options: { resave, saveUninitialized: false },
      first: WRITES,
      second: (request, response) => {
        request.session!['more'] = true
        request.session!.save(() => response.end())
      },
      calls: ['get id1', 'set id1', 'touch id1'],
      sent: false,
    },
    {
      situation: 'existing, saved by hand, then changed',
      options: { resave, saveUninitialized: false },
      first: WRITES,
      second: (request, response) => {
        request.session!.save(() => WRITES(request, response, () => undefined))
      },
      calls: ['get id1', 'set id1', 'set id1'],
      sent: false,
    },
    {
      situation: 'regenerated and left empty',
      options: { resave, saveUninitialized: false },
      first: WRITES,
      second: (request, response) => {
        request.session!.regenerate(() => response.end())
      },
      calls: ['get id1', 'destroy id1', 'set id2'],
      sent: true,
    },
  ]),
  {
    situation: 'new, unmodified, rolling, not saveUninitialized',
    options: { rolling: true, saveUninitialized: false },
    first: READS,
    calls: [],
    sent: false,
  },
]

describe.each(implementations)('$name', ({ session, differs }) => {
  test.each(rows.map((row) => ({ ...row, resave: row.options['resave'] })))(
    '$situation, resave $resave',
    async ({ options, first, second, calls, sent }) => {
      let turn = 0
      await using site = await open(session, options, (request, response, next) => {
        const handler = turn++ === 0 ? first : (second ?? first)
        handler(request, response, next)
      })
      let answer = await site.get()
      const before = second === undefined ? 0 : site.calls.length
      if (second !== undefined) answer = await site.get()
      expect(site.calls.slice(before)).toEqual(calls)
      expect(answer.cookies.length).toBe(sent ? 1 : 0)
      expect(site.errors).toEqual([])
    },
  )

  test.each([true, false])('existing, unmodified, in a store without touch, resave %s', async (resave) => {
    const store = new session.MemoryStore()
    Object.defineProperty(store, 'touch', { value: undefined })
    await using site = await open(session, { store, resave, saveUninitialized: true }, READS)
    await site.get()
    expect((await site.get()).cookies).toEqual([])
    expect(site.calls.slice(1)).toEqual(resave ? ['get id1', 'set id1'] : ['get id1'])
  })

  test.each([
    [{ rolling: true }, 1],
    [{ rolling: false }, 1],
    [{ rolling: true, resave: true }, 1],
  ])('%j: the end of a session is moved once per response', async (options, times) => {
    const touched: unknown[] = []
    await using site = await open(session, { cookie: MAX_AGE, ...options }, (request, response) => {
      const mine = request.session!
      mine['visits'] ??= 1
      const touch = mine.touch.bind(mine)
      Object.defineProperty(mine, 'touch', { value: () => (touched.push(1), touch()), enumerable: false })
      response.end()
    })
    await site.get()
    touched.length = 0
    await site.get()
    expect(touched.length).toBe(times)
  })

  test('regenerated and saved by hand', async () => {
    await using site = await open(session, {}, (request, response) => {
      request.session!.regenerate(() => {
        request.session!['user'] = 'ada'
        request.session!.save(() => response.end())
      })
    })
    await site.get()
    // The original does not remember that a session with a new id was saved, and saves it twice.
    expect(site.calls).toEqual(['destroy id1', 'set id2', ...differs({ original: ['set id2'], dropIn: [] })])
  })

  describe('an id that leads nowhere', () => {
    test.each([
      ['unknown', cookieFor('unknown')],
      ['signed by another', cookieFor('unknown', { secret: 'another secret' })],
      ['unsigned', 'connect.sid=unknown'],
      ['no id at all', 'connect.sid='],
      ['cut off', cookieFor('unknown').slice(0, -4)],
      ['in broken percents', 'connect.sid=s%3Aunknown%'],
    ])('%s: a new session under an id of its own', async (_what, cookie) => {
      await using site = await open(session, {}, (request, response) => {
        request.session!['a'] = 1
        response.end(String(request.sessionID === 'unknown'))
      })
      const answer = await site.get({ cookie })
      expect([answer.body, answer.cookies.length]).toEqual(['false', 1])
      expect(site.calls.filter((call) => call.startsWith('set')).length).toBe(1)
    })
  })

  describe.each([true, false])('an id that leads nowhere, unmodified, saveUninitialized %s', (saveUninitialized) => {
    test.each([
      ['unknown', cookieFor('unknown')],
      ['expired', cookieFor('expired')],
      ['signed by another', cookieFor('unknown', { secret: 'another secret' })],
    ])('%s', async (_what, cookie) => {
      const store = new session.MemoryStore()
      store.sessions['expired'] = JSON.stringify({ cookie: { expires: new Date(0) } })
      await using site = await open(session, { store, saveUninitialized }, READS)
      const answer = await site.get({ cookie })
      const sets = site.calls.filter((call) => call.startsWith('set'))
      expect([answer.cookies.length, sets.length]).toEqual(saveUninitialized ? [1, 1] : [0, 0])
    })
  })

  describe('unset', () => {
    const unsetting =
      (how: 'null' | 'delete' | 'destroy'): Handler =>
      (request, response) => {
        const { session: mine } = request
        if (mine!['visits'] === undefined) return WRITES(request, response, () => undefined)
        if (how === 'null') request.session = null
        if (how === 'delete') delete request.session
        if (how === 'destroy') return mine!.destroy(() => response.end('gone'))
        return response.end('unset')
      }

    test.each(['null', 'delete'] as const)("'keep': by %s, nothing is stored, sent or ended", async (how) => {
      await using site = await open(session, { unset: 'keep' }, unsetting(how))
      await site.get()
      const answer = await site.get()
      expect([site.calls.slice(1), answer.cookies]).toEqual([['get id1'], []])
    })

    test.each(['null', 'delete'] as const)("'destroy': by %s, it is ended", async (how) => {
      await using site = await open(session, { unset: 'destroy' }, unsetting(how))
      await site.get()
      const answer = await site.get()
      expect(site.calls.slice(1)).toEqual(['get id1', 'destroy id1'])
      // A browser that keeps the cookie brings a dead id with each request.
      expect(answer.cookies.length).toBe(differs({ original: 0, dropIn: 1 }))
    })

    test("'destroy': also a session that was never stored", async () => {
      await using site = await open(session, { unset: 'destroy' }, (request, response) => {
        request.session = null
        response.end()
      })
      const answer = await site.get()
      expect([site.calls, answer.cookies]).toEqual([['destroy id1'], []])
    })

    test.each(['keep', 'destroy'] as const)("'%s': after destroy() nothing is saved", async (unset) => {
      await using site = await open(session, { unset }, unsetting('destroy'))
      await site.get()
      await site.get()
      expect(site.calls).not.toContain('set id2')
      expect(site.calls.filter((call) => call === 'set id1')).toEqual(['set id1'])
    })
  })

  describe('an id that is no string', () => {
    test('of genid: neither saved nor sent', async () => {
      await using site = await open(session, { genid: () => 7 }, WRITES)
      expect([(await site.get()).cookies, site.calls]).toEqual([[], []])
    })

    test('written by the application: neither saved nor sent', async () => {
      await using site = await open(session, {}, (request, response) => {
        request.sessionID = undefined
        WRITES(request, response, () => undefined)
      })
      expect([(await site.get()).cookies, site.calls]).toEqual([[], []])
    })
  })
})

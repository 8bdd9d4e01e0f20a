/** Cookies made by the real libraries, and what is made of them. */
import { describe, expect, it } from 'vitest'

import type { Adopted, OldSessions } from '../../../src/core/old-sessions.ts'
import {
  fromCookieSession,
  fromExpressSession,
  fromFastifySession,
  fromIronSession,
} from '../../../src/compat/adopt/index.ts'
import { OptionsError } from '../../../src/errors.ts'
import { Browser, deployment } from '../../support/core-browser.ts'
import { fromCookies, fromExpress, fromFastify, fromIron, ironOf, newMemoryStore } from './originals.ts'

const SECRET = 'the secret of the servers of before, long enough'
const OTHER = 'another secret of before, which is just as long'
const MEMBERS = { userId: 'u1', cart: [{ sku: 'A', n: 2 }], note: 'äöü; =%' }

const map = ({ userId, ...data }: Record<string, unknown>): Adopted => ({ data, user: String(userId) })

/** A library: a cookie with these members, and the source that adopts it. */
interface Library {
  readonly name: string
  make(secrets: readonly string[]): Promise<{ cookie: string; adopt(secrets: readonly string[]): OldSessions }>
}

const libraries: readonly Library[] = [
  {
    name: 'express-session',
    async make(secret) {
      const store = newMemoryStore()
      const cookie = await fromExpress(MEMBERS, { secret, store, name: 'shop.sid' })
      return { cookie, adopt: (known) => fromExpressSession({ secret: known, store, name: 'shop.sid', map }) }
    },
  },
  {
    name: '@fastify/session',
    async make(secret) {
      const store = newMemoryStore()
      const cookie = await fromFastify(MEMBERS, { secret, store, cookiePrefix: 's:' })
      return { cookie, adopt: (known) => fromFastifySession({ secret: known, store, cookiePrefix: 's:', map }) }
    },
  },
  {
    name: 'cookie-session',
    async make(keys) {
      const cookie = await fromCookies(MEMBERS, { keys, name: 'sess' })
      return { cookie, adopt: (known) => fromCookieSession({ keys: known, name: 'sess', map }) }
    },
  },
  ...([8, 9] as const).map((version): Library => {
    const numbered = (passwords: readonly string[]): Record<string, string> =>
      Object.fromEntries(passwords.map((password) => [password === SECRET ? '2' : '1', password]))
    return {
      name: `iron-session ${version}`,
      async make(passwords) {
        const options = { password: numbered(passwords), cookieName: 'iron', cookieOptions: { secure: false } }
        const cookie = await fromIron(version, MEMBERS, options)
        return {
          cookie,
          adopt: (known) => fromIronSession({ password: numbered(known), cookieName: 'iron', map }),
        }
      },
    }
  }),
]

/** A browser with these cookies, and what it is answered. */
async function arrive(cookie: string, source: OldSessions, forward = 0): Promise<Record<string, unknown>> {
  const { servers, clock } = await deployment({ adopt: [source] }, 1)
  clock.forward(forward)
  const browser = browserWith(cookie)
  return browser.visit(servers[0]!, ({ status, userId, data }) => ({ status, userId, data }))
}

function browserWith(cookie: string): Browser {
  const browser = new Browser()
  browser.keep(cookie.split('; '))
  return browser
}

const NOTHING = { status: 'none', userId: undefined, data: {} }

describe.each(libraries)('a session of $name', ({ make }) => {
  it('comes along with its data and its user', async () => {
    const { cookie, adopt } = await make([SECRET])
    const { cart, note } = MEMBERS
    expect(await arrive(cookie, adopt([SECRET]))).toEqual({ status: 'live', userId: 'u1', data: { cart, note } })
  })

  it('comes along by any secret of the old servers', async () => {
    const { cookie, adopt } = await make([SECRET])
    expect(await arrive(cookie, adopt([OTHER, SECRET]))).toMatchObject({ status: 'live', userId: 'u1' })
  })

  it('is nothing by another secret, and no error', async () => {
    const { cookie, adopt } = await make([SECRET])
    expect(await arrive(cookie, adopt([OTHER]))).toEqual(NOTHING)
  })

  it('is nothing with any character of its cookies changed, and asks no store (I9)', async () => {
    const { cookie, adopt } = await make([SECRET])
    const source = adopt([SECRET])
    const { servers, store } = await deployment({ adopt: [source] }, 1)
    const values = [...cookie.matchAll(/=([^;]+)/g)]
    const before = store.stats().commands
    for (const { 1: value = '', index } of values) {
      for (let at = 0; at < value.length; at += Math.max(1, Math.floor(value.length / 20))) {
        const place = index + 1 + at
        // The last bits of base64 may mean nothing: such a cookie is the same one.
        const other = cookie[place] === 'A' ? 'Q' : 'A'
        const forged = cookie.slice(0, place) + other + cookie.slice(place + 1)
        if (source.presented(forged, Date.now()).length > 0) expect(at).toBe(value.length - 1)
        else expect(await browserWith(forged).visit(servers[0]!, ({ status }) => status)).toBe('none')
      }
    }
    expect(store.stats().commands).toBe(before)
  })

  it('is nothing where its cookie is empty, cut, or garbage', async () => {
    const { cookie, adopt } = await make([SECRET])
    const name = cookie.slice(0, cookie.indexOf('='))
    const value = cookie.slice(name.length + 1)
    for (const bad of ['', '.', '~', '*******', '%', 's:', 's:.', value.slice(0, 10), value.slice(5)])
      expect(await arrive(`${name}=${bad}`, adopt([SECRET]))).toEqual(NOTHING)
  })
})

describe('a session that is over', () => {
  it('of express-session or @fastify/session is nothing, by its own end or its absence', async () => {
    const store = newMemoryStore()
    const source = fromExpressSession({ secret: SECRET, store, map })
    const cookie = await fromExpress(MEMBERS, { secret: SECRET, store })
    const [id] = Object.keys(store.sessions) as [string]
    const session = JSON.parse(store.sessions[id]!) as { cookie: object }
    store.sessions[id] = JSON.stringify({ ...session, cookie: { ...session.cookie, expires: new Date(1).toJSON() } })
    expect(await arrive(cookie, source)).toEqual(NOTHING)
    store.sessions = {}
    expect(await arrive(cookie, source)).toEqual(NOTHING)
  })

  it('of iron-session is nothing, a minute after its seal has expired', async () => {
    const password = SECRET
    const { sealData } = await ironOf(8)
    const source = fromIronSession({ password, cookieName: 'iron', map })
    const seal = await sealData(MEMBERS, { password, ttl: 3600 })
    const now = Date.now()
    expect(source.presented(`iron=${seal}`, now + 3_655_000)).toHaveLength(1)
    expect(source.presented(`iron=${seal}`, now + 3_665_000)).toHaveLength(0)
    const lasting = await sealData(MEMBERS, { password, ttl: 0 })
    expect(source.presented(`iron=${lasting}`, now + 1e12)).toHaveLength(1)
  })

  it('of a version before 2 of iron-session is read one level deeper', async () => {
    const { sealData } = await ironOf(8)
    const seal = await sealData({ persistent: MEMBERS, flash: {} }, { password: SECRET })
    const source = fromIronSession({ password: SECRET, cookieName: 'iron', map })
    expect(await arrive(`iron=${seal.replace(/~2$/, '')}`, source)).toMatchObject({ userId: 'u1' })
  })
})

describe('a source', () => {
  it('takes everything along without a map, and signs nobody in', async () => {
    const cookie = await fromCookies(MEMBERS, { keys: [SECRET] })
    const seen = await arrive(cookie, fromCookieSession({ keys: SECRET }))
    expect(seen).toEqual({ status: 'live', userId: undefined, data: MEMBERS })
  })

  it('is nothing where the old session has nothing in it, or the map says so', async () => {
    const empty = await fromCookies({ a: 1 }, { keys: [SECRET] })
    expect(await arrive(empty, fromCookieSession({ keys: SECRET, map: () => undefined }))).toEqual(NOTHING)
  })

  it('refuses options that are wrong, by name', () => {
    const store = newMemoryStore()
    const wrong: readonly [string, () => unknown][] = [
      ['adopt.secret', () => fromExpressSession({ secret: '', store })],
      ['adopt.store', () => fromExpressSession({ secret: SECRET, store: {} as never })],
      ['adopt.name', () => fromExpressSession({ secret: SECRET, store, name: 'a b' })],
      ['adopt.source', () => fromExpressSession({ secret: SECRET, store, source: 'keep' as never })],
      ['adopt.lifetime', () => fromExpressSession({ secret: SECRET, store, lifetime: '0d' })],
      ['adopt.cookie.path', () => fromExpressSession({ secret: SECRET, store, cookie: { path: '/; x' } })],
      ['adopt.sceret', () => fromExpressSession({ sceret: SECRET, secret: SECRET, store } as never)],
      ['adopt.map', () => fromCookieSession({ keys: SECRET, map: 1 as never })],
      ['adopt.keys', () => fromCookieSession({ keys: [] })],
      ['adopt.algorithm', () => fromFastifySession({ secret: SECRET, store, algorithm: 'none' })],
      ['adopt.password', () => fromIronSession({ password: 'short', cookieName: 'iron' })],
    ]
    for (const [option, make] of wrong) {
      expect(make).toThrow(OptionsError)
      expect(make).toThrow(expect.objectContaining({ option }))
    }
  })
})

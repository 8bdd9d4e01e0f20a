/** Old and new servers that serve the same visitors at the same time. */
import { beforeEach, describe, expect, it } from 'vitest'

import {
  fromCookieSession,
  fromExpressSession,
  fromFastifySession,
  fromIronSession,
  type ExpressSessionSource,
} from '../../../src/compat/adopt/index.ts'
import { signed, verifiedId } from '../../../src/compat/express-session/signature.ts'
import { OptionsError, StoreUnavailableError } from '../../../src/errors.ts'
import type { OldSessions } from '../../../src/core/old-sessions.ts'
import { resolveOptions } from '../../../src/core/options.ts'
import { beginVisit, type Manager } from '../../../src/core/sessions.ts'
import { Browser, deployment, type ServerOptions, type TestClock, type TestData } from '../../support/core-browser.ts'

const OLD_SECRET = 'of the servers of before'

type Members = Record<string, unknown>

/** A server of before with its store: reads, changes, stores, as express-session does. */
class OldServer {
  readonly records = new Map<string, string>()
  failing = false
  touched = 0
  /** Run once each: after the next record was read, and before the next one is written. */
  afterRead: (() => Promise<unknown>) | undefined
  beforeWrite: (() => Promise<unknown>) | undefined

  get(id: string, done: (error?: never, session?: never) => void): void {
    const { afterRead } = this
    this.afterRead = undefined
    const found = this.records.get(id)
    const answer = (): void => done(this.#error, (found === undefined ? null : JSON.parse(found)) as never)
    void Promise.resolve(afterRead?.()).then(() => setImmediate(answer))
  }

  set(id: string, session: object, done: (error?: never) => void): void {
    const { beforeWrite } = this
    this.beforeWrite = undefined
    const text = JSON.stringify(session)
    void Promise.resolve(beforeWrite?.()).then(() => {
      if (!this.failing) this.records.set(id, text)
      setImmediate(() => done(this.#error))
    })
  }

  touch(_id: string, _session: object, done: (error?: never) => void): void {
    this.touched++
    setImmediate(() => done(this.#error))
  }

  destroy(id: string, done: (error?: never) => void): void {
    if (!this.failing) this.records.delete(id)
    setImmediate(() => done(this.#error))
  }

  get #error(): never {
    return (this.failing ? new Error('gone') : undefined) as never
  }

  /** Begins a session for a browser. */
  begin(browser: Browser, id: string, members: Members): void {
    this.records.set(id, JSON.stringify({ cookie: { path: '/', originalMaxAge: null, httpOnly: true }, ...members }))
    browser.jar.set('connect.sid', encodeURIComponent(signed(id, OLD_SECRET)))
  }

  /** One request: what the browser's session has there; `undefined` where it has none. */
  visit(browser: Browser, change: (members: Members) => void = () => undefined): Members | undefined {
    const id = idOf(browser)
    const found = id === undefined ? undefined : this.records.get(id)
    if (id === undefined || found === undefined) return undefined
    const members = JSON.parse(found) as Members
    change(members)
    this.records.set(id, JSON.stringify(members))
    return members
  }
}

function idOf(browser: Browser): string | undefined {
  return verifiedId(decodeURIComponent(browser.jar.get('connect.sid') ?? ''), [OLD_SECRET])
}

function mirrored(store: OldServer, options: Partial<ExpressSessionSource> = {}): OldSessions {
  return fromExpressSession({
    secret: OLD_SECRET,
    store,
    mirror: true,
    map: ({ user, ...data }) => ({ data, user: user as string | undefined }),
    unmap: ({ data, user }, old) => ({ ...(old['flash'] === undefined ? {} : { flash: old['flash'] }), ...data, user }),
    ...options,
  })
}

let old: OldServer
let servers: readonly Manager<TestData>[]
let clock: TestClock
let ada: Browser

const begin = async (options: ServerOptions = {}): Promise<void> => {
  ;({ servers, clock } = await deployment({ adopt: [mirrored(old)], ...options }))
}

const onNew = (change: (data: TestData) => void = () => undefined, at = 0, browser = ada): Promise<object> =>
  browser.visit(
    servers[at]!,
    (session) => {
      change(session.data)
      return { userId: session.userId, ...session.data }
    },
    'POST',
  )

beforeEach(async () => {
  old = new OldServer()
  ada = new Browser()
  await begin()
})

describe('a session on old and new servers', () => {
  beforeEach(() => old.begin(ada, 'old-id', { user: 'ada', cart: ['apple'] }))

  it('has the changes of both, in whichever order they come', async () => {
    expect(await onNew()).toEqual({ userId: 'ada', cart: ['apple'] })
    for (let round = 0; round < 5; round++) {
      old.visit(ada, ({ cart }) => void (cart as string[]).push(`old ${round}`))
      await onNew(({ cart }) => void (cart as string[]).push(`new ${round}`), round % 2)
    }
    const all = ['apple', ...[0, 1, 2, 3, 4].flatMap((round) => [`old ${round}`, `new ${round}`])]
    expect(old.visit(ada)).toMatchObject({ user: 'ada', cart: all })
    expect(await onNew(undefined, 1)).toEqual({ userId: 'ada', cart: all })
    expect(servers[0]!.stats().adoption!.adopted + servers[1]!.stats().adoption!.adopted).toBe(1)
  })

  it('loses no member that an old server took away, and brings none back', async () => {
    await onNew((data) => void (data['colour'] = 'red'))
    old.visit(ada, (members) => void delete members['colour'])
    expect(await onNew()).toEqual({ userId: 'ada', cart: ['apple'] })
    await onNew((data) => void delete data['cart'])
    expect(old.visit(ada)).not.toHaveProperty('cart')
  })

  it('is written for old servers before the answer leaves, and a visit that changes nothing writes nothing', async () => {
    await onNew()
    const untouched = old.records.get('old-id')
    await onNew()
    expect(old.records.get('old-id')).toBe(untouched)
    expect(old.touched).toBeGreaterThan(0)
    await ada.request(servers[0]!, ({ data }) => void (data['cart'] = []), 'POST')
    expect(old.visit(ada)).toMatchObject({ cart: [] })
  })

  it('keeps what an old server changed at another member while a new one was at work', async () => {
    await onNew()
    await ada.visit(
      servers[0]!,
      ({ data }) => {
        data['colour'] = 'red'
        old.visit(ada, ({ cart }) => void (cart as string[]).push('pear'))
      },
      'POST',
    )
    expect(old.visit(ada)).toMatchObject({ colour: 'red', cart: ['apple', 'pear'] })
    expect(await onNew()).toEqual({ userId: 'ada', colour: 'red', cart: ['apple', 'pear'] })
  })

  it('of two new servers that write at once, the old record gets what both have changed', async () => {
    await onNew()
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, at) =>
        ada.request(servers[at % 2]!, ({ data }) => void (data[`key${at}`] = at), 'POST'),
      ),
    )
    expect(answers).toHaveLength(8)
    expect(Object.keys(old.visit(ada)!).filter((name) => name.startsWith('key'))).toHaveLength(8)
    expect(Object.keys(await onNew()).filter((name) => name.startsWith('key'))).toHaveLength(8)
  })

  it('is written for old servers also where it changes after the head has left', async () => {
    const visit = beginVisit<TestData>(servers[0]!, ada.facts('POST'), {})
    await visit.open()
    await visit.settle()
    await visit.session.update((data) => void (data['cart'] = ['late']))
    expect(old.visit(ada)).toMatchObject({ cart: ['late'] })
  })

  it('has the newest of two new servers, whichever reaches the old record last', async () => {
    await onNew()
    const other = ada.copy()
    old.beforeWrite = () => onNew((data) => void (data['second'] = 2), 1, other)
    await onNew((data) => void (data['first'] = 1))
    expect(old.visit(ada)).toMatchObject({ first: 1, second: 2 })
    expect(await onNew(undefined, 1)).toMatchObject({ first: 1, second: 2 })
  })

  it('does not go back to an old record that was read before another new server changed it', async () => {
    await onNew()
    old.visit(ada, ({ cart }) => void (cart as string[]).push('old'))
    const other = ada.copy()
    old.afterRead = () => onNew(({ cart }) => void (cart as string[]).push('new'), 1, other)
    expect(await onNew()).toMatchObject({ cart: ['apple', 'old', 'new'] })
    expect(old.visit(ada)).toMatchObject({ cart: ['apple', 'old', 'new'] })
  })

  it('keeps what map and unmap leave where it is', async () => {
    old.visit(ada, (members) => void (members['flash'] = 'hello'))
    await onNew(({ cart }) => void (cart as string[]).push('pear'))
    expect(old.visit(ada)).toMatchObject({ flash: 'hello', cart: ['apple', 'pear'] })
  })

  it('lives as long as the old one does, though it times out here', async () => {
    await onNew(({ cart }) => void (cart as string[]).push('pear'))
    clock.forward(60 * 60_000)
    expect(await onNew()).toEqual({ userId: 'ada', cart: ['apple', 'pear'] })
  })
})

it('a session that ended here, and whose user an old server took out meanwhile, is no loss of the store', async () => {
  await begin({ adopt: [mirrored(old)], idleTimeout: '5m', renewalTimeout: '4m' })
  old.begin(ada, 'old-id', { user: 'ada', cart: ['apple'] })
  await onNew()
  clock.forward(60 * 60_000)
  old.visit(ada, (members) => void delete members['user'])
  for (const at of [0, 1]) expect(await onNew(undefined, at)).toEqual({ userId: undefined, cart: ['apple'] })
  expect(servers.map((one) => one.stats().lostWrites)).toEqual([0, 0])
})

describe('a sign-in', () => {
  it('on a new server holds on old ones, under an id that nobody knew before', async () => {
    old.begin(ada, 'old-id', { cart: ['apple'] })
    const before = ada.copy()
    await onNew()
    await ada.visit(servers[0]!, (session) => session.signIn('ada'), 'POST')
    expect(idOf(ada)).not.toBe('old-id')
    expect(old.visit(ada)).toMatchObject({ user: 'ada', cart: ['apple'] })
    expect(old.visit(before)).toBeUndefined()
    expect(await onNew(undefined, 1)).toEqual({ userId: 'ada', cart: ['apple'] })
    expect(await onNew(undefined, 1, before)).toEqual({ userId: undefined })
    expect(await servers[0]!.list('ada')).toHaveLength(1)
  })

  it('once more on an old server leaves one session here', async () => {
    old.begin(ada, 'old-id', { user: 'ada', cart: ['apple'] })
    await onNew()
    old.records.delete('old-id')
    old.begin(ada, 'next-id', { user: 'ada', cart: ['apple'] })
    expect(await onNew()).toEqual({ userId: 'ada', cart: ['apple'] })
    expect(await servers[0]!.list('ada')).toHaveLength(1)
  })

  it('on an old server holds on new ones, with a new old id and without', async () => {
    for (const renews of [true, false]) {
      const visitor = new Browser()
      old.begin(visitor, `guest ${renews}`, { cart: ['apple'] })
      await onNew(({ cart }) => void (cart as string[]).push('pear'), 0, visitor)
      const members = old.visit(visitor)!
      if (renews) old.records.delete(`guest ${renews}`)
      old.begin(visitor, renews ? 'signed in' : `guest ${renews}`, { ...members, user: 'ada' })
      expect(await onNew(undefined, 1, visitor)).toEqual({ userId: 'ada', cart: ['apple', 'pear'] })
      await onNew(({ cart }) => void (cart as string[]).push('plum'), 0, visitor)
      expect(old.visit(visitor)).toMatchObject({ user: 'ada', cart: ['apple', 'pear', 'plum'] })
      expect(await onNew(undefined, 1, visitor)).toEqual({ userId: 'ada', cart: ['apple', 'pear', 'plum'] })
    }
  })

  it('on a new server of who came with nothing holds on old ones', async () => {
    await onNew((data) => void (data['cart'] = ['apple']))
    expect(old.visit(ada)).toMatchObject({ cart: ['apple'] })
    await ada.visit(servers[1]!, (session) => session.signIn('ada'), 'POST')
    expect(old.visit(ada, ({ cart }) => void (cart as string[]).push('pear'))).toMatchObject({ user: 'ada' })
    expect(await onNew()).toEqual({ userId: 'ada', cart: ['apple', 'pear'] })
    expect(old.records.size).toBe(1)
  })

  it('whose user unmap does not write is an error that says so, and not a visitor who is somebody else there', async () => {
    await begin({ adopt: [fromExpressSession({ secret: OLD_SECRET, store: old, mirror: true })] })
    await expect(ada.visit(servers[0]!, (session) => session.signIn('ada'), 'POST')).rejects.toThrow(OptionsError)
    expect(old.records.size).toBe(0)
  })

  it('of two requests at once that begin a session gives one old id', async () => {
    await onNew(undefined)
    const csrf = await ada.visit(servers[0]!, (session) => session.csrf.token())
    expect(csrf).not.toBe('')
    const answers = await Promise.all(
      [0, 1].map((at) => ada.request(servers[at]!, ({ data }) => void (data[`key${at}`] = at), 'POST')),
    )
    for (const { cookies } of answers) ada.keep(cookies)
    expect(old.records.size).toBe(1)
    expect(old.visit(ada)).toMatchObject({ key0: 0, key1: 1 })
  })
})

describe('a renewal', () => {
  it('of the id here leaves the old one; a rise in privilege renews both', async () => {
    old.begin(ada, 'old-id', { user: 'ada', cart: ['apple'] })
    await onNew()
    clock.forward(60_000)
    await ada.visit(servers[0]!, (session) => session.regenerateId(), 'POST')
    expect(idOf(ada)).toBe('old-id')
    await ada.visit(servers[1]!, (session) => session.regenerateId({ previous: 'refused' }), 'POST')
    expect(idOf(ada)).not.toBe('old-id')
    expect([...old.records.keys()]).toEqual([idOf(ada)])
    expect(await onNew()).toEqual({ userId: 'ada', cart: ['apple'] })
  })
})

describe('a sign-out', () => {
  beforeEach(async () => {
    old.begin(ada, 'old-id', { user: 'ada', cart: ['apple'] })
    await onNew(({ cart }) => void (cart as string[]).push('pear'))
  })

  it('on a new server ends both, and clears both cookies (I3)', async () => {
    const thief = ada.copy()
    await ada.visit(servers[1]!, (session) => session.signOut(), 'POST')
    expect([...ada.jar.keys()]).toEqual([])
    expect(old.records.size).toBe(0)
    expect(await onNew(undefined, 0, thief)).toEqual({ userId: undefined })
    // Written by an old server's request that was under way: here it stays over.
    old.begin(new Browser(), 'old-id', { user: 'ada' })
    expect(await onNew(undefined, 0, thief)).toEqual({ userId: undefined })
  })

  it('on an old server ends both, whether or not it clears its cookie, and a new session may begin (I3)', async () => {
    const thief = ada.copy()
    old.records.delete('old-id')
    ada.jar.delete('connect.sid')
    expect(await onNew((data) => void (data['cart'] = ['plum']))).toEqual({ userId: undefined, cart: ['plum'] })
    expect(await onNew(undefined, 1)).toEqual({ userId: undefined, cart: ['plum'] })
    expect(old.visit(ada)).toMatchObject({ cart: ['plum'] })
    expect(await onNew(undefined, 1, thief)).toEqual({ userId: undefined })
    // Written by an old server's request that was under way: here it stays over.
    old.begin(new Browser(), 'old-id', { user: 'ada' })
    expect(await onNew(undefined, 1, thief)).toEqual({ userId: undefined })
  })

  it('by an old server that only takes the user out holds here', async () => {
    const thief = ada.copy()
    old.visit(ada, (members) => void delete members['user'])
    expect(await onNew()).toEqual({ userId: undefined, cart: ['apple', 'pear'] })
    expect(await onNew(undefined, 1)).toEqual({ userId: undefined, cart: ['apple', 'pear'] })
    expect(await onNew(undefined, 1, thief.copy())).toMatchObject({ userId: undefined })
    thief.jar.delete('connect.sid')
    expect(await onNew(undefined, 1, thief)).toMatchObject({ userId: undefined })
  })

  it('on an old server while a new one is at work holds (I3)', async () => {
    await ada.visit(
      servers[0]!,
      ({ data }) => {
        data['cart'] = ['late']
        old.records.delete('old-id')
      },
      'POST',
    )
    expect(old.records.size).toBe(0)
    expect(await servers[0]!.list('ada')).toEqual([])
  })

  it('while the old record is being written leaves none behind (I3)', async () => {
    const other = ada.copy()
    old.beforeWrite = () => other.visit(servers[1]!, (session) => session.signOut(), 'POST')
    await onNew((data) => void (data['cart'] = ['late']))
    expect(old.records.size).toBe(0)
  })

  it('holds also where an old server brings back the record of a session that began here (I3)', async () => {
    const bob = new Browser()
    await bob.visit(servers[0]!, (session) => session.signIn('bob'), 'POST')
    const [id = '', record = ''] = [...old.records].find(([, text]) => text.includes('bob')) ?? []
    const [session] = await servers[0]!.list('bob')
    await servers[1]!.revoke('bob', session!.handle)
    expect(old.records.has(id)).toBe(false)
    old.records.set(id, record)
    const thief = new Browser()
    thief.jar.set('connect.sid', bob.jar.get('connect.sid')!)
    expect(await onNew(undefined, 0, thief)).toEqual({ userId: undefined })
  })

  it('while another request is at work leaves no old record behind (I3)', async () => {
    const slow = ada.request(
      servers[0]!,
      async ({ data }) => {
        data['cart'] = ['late']
        await ada.copy().visit(servers[1]!, (session) => session.signOut(), 'POST')
      },
      'POST',
    )
    await slow
    expect(old.records.size).toBe(0)
  })

  it('between the commit and the old record leaves none behind (I3)', async () => {
    const thief = ada.copy()
    await ada.request(
      servers[0]!,
      async (session) => {
        session.data['cart'] = ['late']
        await session.commit()
        await thief.visit(servers[1]!, (other) => other.signOut(), 'POST')
      },
      'POST',
    )
    expect(old.records.size).toBe(0)
  })

  it('of everywhere ends those that old servers know', async () => {
    await servers[1]!.revokeUser('ada')
    expect(old.records.size).toBe(0)
    expect(await onNew()).toEqual({ userId: undefined })
  })
})

describe('the old cookie', () => {
  it('comes again where the browser has lost it, and where it has an end', async () => {
    await begin({ adopt: [mirrored(old, { cookie: { maxAge: '1h' } })] })
    await onNew((data) => void (data['cart'] = ['apple']))
    const { cookie } = old.visit(ada)! as { cookie: { originalMaxAge: number; expires: string } }
    expect(cookie.originalMaxAge).toBe(3_600_000)
    expect(Date.parse(cookie.expires)).toBeGreaterThan(Date.now())
    ada.jar.delete('connect.sid')
    await onNew()
    expect(old.visit(ada)).toMatchObject({ cart: ['apple'] })
    const { cookies } = await ada.request(servers[0]!, ({ data }) => void (data['cart'] = []), 'POST')
    expect(cookies.find((one) => one.startsWith('connect.sid='))).toMatch(/Path=\/; Expires=.*; HttpOnly$/)
  })

  it('of @fastify/session is made as that library makes it', async () => {
    const source = fromFastifySession({ secret: OLD_SECRET.repeat(2), store: old, mirror: true, cookiePrefix: 'p:' })
    await begin({ adopt: [source] })
    await onNew((data) => void (data['cart'] = ['apple']))
    const [visit] = source.presented(`sessionId=${ada.jar.get('sessionId')}`, 0)
    expect(await visit!.load()).toEqual({ cart: ['apple'] })
  })
})

describe('a failing old store', () => {
  it('is a 503 and no logout; what could not be written there is brought there later (I6)', async () => {
    old.begin(ada, 'old-id', { user: 'ada', cart: ['apple'] })
    await onNew()
    await expect(
      ada.visit(
        servers[0]!,
        ({ data }) => {
          data['cart'] = ['pear']
          old.failing = true
        },
        'POST',
      ),
    ).rejects.toThrow(StoreUnavailableError)
    await expect(onNew()).rejects.toThrow(StoreUnavailableError)
    expect([...ada.jar.keys()].toSorted()).toEqual(['__Host-sid', 'connect.sid'])
    old.failing = false
    expect(await onNew(undefined, 1)).toEqual({ userId: 'ada', cart: ['pear'] })
    expect(old.visit(ada)).toMatchObject({ cart: ['pear'] })
    await expect(
      ada.visit(
        servers[0]!,
        ({ data }) => {
          data['cart'] = ['plum']
          old.failing = true
        },
        'POST',
      ),
    ).rejects.toThrow(StoreUnavailableError)
    old.failing = false
    // The old record shows that it is behind.
    expect(await onNew(undefined, 1)).toEqual({ userId: 'ada', cart: ['plum'] })
    expect(old.visit(ada)).toMatchObject({ user: 'ada', cart: ['plum'] })
  })
})

describe('the option', () => {
  const code = (make: () => unknown): unknown => {
    try {
      make()
    } catch (error) {
      return (error as OptionsError).option
    }
    return undefined
  }

  it('is refused where it could not be kept, with the reason', () => {
    const store = { get: () => undefined, destroy: () => undefined }
    const map = (): { data: object } => ({ data: {} })
    const base = { secret: OLD_SECRET, mirror: true }
    expect(code(() => fromExpressSession({ ...base, store: old, map }))).toBe('adopt.unmap')
    expect(code(() => fromExpressSession({ ...base, store }))).toBe('adopt.store')
    expect(code(() => fromExpressSession({ ...base, store: old, source: 'end' }))).toBe('adopt.source')
    expect(code(() => fromExpressSession({ ...base, store: old, mirror: 1 as never }))).toBe('adopt.mirror')
    expect(code(() => fromExpressSession({ ...base, store: old, cookie: { domain: ';' } }))).toBe('adopt.cookie.domain')
    expect(code(() => fromCookieSession({ keys: 'key', mirror: true } as never))).toBe('adopt.mirror')
    expect(code(() => fromIronSession({ password: 'x'.repeat(32), cookieName: 'a', mirror: true } as never))).toBe(
      'adopt.mirror',
    )
    const two = [fromExpressSession({ ...base, store: old }), fromFastifySession({ ...base, store: old })]
    expect(code(() => resolveOptions({ adopt: two }))).toBe('adopt.mirror')
  })
})

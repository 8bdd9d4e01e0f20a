/** Two versions of an application that serve the same sessions. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { encode } from '../../src/core/codec.ts'
import { resolveOptions } from '../../src/core/options.ts'
import type { Manager } from '../../src/core/sessions.ts'
import { Shape, type Migrate } from '../../src/core/shape.ts'
import { DataError, MigrationError, NewerDataError, OptionsError } from '../../src/errors.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { Browser, server, testClock, type ServerOptions, type TestData } from '../support/core-browser.ts'

const LIMITS = { depth: 32, recordSize: 65_536 }

/** The first version counts apples; the second, fruits by name; the third keeps them in a list. */
const SECOND: { readonly version: number; readonly migrate: Migrate } = {
  version: 2,
  migrate: (data) => {
    const { apples = 0, ...rest } = data as { apples?: number }
    return { ...rest, fruits: { apple: apples } }
  },
}
const THIRD: typeof SECOND = {
  version: 3,
  migrate: (data, from) => {
    const { fruits = {}, ...rest } = (from < 2 ? SECOND.migrate(data, from) : data) as { fruits?: object }
    return { ...rest, list: Object.entries(fruits) }
  },
}

interface World {
  /** A server with version 1, 2, 3. */
  readonly servers: readonly Manager<TestData>[]
  readonly commands: () => number
}

async function world(options: ServerOptions = {}): Promise<World> {
  const clock = testClock()
  const store = memoryStore({ now: clock.now })
  const servers = [{}, SECOND, THIRD].map((shape) => server(store, clock, { ...options, ...shape }))
  await Promise.all(servers.map((one) => one.ready()))
  return { servers, commands: () => store.stats().commands }
}

async function withApples(on: Manager<TestData>): Promise<Browser> {
  const browser = new Browser()
  await browser.visit(on, (session) => session.signIn('ada'), 'POST')
  await browser.visit(on, (session) => void Object.assign(session.data, { apples: 2, name: 'Ada' }), 'POST')
  return browser
}

function read(browser: Browser, on: Manager<TestData>): Promise<unknown> {
  return browser.visit(on, ({ data, status }) => ({ ...structuredClone(data), status }))
}

describe('data of an older version', () => {
  it('are brought up when they are read, in one step or several, and nothing is written for it', async () => {
    const { servers, commands } = await world()
    const browser = await withApples(servers[0]!)
    const before = commands()
    expect(await read(browser, servers[1]!)).toEqual({ name: 'Ada', fruits: { apple: 2 }, status: 'live' })
    expect(await read(browser, servers[2]!)).toEqual({ name: 'Ada', list: [['apple', 2]], status: 'live' })
    expect(await browser.visit(servers[1]!, (session) => session.commit())).not.toBe('saved')
    // Reading, and nothing else: the old server still has what is its own.
    expect(await read(browser, servers[0]!)).toEqual({ name: 'Ada', apples: 2, status: 'live' })
    expect(commands() - before).toBeLessThanOrEqual(10)
  })

  it('are stored as they were brought up with the next change', async () => {
    const { servers } = await world()
    const browser = await withApples(servers[0]!)
    await browser.visit(servers[1]!, (session) => void (session.data['name'] = 'Bea'), 'POST')
    expect(await read(browser, servers[1]!)).toEqual({ name: 'Bea', fruits: { apple: 2 }, status: 'live' })
    expect(await read(browser, servers[0]!)).toEqual({ name: 'Bea', fruits: { apple: 2 }, status: 'stale' })
    await browser.visit(servers[2]!, (session) => session.update((data) => void (data['name'] = 'Cleo')), 'POST')
    expect(await read(browser, servers[2]!)).toEqual({ name: 'Cleo', list: [['apple', 2]], status: 'live' })
  })

  it('are merged with what an old server changes at the same time', async () => {
    const { servers } = await world()
    const browser = await withApples(servers[0]!)
    const slow = browser.copy()
    let go = (): void => undefined
    const waits = new Promise<void>((resolve) => (go = resolve))
    const late = slow.request(
      servers[1]!,
      async (session) => {
        session.data['city'] = 'Ulm'
        await waits
      },
      'POST',
    )
    await browser.visit(servers[0]!, (session) => void (session.data['apples'] = 5), 'POST')
    go()
    browser.keep((await late).cookies)
    expect(await read(browser, servers[1]!)).toEqual({ name: 'Ada', city: 'Ulm', fruits: { apple: 5 }, status: 'live' })
  })

  it('are brought up in the lists and changes of the manager, too', async () => {
    const { servers } = await world()
    await withApples(servers[0]!)
    const [listed] = await servers[1]!.list('ada')
    expect(listed?.data).toEqual({ name: 'Ada', fruits: { apple: 2 } })
    await servers[1]!.update('ada', listed!.handle, (data) => void (data['name'] = 'Bea'))
    expect((await servers[1]!.list('ada'))[0]?.data).toEqual({ name: 'Bea', fruits: { apple: 2 } })
  })

  it('go along with a sign-in', async () => {
    const { servers } = await world()
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => void (session.data['apples'] = 1), 'POST')
    await browser.visit(servers[1]!, (session) => session.signIn('ada'), 'POST')
    expect(await read(browser, servers[1]!)).toEqual({ fruits: { apple: 1 }, status: 'live' })
  })

  it('that migrate() cannot take are an error with the session’s handle, and stay as they are', async () => {
    const clock = testClock()
    const store = memoryStore({ now: clock.now })
    const old = server(store, clock)
    const browser = await withApples(old)
    const handle = await browser.visit(old, (session) => session.handle)
    const throwing: Migrate = () => {
      throw new Error('no such luck')
    }
    const failing: Migrate[] = [throwing, (() => undefined) as never, () => [], () => ({ run: () => 1 })]
    for (const migrate of failing) {
      const now = server(store, clock, { version: 2, migrate })
      const error: unknown = await browser
        .copy()
        .request(now, (session) => session.data)
        .catch((cause: unknown) => cause)
      expect(error).toBeInstanceOf(MigrationError)
      expect(error).toMatchObject({ code: 'ERR_MIGRATION', status: 500, from: 1, handle })
      await expect(
        browser.copy().request(now, (session) => session.update((data) => void (data['x'] = 1)), 'POST'),
      ).rejects.toMatchObject({ code: 'ERR_MIGRATION', handle })
      // Who does not ask for the data is served.
      expect(await browser.copy().visit(now, (session) => session.userId)).toBe('ada')
      expect((await now.list('ada')).length).toBe(1)
    }
    expect(await read(browser, old)).toEqual({ name: 'Ada', apples: 2, status: 'live' })
  })

  it('do not see what migrate() keeps a hand on', async () => {
    const clock = testClock()
    const store = memoryStore({ now: clock.now })
    const browser = await withApples(server(store, clock))
    const kept = { list: [1] }
    const now = server(store, clock, { version: 2, migrate: () => kept })
    await browser.visit(now, (session) => void (session.data['list'] as number[]).push(2), 'POST')
    kept.list.push(3)
    expect(await read(browser, now)).toEqual({ list: [1, 2], status: 'live' })
    expect(kept.list).toEqual([1, 3])
  })
})

describe('data of a newer version', () => {
  async function newer(): Promise<World & { browser: Browser }> {
    const made = await world()
    return { ...made, browser: await withFruits(made.servers[1]!) }
  }

  async function withFruits(on: Manager<TestData>): Promise<Browser> {
    const browser = new Browser()
    await browser.visit(on, (session) => session.signIn('ada'), 'POST')
    await browser.visit(on, (session) => void (session.data['fruits'] = { pear: 1 }), 'POST')
    return browser
  }

  it('can be read as they are, with status stale', async () => {
    const { servers, browser } = await newer()
    expect(await read(browser, servers[0]!)).toEqual({ fruits: { pear: 1 }, status: 'stale' })
    expect(
      await browser.visit(servers[0]!, (session) => [session.userId, session.csrf.verify(session.csrf.token())]),
    ).toEqual(['ada', true])
    expect(await browser.visit(servers[0]!, (session) => session.commit())).not.toBe('saved')
    expect((await servers[0]!.list('ada'))[0]?.data).toEqual({ fruits: { pear: 1 } })
  })

  it('are changed by nobody who does not know them: 503, to be asked again', async () => {
    const { servers, browser } = await newer()
    const old = servers[0]!
    const handle = await browser.visit(old, (session) => session.handle)
    const attempts: ((session: Parameters<Parameters<Browser['visit']>[1]>[0]) => unknown)[] = [
      (session) => void (session.data['apples'] = 1),
      (session) => void (session.data = {}),
      (session) => session.update(() => 1),
      (session) => {
        session.data['apples'] = 1
        return session.commit()
      },
      (session) => session.signIn('ada'),
    ]
    for (const attempt of attempts) {
      const error: unknown = await browser
        .copy()
        .request(old, attempt, 'POST')
        .catch((cause: unknown) => cause)
      expect(error).toBeInstanceOf(NewerDataError)
      expect(error).toMatchObject({
        code: 'ERR_DATA_NEWER',
        status: 503,
        headers: { 'retry-after': '1' },
        version: 2,
        handle,
      })
    }
    await expect(old.update('ada', handle!, () => 1)).rejects.toMatchObject({ code: 'ERR_DATA_NEWER', handle })
    expect(await read(browser, servers[1]!)).toEqual({ fruits: { pear: 1 }, status: 'live' })
  })

  it('that come while an old server is at a change keep it from being saved', async () => {
    const { servers } = await world()
    const browser = await withApples(servers[0]!)
    let go = (): void => undefined
    const waits = new Promise<void>((resolve) => (go = resolve))
    const late = browser.copy().request(
      servers[0]!,
      async (session) => {
        session.data['apples'] = 9
        await waits
      },
      'POST',
    )
    await browser.visit(servers[1]!, (session) => void (session.data['city'] = 'Ulm'), 'POST')
    go()
    await expect(late).rejects.toBeInstanceOf(NewerDataError)
    expect(await read(browser, servers[1]!)).toEqual({ name: 'Ada', city: 'Ulm', fruits: { apple: 2 }, status: 'live' })
  })

  it('do not keep a session from being renewed, touched, left and revoked', async () => {
    const { servers, browser } = await newer()
    const old = servers[0]!
    await browser.visit(old, (session) => session.regenerateId(), 'POST')
    await browser.visit(old, (session) => session.touch(), 'POST')
    expect(await read(browser, servers[1]!)).toEqual({ fruits: { pear: 1 }, status: 'live' })
    await browser.visit(old, (session) => session.signOut(), 'POST')
    expect(await browser.visit(servers[1]!, (session) => session.userId)).toBeUndefined()
    const another = await withFruits(servers[1]!)
    await old.revokeUser('ada')
    expect(await another.visit(servers[1]!, (session) => session.userId)).toBeUndefined()
  })

  it('of somebody else are left behind by a sign-in', async () => {
    const { servers, browser } = await newer()
    await browser.visit(servers[0]!, (session) => session.signIn('bea'), 'POST')
    expect(await read(browser, servers[0]!)).toEqual({ status: 'live' })
    expect(await browser.visit(servers[1]!, (session) => session.userId)).toBe('bea')
  })
})

describe('the number', () => {
  const shapes = (version: number): Shape => new Shape(version, (data) => data, LIMITS)
  const data = fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.integer(), fc.boolean()))
  const versions = fc.integer({ min: 1, max: 1_000_000_000 })

  it('goes before the data and comes back, whatever both are', () => {
    fc.assert(
      fc.property(data, versions, versions, (given, writes, reads) => {
        const payload = shapes(writes).encode(given)
        const reader = shapes(reads)
        expect(reader.decode(payload)).toEqual(given)
        expect(reader.isNewer(payload)).toBe(writes > reads)
      }),
    )
  })

  it('is left out where it is 1, so that data from before are of version 1', () => {
    expect(shapes(1).encode({ a: 1 })).toEqual(encode({ a: 1 }, LIMITS))
    expect(Buffer.from(shapes(12).encode({ a: 1 })).toString()).toBe('12{"a":1}')
  })

  it.each(['0{}', '1{}', '01{}', '-2{}', '2', '2 {}', '99999999999{}', 'x{}', '', '2.5{}', '[]', '2[]'])(
    'that was never written is garbage: %s',
    (text) => {
      expect(() => shapes(3).decode(Buffer.from(text))).toThrow(DataError)
    },
  )

  it('is an option that is checked', () => {
    for (const version of [0, -1, 1.5, '2', Number.NaN, 1_000_000_001])
      expect(() => resolveOptions({ version: version as number, migrate: (given) => given })).toThrow(OptionsError)
    expect(() => resolveOptions({ version: 2 })).toThrow(/migrate/)
    expect(() => resolveOptions({ version: 2, migrate: 'no' as never })).toThrow(OptionsError)
    expect(resolveOptions({ version: undefined, migrate: undefined }).shape.version).toBe(1)
  })
})

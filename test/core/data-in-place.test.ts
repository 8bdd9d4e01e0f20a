import { describe, expect, it } from 'vitest'

import { beginVisit } from '../../src/core/sessions.ts'
import type { Session } from '../../src/types.ts'
import { Browser, deployment, type TestData } from '../support/core-browser.ts'

describe('values that the handler froze', () => {
  const frozen: readonly (readonly [string, object])[] = [
    ['an array', Object.freeze(['a'])],
    ['an object with a date', Object.freeze({ at: new Date(0) })],
    ['an object in an object', Object.freeze({ inner: Object.freeze({ list: Object.freeze([1, 2]) }) })],
  ]

  it.each(frozen)('are saved like any other: %s', async (_, value) => {
    const { servers } = await deployment()
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => void (session.data['value'] = value))
    expect(await browser.visit(servers[1]!, (session) => session.data['value'])).toEqual(value)
  })

  it.each(frozen)("take others' changes over by being replaced: %s", async (_, value) => {
    const { servers } = await deployment()
    const browser = new Browser()
    await browser.visit(servers[0]!, () => undefined)
    await browser.visit(servers[0]!, async (session) => {
      session.data['value'] = value
      await session.commit()
    })
    const elsewhere = browser.copy()
    const seen = await browser.visit(servers[0]!, async (session) => {
      session.data['value'] = value
      session.data['mine'] = 1
      await elsewhere.visit(servers[1]!, (other) => void (other.data['value'] = { other: true }))
      await session.commit()
      return session.data
    })
    expect(seen).toEqual({ value: { other: true }, mine: 1 })
  })
})

describe('after the head of the answer has left, outside production', () => {
  async function leftWith(): Promise<{ session: Session<TestData>; elsewhere: (n: number) => Promise<void> }> {
    const { servers } = await deployment()
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => void (session.data['n'] = 0))
    const visit = beginVisit(servers[0]!, browser.facts(), {})
    await visit.open()
    expect(visit.session.data).toEqual({ n: 0 })
    await visit.settle()
    return {
      session: visit.session,
      elsewhere: (n) => browser.copy().visit(servers[1]!, (session) => void (session.data['n'] = n)),
    }
  }

  it('update counts once and says so (I2)', async () => {
    const { session, elsewhere } = await leftWith()
    const add = (data: TestData): unknown => (data['n'] = Number(data['n']) + 1)
    expect(await session.update(add)).toBe(1)
    await elsewhere(10)
    expect(await session.update(add)).toBe(11)
    expect(session.data).toEqual({ n: 11 })
  })

  it('reload brings what is stored now, and the data stay read-only', async () => {
    const { session, elsewhere } = await leftWith()
    await elsewhere(5)
    await session.reload()
    expect(session.data).toEqual({ n: 5 })
    expect(() => (session.data['n'] = 6)).toThrow(TypeError)
  })
})

describe('what a handler holds on to across a commit', () => {
  interface Held {
    readonly set: Set<string>
    readonly map: Map<string, number>
    readonly date: Date
    readonly list: string[]
  }

  const begin = (): Held => ({ set: new Set(['a']), map: new Map([['a', 1]]), date: new Date(0), list: ['a'] })

  function change({ set, map, date, list }: Held): void {
    set.add('mine')
    map.set('mine', 2)
    date.setTime(86_400_000)
    list.push('mine')
  }

  const changed: Held = {
    set: new Set(['a', 'mine']),
    map: new Map([
      ['a', 1],
      ['mine', 2],
    ]),
    date: new Date(86_400_000),
    list: ['a', 'mine'],
  }

  it('stays part of the data (I2)', async () => {
    const { servers } = await deployment()
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => void Object.assign(session.data, begin()))
    await browser.visit(servers[0]!, async (session) => {
      const held = { ...session.data } as unknown as Held
      session.data['other'] = 1
      await session.commit()
      change(held)
    })
    expect(await browser.visit(servers[1]!, (session) => session.data)).toEqual({ ...changed, other: 1 })
  })

  it('stays part of the data also where others have changed it (I2)', async () => {
    const { servers } = await deployment()
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => void Object.assign(session.data, begin()))
    const elsewhere = browser.copy()
    await browser.visit(servers[0]!, async (session) => {
      const held = { ...session.data } as unknown as Held
      session.data['other'] = 1
      await elsewhere.visit(servers[1]!, (there) => {
        const theirs = there.data as unknown as Held
        theirs.set.add('theirs')
        theirs.map.set('theirs', 3)
        theirs.date.setTime(1)
        theirs.list.unshift('theirs')
      })
      await session.commit()
      change(held)
    })
    const seen = await browser.visit(servers[1]!, (session) => session.data as unknown as Held)
    expect(seen.set).toEqual(new Set(['a', 'theirs', 'mine']))
    expect([...seen.map.keys()].toSorted()).toEqual(['a', 'mine', 'theirs'])
    expect(seen.date).toEqual(new Date(86_400_000))
    expect(seen.list).toEqual(['theirs', 'a', 'mine'])
  })
})

describe('one object at two places of the data', () => {
  it("undoes nobody's change of one of them (I2)", async () => {
    const { servers } = await deployment()
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => void (session.data['begun'] = true))
    const elsewhere = browser.copy()
    await browser.visit(servers[0]!, async (session) => {
      const shared = { n: 1 }
      Object.assign(session.data, { a: shared, b: shared })
      await session.commit()
      await elsewhere.visit(servers[1]!, (there) => void ((there.data['a'] as { n: number }).n = 2))
      session.data['c'] = 1
      await session.commit()
      session.data['c'] = 2
    })
    const seen = await browser.visit(servers[0]!, (session) => session.data)
    expect(seen).toEqual({ begun: true, a: { n: 2 }, b: { n: 1 }, c: 2 })
  })
})

describe('session.data', () => {
  it('is an object, and refuses to be made anything else', async () => {
    const { servers } = await deployment({}, 1)
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => void (session.data['a'] = 1))
    for (const value of [null, undefined, 1, 'text']) {
      await browser.visit(servers[0]!, (session) => {
        expect(() => (session.data = value as never)).toThrow(/session\.data is a plain object/)
      })
    }
    expect(await browser.visit(servers[0]!, (session) => session.data)).toEqual({ a: 1 })
  })
})

import { describe, expect, it } from 'vitest'
import { Mould } from '../../src/core/mould.ts'

const data = () => ({
  name: 'Ada',
  roles: ['admin', 'dev'],
  cart: [{ sku: 'A', n: 2 }, []],
  more: { zero: 0 },
})
type Data = ReturnType<typeof data>

/** Copies of the data, with a change made. */
function cast(change: (copy: Data) => void = () => undefined): { mould: Mould; copies: readonly object[] } {
  const mould = Mould.of(data())!
  const copies = mould.cast()
  change(copies[0] as Data)
  return { mould, copies }
}

describe('a copy that a mould casts', () => {
  it('equals the data at every depth, and shares nothing with them or with another copy', () => {
    const original = data()
    const mould = Mould.of(original)!
    const [one, two] = [mould.cast(), mould.cast()]
    expect(one[0]).toEqual(original)
    expect(one).toHaveLength(6)
    for (const [at, part] of one.entries()) expect(part).not.toBe(two[at])
    for (const part of [original, original.roles, original.cart, original.cart[0], original.cart[1], original.more])
      expect(one).not.toContain(part)
  })

  it('fits while nothing in it was changed', () => {
    const { mould, copies } = cast()
    expect(mould.fits(copies)).toBe(true)
  })

  it.each<[string, (copy: Data) => void]>([
    ['a value', (copy) => void (copy.name = 'Grace')],
    ['a new member', (copy) => void Object.assign(copy, { fresh: 1 })],
    ['a member less', (copy) => void Reflect.deleteProperty(copy, 'name')],
    ['a member renamed', (copy) => void (Reflect.deleteProperty(copy, 'name'), Object.assign(copy, { title: 'Ada' }))],
    ['a longer list', (copy) => void copy.roles.push('ops')],
    ['a list sorted', (copy) => void copy.roles.push(copy.roles.shift()!)],
    ['a value at depth', (copy) => void Object.assign(copy.cart[0]!, { n: 3 })],
    ['an equal object in the place of one', (copy) => void (copy.more = { zero: 0 })],
    ['a list that moved', (copy) => void copy.cart.push(copy.cart.shift()!)],
    ['0 that became -0', (copy) => void (copy.more.zero = -0)],
    ['a value that became one that equals itself never', (copy) => void (copy.more.zero = Number.NaN)],
  ])('fits no more after a change: %s', (_what, change) => {
    const { mould, copies } = cast(change)
    expect(mould.fits(copies)).toBe(false)
  })
})

describe('there is no mould', () => {
  it.each([
    ['a Date', { at: new Date(0) }],
    ['a Map', { deep: [new Map()] }],
    ['bytes', { bytes: new Uint8Array(2) }],
    ['more objects than are worth it', { list: Array.from({ length: 300 }, () => ({})) }],
  ])('of %s', (_what, value) => {
    expect(Mould.of(value)).toBeUndefined()
  })
})

it('no member is taken for another where one was undefined', () => {
  const mould = Mould.of({ none: undefined })!
  const copies = mould.cast()
  Reflect.deleteProperty(copies[0]!, 'none')
  Object.assign(copies[0]!, { some: 1 })
  expect(mould.fits(copies)).toBe(false)
})

it('a member called __proto__ is a member like any other', () => {
  const mould = Mould.of(JSON.parse('{"__proto__":{"polluted":true},"list":[]}') as object)!
  const copies = mould.cast()
  expect(Object.getPrototypeOf(copies[0])).toBe(Object.prototype)
  expect(Object.keys(copies[0]!)).toEqual(['__proto__', 'list'])
  expect(mould.fits(copies)).toBe(true)
})

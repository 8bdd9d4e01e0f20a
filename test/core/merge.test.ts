import { describe, expect, test } from 'vitest'

import { merge, rebase } from '../../src/core/merge.ts'

type Sides = readonly [base: unknown, mine: unknown, theirs: unknown]

const day = (time: number): Date => new Date(time)

describe('both survive', () => {
  test.each<[string, ...Sides, unknown]>([
    ['changes of two members', { a: 1, b: 1 }, { a: 2, b: 1 }, { a: 1, b: 2 }, { a: 2, b: 2 }],
    [
      'changes of two members deep inside',
      { o: { p: { a: 1, b: 1 } } },
      { o: { p: { a: 2, b: 1 } } },
      { o: { p: { a: 1, b: 2 } } },
      { o: { p: { a: 2, b: 2 } } },
    ],
    ['an added member and a deleted one', { o: { a: 1 } }, { o: { a: 1, b: 2 } }, { o: {} }, { o: { b: 2 } }],
    ['two deletions', { a: 1, b: 1, c: 1 }, { a: 1, c: 1 }, { b: 1, c: 1 }, { c: 1 }],
    ['objects that both added', {}, { o: { a: 1 } }, { o: { b: 2 } }, { o: { a: 1, b: 2 } }],
    ['objects that both put where null was', { o: null }, { o: { a: 1 } }, { o: { b: 2 } }, { o: { a: 1, b: 2 } }],
    [
      'what both appended: theirs, then mine',
      { l: [1] },
      { l: [1, 'm'] },
      { l: [1, 't', 'u'] },
      { l: [1, 't', 'u', 'm'] },
    ],
    ['what both appended to a new array', {}, { l: ['m'] }, { l: ['t'] }, { l: ['t', 'm'] }],
    ['what both appended, where it is the same', { l: [1] }, { l: [1, 'x'] }, { l: [1, 'x'] }, { l: [1, 'x', 'x'] }],
    [
      'what both appended after equal values',
      { l: [day(1), { a: 1 }] },
      { l: [day(1), { a: 1 }, 'm'] },
      { l: [day(1), { a: 1 }, 't'] },
      { l: [day(1), { a: 1 }, 't', 'm'] },
    ],
    [
      'members named __proto__',
      JSON.parse('{"__proto__":{"a":1}}'),
      JSON.parse('{"__proto__":{"a":1,"b":2}}'),
      JSON.parse('{"__proto__":{"a":1,"c":3}}'),
      JSON.parse('{"__proto__":{"a":1,"b":2,"c":3}}'),
    ],
  ])('%s', (_name, base, mine, theirs, value) => {
    const merged = merge(base, mine, theirs)
    expect(merged.value).toStrictEqual(value)
    expect(merged.conflicts).toEqual([])
  })
})

describe('one change, made by one side or by both alike', () => {
  test.each<[string, ...Sides, unknown]>([
    ['the same value', { a: 1 }, { a: 2 }, { a: 2 }, { a: 2 }],
    ['the same date', { a: day(1) }, { a: day(2) }, { a: day(2) }, { a: day(2) }],
    ['the same deletion', { a: { b: 1 } }, {}, {}, {}],
    ['the same default', {}, { l: ['x'] }, { l: ['x'] }, { l: ['x'] }],
    ['the same shortened array', { l: [1, 2] }, { l: [1] }, { l: [1] }, { l: [1] }],
    ['undefined, which is absent', { a: 1, b: 1 }, { a: undefined, b: 1 }, { b: 1 }, { b: 1 }],
    ['a deletion here', { a: 1, b: 1 }, { b: 1 }, { a: 1, b: 1 }, { b: 1 }],
    ['a deletion there', { a: 1, b: 1 }, { a: 1, b: 1 }, { b: 1 }, { b: 1 }],
    ['another type here', { a: {} }, { a: [] }, { a: {} }, { a: [] }],
    ['NaN, which is NaN', { a: Number.NaN }, { a: Number.NaN }, { a: 1 }, { a: 1 }],
  ])('%s', (_name, base, mine, theirs, value) => {
    const merged = merge(base, mine, theirs)
    expect(merged.value).toStrictEqual(value)
    expect(merged.conflicts).toEqual([])
  })
})

describe('two changes of one place: mine, the later, wins, and the place is named', () => {
  test.each<[string, ...Sides, unknown, string[]]>([
    ['a value', { a: 1 }, { a: 2 }, { a: 3 }, { a: 2 }, ['a']],
    [
      'values deep inside',
      { cart: { items: { n: 1 }, at: 1 } },
      { cart: { items: { n: 2 }, at: 2 } },
      { cart: { items: { n: 3 }, at: 3 } },
      { cart: { items: { n: 2 }, at: 2 } },
      ['cart.items.n', 'cart.at'],
    ],
    ['deleted here, changed there', { o: { a: 1 } }, {}, { o: { a: 2 } }, {}, ['o']],
    [
      'changed below here, deleted there',
      { o: { a: 1, b: 1 } },
      { o: { a: 2, b: 1 } },
      {},
      { o: { a: 2, b: 1 } },
      ['o'],
    ],
    ['deleted below here, deleted there', { o: { a: 1 } }, { o: {} }, {}, { o: {} }, ['o']],
    ['added by both', {}, { a: 1 }, { a: 2 }, { a: 1 }, ['a']],
    ['a date', { a: day(1) }, { a: day(2) }, { a: day(3) }, { a: day(2) }, ['a']],
    ['a Map', { a: new Map() }, { a: new Map([[1, 1]]) }, { a: new Map([[2, 2]]) }, { a: new Map([[1, 1]]) }, ['a']],
    ['a Set', { a: new Set() }, { a: new Set([1]) }, { a: new Set([2]) }, { a: new Set([1]) }, ['a']],
    [
      'bytes',
      { a: new Uint8Array(1) },
      { a: new Uint8Array([1]) },
      { a: new Uint8Array([2]) },
      { a: new Uint8Array([1]) },
      ['a'],
    ],
    ['a bigint', { a: 1n }, { a: 2n }, { a: 3n }, { a: 2n }, ['a']],
    ['an element', { l: [1, 2] }, { l: [0, 2] }, { l: [1, 3] }, { l: [0, 2] }, ['l']],
    ['an element here, a tail there', { l: [1] }, { l: [2] }, { l: [1, 3] }, { l: [2] }, ['l']],
    ['a tail here, a head there', { l: [1] }, { l: [1, 3] }, { l: [0, 1] }, { l: [1, 3] }, ['l']],
    [
      'objects in arrays',
      { l: [{ a: 1, b: 1 }] },
      { l: [{ a: 2, b: 1 }] },
      { l: [{ a: 1, b: 2 }] },
      { l: [{ a: 2, b: 1 }] },
      ['l'],
    ],
    ['objects that both put where a text was', { a: 'x' }, { a: { m: 1 } }, { a: { t: 1 } }, { a: { m: 1 } }, ['a']],
    ['an object here, an array there', {}, { a: {} }, { a: [] }, { a: {} }, ['a']],
    ['a name that is no identifier', { 'b c': 1 }, { 'b c': 2 }, { 'b c': 3 }, { 'b c': 2 }, ['["b c"]']],
  ])('%s', (_name, base, mine, theirs, value, conflicts) => {
    const merged = merge(base, mine, theirs)
    expect(merged.value).toStrictEqual(value)
    expect(merged.conflicts).toEqual(conflicts)
  })
})

describe('keys that are declared whole', () => {
  const whole = new Set(['cart'])

  test('are one unit', () => {
    const merged = merge(
      { cart: { items: 1, total: 10 } },
      { cart: { items: 2, total: 10 } },
      { cart: { items: 1, total: 20 } },
      { whole },
    )
    expect(merged).toEqual({ value: { cart: { items: 2, total: 10 } }, conflicts: ['cart'] })
  })

  test('are one unit where they are arrays, too', () => {
    const merged = merge({ cart: [1] }, { cart: [1, 2] }, { cart: [1, 3] }, { whole })
    expect(merged).toEqual({ value: { cart: [1, 2] }, conflicts: ['cart'] })
  })

  test('take the side that changed', () => {
    expect(merge({ cart: { n: 1 } }, { cart: { n: 1 } }, { cart: { n: 2 } }, { whole }).value).toEqual({
      cart: { n: 2 },
    })
    expect(merge({ cart: { n: 1 } }, { cart: { n: 2 } }, { cart: { n: 1 } }, { whole }).value).toEqual({
      cart: { n: 2 },
    })
    expect(merge({ cart: { n: 1 } }, { cart: { n: 2 } }, { cart: { n: 2 } }, { whole }).conflicts).toEqual([])
  })

  test('are meant at the top only', () => {
    const merged = merge(
      { a: { cart: { x: 1, y: 1 } } },
      { a: { cart: { x: 2, y: 1 } } },
      { a: { cart: { x: 1, y: 2 } } },
      { whole },
    )
    expect(merged).toEqual({ value: { a: { cart: { x: 2, y: 2 } } }, conflicts: [] })
  })
})

describe('made once more on what came after', () => {
  test('an appended value goes to the end, whatever else the array has gained', () => {
    // Sent was ['a'], theirs was ['x'], so ['x', 'a'] is stored; meanwhile 'b' was appended here.
    expect(rebase({ l: ['a'] }, { l: ['a', 'b'] }, { l: ['x', 'a'] })).toEqual({
      value: { l: ['x', 'a', 'b'] },
      conflicts: [],
    })
  })

  test('everything else merges as ever', () => {
    expect(rebase({ a: 1, l: [1] }, { a: 2, l: [1], m: [1] }, { a: 1, b: 3, l: [0, 1], m: [2] })).toEqual({
      value: { a: 2, b: 3, l: [0, 1], m: [2, 1] },
      conflicts: [],
    })
    expect(rebase({ l: [1] }, { l: [2] }, { l: [0, 1] })).toEqual({ value: { l: [2] }, conflicts: ['l'] })
  })
})

test("a prototype is nobody else's to set", () => {
  const evil: unknown = JSON.parse('{"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}}}')
  const cases: readonly Sides[] = [
    [{}, evil, {}],
    [{}, {}, evil],
    [evil, {}, evil],
    [evil, evil, {}],
    [{}, evil, { b: 1 }],
  ]
  for (const sides of cases) {
    const { value } = merge(...sides)
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    expect((value as { admin?: unknown }).admin).toBeUndefined()
  }
  expect(({} as { admin?: unknown }).admin).toBeUndefined()
})

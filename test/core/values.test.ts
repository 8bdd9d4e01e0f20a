import { runInNewContext } from 'node:vm'

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { encode } from '../../src/core/codec.ts'
import { clone, deepFreeze, equal } from '../../src/core/values.ts'
import { DataError } from '../../src/errors.ts'
import { objectsIn, roomy, spell, storable, storableData } from './storable.ts'

/** Pairs that are alike in most places, since two values drawn apart hardly ever are. */
const pair = fc.oneof(
  fc.tuple(storable, storable),
  storable.map((value) => [value, clone(value)] as const),
  fc
    .tuple(storableData, fc.string({ maxLength: 1 }), storable)
    .map(([data, key, member]) => [data, { ...data, [key]: member }] as const),
  fc
    .tuple(storableData, storable, storable)
    .map(([data, left, right]) => [{ x: [data, left] }, { x: [data, right] }] as const),
)

describe('clone', () => {
  test('gives the same value, and shares no object with it', () => {
    fc.assert(
      fc.property(storable, (value) => {
        const copy = clone(value)
        const originals = new Set(objectsIn(value))
        return spell(copy) === spell(value) && objectsIn(copy).every((object) => !originals.has(object))
      }),
      { numRuns: 20_000 },
    )
  })

  test('an object without prototype becomes an ordinary one, a Buffer a Uint8Array with memory of its own', () => {
    const copy = clone({ bare: Object.assign(Object.create(null) as object, { a: 1 }), bytes: Buffer.from('x') })
    expect(copy).toStrictEqual({ bare: { a: 1 }, bytes: new Uint8Array([120]) })
    expect(copy.bytes.buffer.byteLength).toBe(1)
  })

  test('what the codec refuses is handed on, so that it is still refused', () => {
    const refused = [
      { f: () => 1 },
      { a: new (class Item {})() },
      {
        get total() {
          return 1
        },
      },
      { [Symbol('s')]: 1 },
      { match: /b/.exec('abc') },
      { list: [undefined] },
      { list: Array<unknown>(3) },
      { a: Object.defineProperty({}, 'hidden', { value: 1 }) },
    ]
    for (const data of refused) expect(() => encode(clone(data), roomy)).toThrow(DataError)
  })

  test('a cycle is a DataError, no overflow', () => {
    const ring: Record<string, unknown> = {}
    ring['ring'] = ring
    expect(() => clone(ring)).toThrow(DataError)
  })
})

describe('equal', () => {
  test('says what a full description of both says', () => {
    fc.assert(
      fc.property(
        pair,
        ([left, right]) =>
          equal(left, right) === (spell(left) === spell(right)) && equal(right, left) === equal(left, right),
      ),
      { numRuns: 30_000 },
    )
  })

  test.each<[string, unknown, unknown]>([
    ['NaN and NaN', Number.NaN, Number.NaN],
    ['undefined and absent members', { a: undefined, b: 1 }, { b: 1, c: undefined }],
    ['members in another order', { a: 1, b: 2 }, { b: 2, a: 1 }],
    ['with and without prototype', { a: 1 }, Object.assign(Object.create(null) as object, { a: 1 })],
    ['invalid dates', new Date(Number.NaN), new Date(Number.NaN)],
    ['a Buffer and its bytes', Buffer.from('x'), new Uint8Array([120])],
    ['objects of another realm', { a: [new Date(1)] }, runInNewContext('({ a: [new Date(1)] })')],
  ])('%s are equal', (_name, left, right) => {
    expect(equal(left, right)).toBe(true)
    expect(equal(right, left)).toBe(true)
  })

  test.each<[string, unknown, unknown]>([
    ['0 and -0', 0, -0],
    ['1 and 1n', 1, 1n],
    ['null and undefined', null, undefined],
    ['null and an object', null, {}],
    ['an array and an object', [], {}],
    ['two dates', new Date(1), new Date(2)],
    ['a date and its time', new Date(1), 1],
    ['an empty Map and an empty Set', new Map(), new Set()],
    ['an empty Map and an empty object', new Map(), {}],
    [
      'Maps in another order',
      new Map([
        [1, 1],
        [2, 2],
      ]),
      new Map([
        [2, 2],
        [1, 1],
      ]),
    ],
    ['Sets in another order', new Set([1, 2]), new Set([2, 1])],
    ['Maps with other values', new Map([[1, 1]]), new Map([[1, 2]])],
    ['bytes', new Uint8Array([1]), new Uint8Array([2])],
    ['an inherited name and an absent one', { toString: Object.prototype.toString }, {}],
    ['a __proto__ member and another', JSON.parse('{"__proto__":{}}'), { a: 1 }],
    ['a __proto__ member and none', JSON.parse('{"__proto__":{}}'), {}],
    ['two functions', { f: () => 1 }, { f: () => 1 }],
    ['two instances', new (class A {})(), new (class A {})()],
  ])('%s differ', (_name, left, right) => {
    expect(equal(left, right)).toBe(false)
    expect(equal(right, left)).toBe(false)
  })

  test('two cycles are not followed for ever', () => {
    const ring = (): object => {
      const made: Record<string, unknown> = {}
      made['ring'] = made
      return made
    }
    expect(equal(ring(), ring())).toBe(false)
  })
})

describe('deepFreeze', () => {
  const writers: ReadonlyArray<[string, (data: ReturnType<typeof sample>) => void]> = [
    ['a member', (data) => (data.name = 'x')],
    ['a new member', (data) => Object.assign(data, { extra: 1 })],
    [
      'a member deep inside',
      (data) => {
        data.cart[0] = { n: 2 }
      },
    ],
    ['an array', (data) => data.cart.push({ n: 2 })],
    ['a member in an array', (data) => Object.assign(data.cart[0] ?? {}, { n: 2 })],
    ['a Map', (data) => data.map.set('b', { n: 2 })],
    ['a value in a Map', (data) => Object.assign(data.map.get('a') ?? {}, { n: 2 })],
    ['a Map, emptied', (data) => data.map.clear()],
    ['a Set', (data) => data.set.add(2)],
    ['a Set, less', (data) => data.set.delete(1)],
    ['a Date', (data) => data.day.setFullYear(2000)],
  ]

  test.each(writers)('%s cannot be changed', (_name, write) => {
    const data = deepFreeze(sample())
    expect(() => write(data)).toThrow(TypeError)
    expect(data).toEqual(sample())
    expect(spell(data)).toBe(spell(sample()))
  })

  test('frozen data is copied, compared and encoded like any other, and the copy can be changed', () => {
    const data = deepFreeze(deepFreeze(sample()))
    expect(equal(data, sample())).toBe(true)
    expect(encode(data, roomy)).toEqual(encode(sample(), roomy))
    const copy = clone(data)
    copy.map.set('b', { n: 2 })
    copy.cart.push({ n: 2 })
    expect(data).toEqual(sample())
  })

  test('a cycle ends, and instances of classes are left alone', () => {
    const ring: Record<string, unknown> = {
      item: new (class Item {
        n = 1
      })(),
    }
    ring['ring'] = ring
    expect(Object.isFrozen(deepFreeze(ring))).toBe(true)
    expect(Object.isFrozen(ring['item'])).toBe(false)
  })
})

function sample() {
  return {
    name: 'Ada',
    cart: [{ n: 1 }],
    map: new Map([['a', { n: 1 }]]),
    set: new Set([1]),
    day: new Date(5),
    bytes: new Uint8Array([1]),
  }
}

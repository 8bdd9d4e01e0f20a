import { runInNewContext } from 'node:vm'

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { decode, encode } from '../../src/core/codec.ts'
import { DataError, LimitError } from '../../src/errors.ts'
import { roomy, spell, storableData } from './storable.ts'

const limits = { depth: 32, recordSize: 65_536 }

function wire(data: object): string {
  return Buffer.from(encode(data, limits)).toString('utf8')
}

function stored(text: string): Record<string, unknown> {
  return decode(Buffer.from(text, 'utf8'))
}

function there(data: object): Record<string, unknown> {
  return decode(encode(data, roomy))
}

describe('what a session keeps comes back as it was', () => {
  test('any data', () => {
    fc.assert(
      fc.property(storableData, (data) => spell(there(data)) === spell(data)),
      { numRuns: 20_000 },
    )
  })

  test('encoding changes nothing and reads the same twice', () => {
    fc.assert(
      fc.property(storableData, (data) => {
        const before = structuredClone(data)
        const first = encode(data, roomy)
        return Buffer.compare(first, encode(data, roomy)) === 0 && spell(data) === spell(before)
      }),
      { numRuns: 10_000 },
    )
  })

  test('what was read is written again as the same bytes', () => {
    fc.assert(
      fc.property(storableData, (data) => {
        const bytes = encode(data, roomy)
        return Buffer.compare(encode(decode(bytes), roomy), bytes) === 0
      }),
      { numRuns: 10_000 },
    )
  })

  test('frozen data is kept like any other', () => {
    expect(there(Object.freeze({ roles: Object.freeze(['admin']) }))).toEqual({ roles: ['admin'] })
  })

  test('an object without prototype comes back as an ordinary one', () => {
    const bare: object = Object.assign(Object.create(null) as object, { a: 1 })
    expect(Object.getPrototypeOf(there({ bare })['bare'])).toBe(Object.prototype)
    expect(there(bare)).toStrictEqual({ a: 1 })
  })

  test('a Buffer comes back as a Uint8Array with memory of its own', () => {
    const bytes = there({ bytes: Buffer.from('hello') })['bytes'] as Uint8Array
    expect(Object.getPrototypeOf(bytes)).toBe(Uint8Array.prototype)
    expect(bytes.buffer.byteLength).toBe(5)
  })

  test('a view of a part of its memory keeps that part', () => {
    expect(there({ part: new Uint8Array([1, 2, 3, 4]).subarray(1, 3) })['part']).toStrictEqual(new Uint8Array([2, 3]))
  })

  test('undefined members are left out', () => {
    const back = there({ a: undefined, b: { c: undefined }, d: 1 })
    expect(back).toStrictEqual({ b: {}, d: 1 })
  })

  test('a value that is there twice comes back as two', () => {
    const item = { n: 1 }
    const back = there({ first: item, second: item }) as { first: object; second: object }
    expect(back.first).toStrictEqual(back.second)
    expect(back.first).not.toBe(back.second)
  })

  test('values of another realm count like ours', () => {
    const foreign = runInNewContext(
      '({ list: [1], day: new Date(5), map: new Map([[1, 2]]), set: new Set([3]), bytes: new Uint8Array([4]), plain: { a: 1 } })',
    ) as object
    expect(there(foreign)).toStrictEqual({
      list: [1],
      day: new Date(5),
      map: new Map([[1, 2]]),
      set: new Set([3]),
      bytes: new Uint8Array([4]),
      plain: { a: 1 },
    })
  })
})

describe('the wire form', () => {
  test.each([
    [{ a: new Date(5) }, '{"a":{"$d":5}}'],
    [{ a: new Date(Number.NaN) }, '{"a":{"$d":null}}'],
    [{ a: new Map([[1, 'x']]) }, '{"a":{"$m":[[1,"x"]]}}'],
    [{ a: new Set([1, 2]) }, '{"a":{"$s":[1,2]}}'],
    [{ a: 123n }, '{"a":{"$i":"123"}}'],
    [{ a: new Uint8Array([1, 2, 3]) }, '{"a":{"$b":"AQID"}}'],
    [{ a: Number.NaN, b: Number.NEGATIVE_INFINITY, c: -0 }, '{"a":{"$n":"NaN"},"b":{"$n":"-Infinity"},"c":-0}'],
    [{ a: { $d: 5 } }, '{"a":{"$o":{"$d":5}}}'],
    [{ a: { $o: {} } }, '{"a":{"$o":{"$o":{}}}}'],
    [{ $set: { x: 1 } }, '{"$o":{"$set":{"x":1}}}'],
    [{ a: { $d: 5, gone: undefined } }, '{"a":{"$o":{"$d":5}}}'],
    [{ a: { gone: undefined, $d: 5 } }, '{"a":{"$o":{"$d":5}}}'],
    [{ a: { $d: 5, b: 1 } }, '{"a":{"$d":5,"b":1}}'],
    [{ a: { b: 1, $d: 5 } }, '{"a":{"b":1,"$d":5}}'],
    [{ a: '\ud800', b: 'é' }, String.raw`{"a":"\ud800","b":"é"}`],
  ])('%o', (data, text) => {
    expect(wire(data)).toBe(text)
    expect(spell(stored(text)) === spell(there(data))).toBe(true)
  })

  test('the session of the design takes 80 bytes', () => {
    expect(wire({ name: 'Ada Lovelace', roles: ['admin', 'dev'], cart: [{ sku: 'A-12345', n: 2 }] })).toHaveLength(80)
  })
})

describe('what a session cannot keep is refused with its path, and nothing is written', () => {
  class Item {
    readonly price = 1
  }
  const sparse: unknown[] = [1]
  sparse[2] = 3
  const cases: ReadonlyArray<readonly [name: string, path: string, data: () => object, advice?: RegExp]> = [
    ['a function', 'cart[2].price', () => ({ cart: [1, 2, { price: () => 1 }] }), /function/],
    ['a symbol', 'a', () => ({ a: Symbol('s') })],
    ['undefined in an array', 'list[1]', () => ({ list: [1, undefined] }), /null/],
    ['a hole', 'list[1]', () => ({ list: sparse }), /null/],
    ['an endless hole', 'list[0]', () => ({ list: Array.from({ length: 0 }).concat(Array(4_294_967_295)) })],
    ['undefined in a Map', 'map.get("k")', () => ({ map: new Map([['k', undefined]]) })],
    ['undefined as a key', 'map.keys()[0]', () => ({ map: new Map([[undefined, 1]]) })],
    ['undefined in a Set', 'set.values()[1]', () => ({ set: new Set([1, undefined]) })],
    ['under an object as key', 'map.values()[0].x', () => ({ map: new Map([[{}, { x: Symbol('s') }]]) })],
    ['a class instance', 'item', () => ({ item: new Item() }), /Item/],
    ['an object that inherits', 'child', () => ({ child: Object.create({ a: 1 }) as object }), /prototype|Object/],
    ['an Error', 'error', () => ({ error: new Error('x') }), /Error/],
    ['a RegExp', 're', () => ({ re: /x/ }), /RegExp/],
    ['a Promise', 'soon', () => ({ soon: Promise.resolve(1) }), /[Aa]wait/],
    ['a WeakMap', 'weak', () => ({ weak: new WeakMap() })],
    ['a WeakSet', 'weak', () => ({ weak: new WeakSet() })],
    ['a boxed number', 'n', () => ({ n: Object(1) as object }), /bare value/],
    ['a boxed string', 's', () => ({ s: Object('x') as object }), /bare value/],
    ['another typed array', 'floats', () => ({ floats: new Float64Array(1) }), /Float64Array/],
    ['an ArrayBuffer', 'buffer', () => ({ buffer: new ArrayBuffer(1) })],
    ['a subclass of Map', 'map', () => ({ map: new (class Prices extends Map {})() }), /Prices/],
    ['a subclass of Array', 'list', () => ({ list: new (class List extends Array {})() }), /List/],
    ['a pretended Date', 'day', () => ({ day: Object.create(Date.prototype) as object })],
    ['a pretended Map', 'map', () => ({ map: Object.create(Map.prototype) as object })],
    ['a pretended array', 'list', () => ({ list: Object.create(Array.prototype) as object })],
    ['the arguments of a call', 'args["Symbol(Symbol.iterator)"]', () => ({ args: argumentsOf(1) })],
    [
      'a getter',
      'cart.total',
      () => ({
        cart: {
          get total() {
            throw new Error('was run')
          },
        },
      }),
      /accessor/,
    ],
    ['a setter', 'cart.total', () => ({ cart: { set total(_: number) {} } }), /accessor/],
    [
      'a getter as __proto__',
      'a.__proto__',
      () => ({ a: Object.defineProperty({}, '__proto__', { get: () => 1, enumerable: true }) }),
    ],
    ['a symbol key', 'a["Symbol(x)"]', () => ({ a: { [Symbol('x')]: 1 } }), /symbol key/],
    [
      'a hidden member',
      'a.hidden',
      () => ({ a: Object.defineProperty({ b: 1 }, 'hidden', { value: 1 }) }),
      /enumerable/,
    ],
    ['a member of an array', 'match.index', () => ({ match: /b/.exec('abc') }), /array/],
    ['a member of a Map', 'map.note', () => ({ map: Object.assign(new Map(), { note: 1 }) })],
    ['a member of a Date', 'day.note', () => ({ day: Object.assign(new Date(0), { note: 1 }) })],
    ['a name that is no identifier', 'a["b c"]["]"]', () => ({ a: { 'b c': { ']': Symbol('s') } } })],
  ]

  test.each(cases.map(([name, path, data, advice = /./]) => ({ name, path, data, advice })))(
    '$name: $path',
    ({ path, data, advice }) => {
      const refusal = refusalOf(data())
      expect(refusal).toBeInstanceOf(DataError)
      expect(refusal).toMatchObject({ path, code: 'ERR_DATA', message: expect.stringMatching(advice) as string })
    },
  )

  test.each([[[1]], [new Map()], [new Item()], [() => 1], ['text'], [null]])('%o instead of data', (data) => {
    expect(refusalOf(data as object)).toMatchObject({ code: 'ERR_DATA', path: '' })
  })

  test('a cycle, named where it closes', () => {
    const ring: Record<string, unknown> = { name: 'ring' }
    ring['inner'] = { list: [ring] }
    expect(refusalOf({ ring })).toMatchObject({ code: 'ERR_DATA', path: 'ring.inner.list[0]' })
    const map = new Map<string, unknown>()
    map.set('self', map)
    expect(refusalOf({ map })).toMatchObject({ code: 'ERR_DATA', path: 'map.get("self")' })
  })
})

describe('limits', () => {
  test('depth counts containers, the data itself is the first', () => {
    const three = { a: { b: [] } }
    expect(() => encode(three, { depth: 3, recordSize: 1000 })).not.toThrow()
    expect(() => encode(three, { depth: 2, recordSize: 1000 })).toThrow(
      expect.objectContaining({
        limit: 'depth',
        message: expect.stringMatching(/a\.b is nested 3 levels deep; at most 2/) as string,
      }) as Error,
    )
  })

  test('an unlimited depth ends before the stack does', () => {
    let deep: unknown[] = []
    for (let at = 0; at < 100_000; at++) deep = [deep]
    expect(() => encode({ deep }, { depth: Infinity, recordSize: Infinity })).toThrow(LimitError)
  })

  test('recordSize counts bytes, exactly', () => {
    const data = { text: 'é'.repeat(100) }
    const { length } = encode(data, limits)
    expect(encode(data, { depth: 32, recordSize: length })).toHaveLength(length)
    expect(() => encode(data, { depth: 32, recordSize: length - 1 })).toThrow(
      expect.objectContaining({
        limit: 'recordSize',
        message: expect.stringContaining(`${length} bytes`) as string,
      }) as Error,
    )
  })

  test('the place where the size is crossed is named', () => {
    expect(() => encode({ a: 1, photo: new Uint8Array(100_000) }, limits)).toThrow(
      /at least 133\d\d\d bytes up to photo/,
    )
  })

  test('data that shares itself many times over ends at once', () => {
    let many: unknown[] = [1]
    for (let at = 0; at < 30; at++) many = [many, many]
    expect(() => encode({ many }, limits)).toThrow(expect.objectContaining({ limit: 'recordSize' }) as Error)
  })

  test('a size or depth is crossed or the data comes back, for any limit', () => {
    fc.assert(
      fc.property(
        storableData,
        fc.integer({ min: 0, max: 200 }),
        fc.integer({ min: 0, max: 6 }),
        (data, recordSize, depth) => {
          try {
            const bytes = encode(data, { recordSize, depth })
            return bytes.length <= recordSize && spell(decode(bytes)) === spell(data)
          } catch (error) {
            return (
              error instanceof LimitError &&
              encode(data, roomy).length > (error.limit === 'recordSize' ? recordSize : 0)
            )
          }
        },
      ),
      { numRuns: 10_000 },
    )
  })
})

function refusalOf(data: object): unknown {
  try {
    encode(data, limits)
    return undefined
  } catch (error) {
    return error
  }
}

function argumentsOf(..._values: unknown[]): object {
  return arguments
}

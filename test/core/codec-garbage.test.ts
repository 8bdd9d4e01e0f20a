import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { decode, encode } from '../../src/core/codec.ts'
import { equal } from '../../src/core/values.ts'
import { DataError } from '../../src/errors.ts'
import { objectsIn, roomy, storableData } from './storable.ts'

const untouched = [Object.prototype, Array.prototype, Map.prototype, Set.prototype, Function.prototype].map(
  (prototype) => ({
    prototype,
    names: Reflect.ownKeys(prototype).length,
    parent: Object.getPrototypeOf(prototype) as unknown,
  }),
)
const classes = new Set<unknown>([Object, Array, Map, Set, Date, Uint8Array].map((maker) => maker.prototype))

/** A typed error, or a value that is whole: of ordinary objects only, and fit to be written again. */
function orderly(bytes: Uint8Array): boolean {
  let value: Record<string, unknown>
  try {
    value = decode(bytes)
  } catch (error) {
    return error instanceof DataError && unpolluted()
  }
  const ordinary = objectsIn(value).every((object) => classes.has(Object.getPrototypeOf(object)))
  return ordinary && unpolluted() && equal(decode(encode(value, roomy)), value)
}

function unpolluted(): boolean {
  return untouched.every(
    ({ prototype, names, parent }) =>
      Reflect.ownKeys(prototype).length === names && Object.getPrototypeOf(prototype) === parent,
  )
}

const encoded = storableData.map((data) => Buffer.from(encode(data, roomy)))
const place = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
const token = fc.constantFrom(
  '{"$d":',
  '{"$m":[[',
  '{"$s":',
  '{"$o":{',
  '{"$n":"NaN"}',
  '"$i":"',
  '"$b":"',
  '"$',
  '"__proto__":{"polluted":1}',
  '"constructor":',
  '{',
  '}',
  '[',
  ']',
  ':',
  ',',
  '"',
  '-0',
  '1e999',
  'null',
  '\\u0024d',
  '\\ud800',
)

function at(bytes: Buffer, where: number): number {
  return Math.floor(where * bytes.length)
}

describe('whatever the store holds, reading it gives a whole value or a DataError, and touches no prototype', () => {
  test('random bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), orderly), { numRuns: 10_000 })
  })

  test('random JSON', () => {
    fc.assert(
      fc.property(fc.json(), (text) => orderly(Buffer.from(text))),
      { numRuns: 10_000 },
    )
  })

  test('random rows of what the format is made of', () => {
    fc.assert(
      fc.property(
        fc.array(token, { maxLength: 12 }),
        (tokens) => orderly(Buffer.from(tokens.join(''))) && orderly(Buffer.from(`{"a":${tokens.join('')}}`)),
      ),
      { numRuns: 20_000 },
    )
  })

  test('typed forms with any content', () => {
    const form = fc.constantFrom('$d', '$m', '$s', '$i', '$b', '$n', '$o', '$x')
    fc.assert(
      fc.property(form, fc.json(), (name, content) => orderly(Buffer.from(`{"a":{"${name}":${content}}}`))),
      { numRuns: 20_000 },
    )
  })

  test('an encoding with one bit flipped', () => {
    fc.assert(
      fc.property(encoded, place, fc.nat(7), (bytes, where, bit) => {
        const index = at(bytes, where)
        bytes[index] = (bytes[index] ?? 0) ^ (1 << bit)
        return orderly(bytes)
      }),
      { numRuns: 20_000 },
    )
  })

  test('every single bit of one encoding with every form', () => {
    const bytes = Buffer.from(
      encode(
        {
          d: new Date(0),
          m: new Map([[1, 's']]),
          s: new Set([1n]),
          b: new Uint8Array(2),
          n: Number.NaN,
          o: { $d: 1 },
          ['__proto__']: { x: 1 },
        },
        roomy,
      ),
    )
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes)
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(orderly(flipped)).toBe(true)
    }
  })

  test('an encoding cut short', () => {
    fc.assert(
      fc.property(encoded, place, (bytes, where) => {
        const cut = bytes.subarray(0, at(bytes, where))
        expect(() => decode(cut)).toThrow(DataError)
        return orderly(cut)
      }),
      { numRuns: 10_000 },
    )
  })

  test('parts of two encodings put together', () => {
    fc.assert(
      fc.property(encoded, encoded, place, place, (left, right, from, to) =>
        orderly(Buffer.concat([left.subarray(0, at(left, from)), right.subarray(at(right, to))])),
      ),
      { numRuns: 20_000 },
    )
  })

  test('a piece of the format put into an encoding', () => {
    fc.assert(
      fc.property(encoded, place, token, fc.nat(6), (bytes, where, piece, drop) => {
        const index = at(bytes, where)
        return orderly(Buffer.concat([bytes.subarray(0, index), Buffer.from(piece), bytes.subarray(index + drop)]))
      }),
      { numRuns: 20_000 },
    )
  })
})

describe('refused by name', () => {
  test.each([
    ['', /no JSON/],
    ['{', /no JSON/],
    ['\ufeff{}', /no JSON/],
    ['[]', /no object/],
    ['null', /no object/],
    ['"$"', /no object/],
    ['{"$d":5}', /no object/],
    ['{"$s":[]}', /no object/],
    ['{"a":{"$x":1}}', /unknown form "\$x".*newer version/],
    ['{"a":{"$":1}}', /unknown form/],
    ['{"a":{"$d":"5"}}', /\$d is malformed/],
    ['{"a":{"$d":8640000000000001}}', /\$d is malformed/],
    ['{"a":{"$d":1.5}}', /\$d is malformed/],
    ['{"a":{"$m":[[1]]}}', /\$m is malformed/],
    ['{"a":{"$m":{}}}', /\$m is malformed/],
    ['{"a":{"$s":1}}', /\$s is malformed/],
    ['{"a":{"$i":"0x10"}}', /\$i is malformed/],
    ['{"a":{"$i":""}}', /\$i is malformed/],
    ['{"a":{"$i":"-0"}}', /\$i is malformed/],
    ['{"a":{"$i":5}}', /\$i is malformed/],
    ['{"a":{"$b":"A"}}', /\$b is malformed/],
    ['{"a":{"$b":"AQ-_"}}', /\$b is malformed/],
    ['{"a":{"$n":"nan"}}', /\$n is malformed/],
    ['{"a":{"$n":"toString"}}', /\$n is malformed/],
    ['{"a":{"$o":{"b":1}}}', /\$o is malformed/],
    ['{"a":{"$o":[1]}}', /\$o is malformed/],
    ['{"a":{"$o":{"$d":1,"b":2}}}', /\$o is malformed/],
  ])('%s', (text, message) => {
    expect(() => decode(Buffer.from(text))).toThrow(message)
    expect(() => decode(Buffer.from(text))).toThrow(DataError)
  })

  test('bytes that are no UTF-8, instead of replacing them', () => {
    expect(() => decode(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]))).toThrow(DataError)
  })

  test.each([['['], ['{"a":'], ['{"$s":['], ['{"$m":[[1,'], ['{"$o":{"$a":']])(
    'a hundred thousand times %s',
    (opening) => {
      const closing = [...opening]
        .toReversed()
        .map((sign) => ({ '[': ']', '{': '}' })[sign] ?? '')
        .join('')
      expect(() => decode(Buffer.from(`{"a":${opening.repeat(100_000)}1${closing.repeat(100_000)}}`))).toThrow(
        DataError,
      )
    },
  )

  test('no message quotes the data', () => {
    expect(() => decode(Buffer.from('{"card":"4111-1111",,}'))).toThrow(
      expect.not.objectContaining({
        message: expect.stringContaining('4111') as string,
        cause: expect.anything() as unknown,
      }) as Error,
    )
  })
})

describe('prototypes', () => {
  test('__proto__ and constructor are members like any other', () => {
    const value = decode(
      Buffer.from('{"__proto__":{"admin":true,"when":{"$d":5}},"constructor":{"prototype":{"admin":true}}}'),
    )
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    expect(Object.keys(value)).toEqual(['__proto__', 'constructor'])
    expect(Object.getOwnPropertyDescriptor(value, '__proto__')?.value).toEqual({ admin: true, when: new Date(5) })
    expect('admin' in value).toBe(false)
    expect(({} as Record<string, unknown>)['admin']).toBeUndefined()
  })

  test('a typed value as __proto__ stays a member', () => {
    const value = decode(Buffer.from('{"a":{"__proto__":{"$m":[]}}}'))
    expect(Object.getPrototypeOf(value['a'])).toBe(Object.prototype)
  })
})

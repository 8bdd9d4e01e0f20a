import { parse } from 'node:querystring'

import * as fc from 'fast-check'
import { createRequire } from 'node:module'
import { describe, expect, test } from 'vitest'

import { formFields } from '../../src/csrf/form-fields.ts'

// Express brings both of its parsers along; what it would make of a form is what is undone here.
const { parse: parseNested } = createRequire(createRequire(import.meta.url).resolve('express'))('qs') as {
  parse: (text: string, options: object) => object
}
const asExpress = (text: string): object => parseNested(text, { allowPrototypes: true, arrayLimit: 100, depth: 32 })
const encode = (fields: readonly (readonly [string, string])[]): string =>
  fields.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('&')

describe('the fields of a parsed form', () => {
  test.each([
    [
      'a=1&b=2',
      [
        ['a', '1'],
        ['b', '2'],
      ],
    ],
    [
      'a=1&a=2',
      [
        ['a', '1'],
        ['a', '2'],
      ],
    ],
    ['a[]=1', [['a[]', '1']]],
    [
      'a[b]=1&a[c]=2',
      [
        ['a[b]', '1'],
        ['a[c]', '2'],
      ],
    ],
    [
      'a[0][b]=1&a[1][b]=2',
      [
        ['a[0][b]', '1'],
        ['a[1][b]', '2'],
      ],
    ],
    ['a[b][c][]=1', [['a[b][c][]', '1']]],
  ])('%s', (text, fields) => {
    expect(formFields(asExpress(text))).toEqual(fields)
  })

  test('in what the web has for forms, but for files', () => {
    expect(formFields(new URLSearchParams('a=1&b=2&a=3'))).toEqual([
      ['a', '1'],
      ['b', '2'],
      ['a', '3'],
    ])
    const form = new FormData()
    form.set('a', '1')
    expect(formFields(form)).toEqual([['a', '1']])
    form.set('f', new Blob(['file']), 'a.txt')
    expect(formFields(form)).toBeUndefined()
  })

  test('sent again, a form is to either parser what it was', () => {
    const name = fc
      .tuple(
        fc.constantFrom('a', 'b', 'code', 'SAMLResponse', 'é'),
        fc.array(fc.constantFrom('[]', '[0]', '[1]', '[x]', '[y]'), { maxLength: 3 }),
      )
      .map(([first, rest]) => first + rest.join(''))
    const form = fc.array(fc.tuple(name, fc.string({ maxLength: 4 })), { maxLength: 6 })
    fc.assert(
      fc.property(form, (fields) => {
        for (const parser of [parse, asExpress]) {
          const parsed = parser(encode(fields))
          const again = formFields(parsed)
          expect({ ...parser(encode(again ?? [])) }).toEqual({ ...parsed })
        }
      }),
      { numRuns: 5_000 },
    )
  })

  test.each([
    [7],
    [true],
    [null],
    [undefined],
    [new Date()],
    [Buffer.from('file')],
    [new Map()],
    [() => 1],
    [[[], 7]],
    [{ b: { c: 1 } }],
  ])('with %j are none: nothing is left out in silence', (value) => {
    expect(formFields({ a: 'text', b: value })).toBeUndefined()
  })

  test('that are nested without end are none', () => {
    let deep: unknown = 'text'
    for (let depth = 0; depth < 40; depth++) deep = { a: deep }
    expect(formFields({ deep })).toBeUndefined()
  })
})

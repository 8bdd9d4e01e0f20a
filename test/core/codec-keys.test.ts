import { describe, expect, it } from 'vitest'

import { decode, encode } from '../../src/core/codec.ts'

const LIMITS = { depth: 32, recordSize: 65_536 }

/** Every character of which JSON makes more than itself in a key. */
const ESCAPED = ['"', '\\', '\n', '\t', '\u0000', '\u001f', '\ud800', '\udfff']

describe('keys of one character that JSON escapes', () => {
  it.each(ESCAPED)('come back as they were, whatever has been parsed before: %j', (key) => {
    // What poisons the parser of Node 24: the same shape with another such key, parsed in this process.
    for (const other of ESCAPED) JSON.parse(JSON.stringify({ a: 1, [other]: 1 }))
    for (const data of [{ [key]: 1 }, { a: 1, [key]: { [key]: [1] } }, { a: 1, [key]: undefined, b: new Date(5) }]) {
      expect(decode(encode(data, LIMITS))).toStrictEqual(withoutUndefined(data))
    }
  })

  it('are written as values, because JSON cannot be trusted with them', () => {
    expect(Buffer.from(encode({ a: 1, '\n': 2 }, LIMITS)).toString()).toBe('{"$e":[["a",1],["\\n",2]]}')
    expect(Buffer.from(encode({ '\n\n': 2, $: 1 }, LIMITS)).toString()).toBe('{"\\n\\n":2,"$":1}')
  })

  it('leave prototypes alone, and entries of another form are refused', () => {
    const object = decode(Buffer.from('{"$e":[["__proto__",{"x":1}],["\\n",2]]}'))
    expect(Object.keys(object)).toEqual(['__proto__', '\n'])
    expect(Object.getPrototypeOf(object)).toBe(Object.prototype)
    for (const form of ['{"$e":{}}', '{"$e":[[1,2]]}', '{"$e":[["a"]]}', '{"$e":[["a",1,2]]}']) {
      expect(() => decode(Buffer.from(form))).toThrow(expect.objectContaining({ code: 'ERR_DATA' }))
    }
  })
})

function withoutUndefined(data: object): object {
  return Object.fromEntries(Object.entries(data).filter(([, value]) => value !== undefined))
}

import { createHash, createHmac, randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { mac, MacKey, sha256 } from '../../src/core/hmac.ts'

/** Room for a block, then the message. */
function roomed(message: Uint8Array): Buffer {
  return Buffer.concat([Buffer.alloc(64), message])
}

function digest(key: Uint8Array, message: Uint8Array): string {
  return Buffer.from(new MacKey(key).digest(roomed(message)), 'latin1').toString('hex')
}

describe('HMAC-SHA256', () => {
  it.each([
    ['0b'.repeat(20), 'Hi There', 'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7'],
    [
      Buffer.from('Jefe').toString('hex'),
      'what do ya want for nothing?',
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    ],
  ])('is that of RFC 4231: key %s', (key, message, expected) => {
    expect(digest(Buffer.from(key, 'hex'), Buffer.from(message))).toBe(expected)
  })

  it('is what node:crypto makes of the parts, each with its length before it, however long they are', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 64 }),
        fc.array(fc.uint8Array({ maxLength: 700 }), { maxLength: 4 }),
        fc.integer({ min: 1, max: 32 }),
        (key, parts, length) => {
          const message = parts.flatMap((part) => {
            const size = Buffer.alloc(4)
            size.writeUInt32BE(part.length)
            return [size, part]
          })
          const expected = createHmac('sha256', key).update(Buffer.concat(message)).digest().subarray(0, length)
          expect(mac(new MacKey(key), parts, length)).toEqual(expected)
        },
      ),
    )
  })

  it('answers with bytes of their own, which the next message does not change', () => {
    const key = new MacKey(randomBytes(32))
    const first = mac(key, [Buffer.from('one')])
    const copy = Buffer.from(first)
    mac(key, [Buffer.from('two')])
    expect(first).toEqual(copy)
  })

  it('takes no key that is longer than a block', () => {
    expect(() => new MacKey(Buffer.alloc(65))).toThrow(RangeError)
  })

  it('never shows its key', () => {
    const key = new MacKey(Buffer.alloc(32, 'k'))
    expect(inspect(key, { showHidden: true, depth: 9 })).toBe('MacKey {}')
    expect(JSON.stringify(key)).toBe('{}')
    expect(Object.values(Object.getOwnPropertyDescriptors(key))).toEqual([])
  })
})

describe('SHA-256', () => {
  it('is what node:crypto makes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 1, max: 32 }), (message, length) => {
        expect(sha256(message, length)).toEqual(createHash('sha256').update(message).digest().subarray(0, length))
      }),
    )
  })
})

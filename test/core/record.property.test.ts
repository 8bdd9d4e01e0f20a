import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { standingOf } from '../../src/core/commits.ts'
import { decodeRecord, encodeRecord, type LiveRecord } from '../../src/core/live-record.ts'
import { endedMarker, endReasonOf, isEnded, userOf, versionOf } from '../../src/core/record.ts'
import { beginVisit } from '../../src/core/sessions.ts'
import type { Selector } from '../../src/core/store.ts'
import { Browser, deployment } from '../support/core-browser.ts'

const RUNS = 10_000
const seconds = (most: number): fc.Arbitrary<number> => fc.nat(most).map((count) => count * 1000)
const bytes = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length })

const liveRecord: fc.Arbitrary<LiveRecord> = fc
  .record({
    counter: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
    userId: fc.option(fc.string({ minLength: 1, maxLength: 60, unit: 'grapheme' }), { nil: undefined }),
    epoch: fc.nat(1_000_000),
    hash: bytes(16),
    createdAt: fc.integer({ min: 1_700_000_000_000, max: 4_000_000_000_000 }),
    idMintedAt: seconds(1_000_000),
    signedInAt: fc.nat(100_000_000),
    sparedAt: fc.option(fc.nat(100_000_000), { nil: undefined }),
    previous: fc.option(
      fc.record({ hash: bytes(16), nonce: bytes(8), graceEnds: fc.option(fc.nat(10_000_000), { nil: undefined }) }),
      { nil: undefined },
    ),
    payload: fc.uint8Array({ maxLength: 300 }),
  })
  .map((made) => ({
    ...made,
    idMintedAt: made.createdAt + made.idMintedAt,
    signedInAt: made.userId === undefined ? undefined : made.createdAt + made.signedInAt,
    sparedAt: made.sparedAt === undefined ? undefined : made.createdAt + made.sparedAt,
    previous:
      made.previous === undefined
        ? undefined
        : {
            ...made.previous,
            graceEnds: made.previous.graceEnds === undefined ? undefined : made.createdAt + made.previous.graceEnds,
          },
  }))

describe('a record', () => {
  it('decodes to what was encoded, and shows stores its version and user', () => {
    fc.assert(
      fc.property(liveRecord, bytes(4), (record, stamp) => {
        const encoded = encodeRecord(record, stamp)
        const decoded = decodeRecord(encoded)
        expect(plain(decoded)).toEqual(plain(record))
        expect(userOf(encoded)).toBe(record.userId ?? '')
        expect([...versionOf(encoded).subarray(4)]).toEqual([...stamp])
        expect(isEnded(encoded)).toBe(false)
      }),
      { numRuns: RUNS },
    )
  })

  it('that is garbage, truncated or of a newer format is unreadable, never a crash', () => {
    const spoiled = fc.oneof(
      fc.uint8Array({ maxLength: 120 }),
      fc
        .tuple(liveRecord, bytes(4), fc.nat(200))
        .map(([record, stamp, length]) => encodeRecord(record, stamp).subarray(0, length)),
      fc.tuple(liveRecord, bytes(4), fc.nat(200), fc.nat(255)).map(([record, stamp, at, value]) => {
        const encoded = Uint8Array.from(encodeRecord(record, stamp))
        encoded[at % encoded.length] = value
        return encoded
      }),
    )
    fc.assert(
      fc.property(spoiled, (value) => {
        const standing = standingOf(value)
        expect('gone' in standing || standing.record.hash.length === 16).toBe(true)
      }),
      { numRuns: RUNS },
    )
  })

  it('may be a marker, which keeps its reason', () => {
    for (const reason of ['signed-out', 'revoked', 'expired', 'superseded'] as const)
      expect(endReasonOf(endedMarker(reason))).toBe(reason)
  })

  it(
    'of any content under a genuine selector is served, or leads to a clean visit without a session',
    { timeout: 60_000 },
    async () => {
      const { servers, store } = await deployment({}, 1)
      const browser = new Browser()
      await browser.visit(servers[0]!, (session) => session.signIn('u1'))
      const { entries } = await store.roll('u1')
      const selector = entries[0]?.selector as Selector
      const good = Uint8Array.from((await store.load(selector)) as Uint8Array)
      await fc.assert(
        fc.asyncProperty(
          fc.nat(good.length - 1),
          fc.integer({ min: 1, max: 255 }),
          fc.boolean(),
          async (at, difference, cut) => {
            const spoiled = Uint8Array.from(good)
            spoiled[at] = (spoiled[at] ?? 0) ^ difference
            const value = cut ? spoiled.subarray(0, at) : spoiled
            store.load = () => value
            await serveSpoiled(servers[0]!, browser)
          },
        ),
        { numRuns: RUNS },
      )
    },
  )
})

async function serveSpoiled(on: Parameters<Browser['visit']>[0], browser: Browser): Promise<void> {
  const visit = beginVisit(on, browser.facts('POST'), {})
  await visit.open()
  expect(typeof visit.session.data).toBe('object')
  expect(Object.prototype).not.toHaveProperty('polluted')
  visit.finish()
}

/** Bytes as lists of numbers, so that a buffer equals the bytes it holds. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value]
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .map(([key, member]) => [key, plain(member)]),
  )
}

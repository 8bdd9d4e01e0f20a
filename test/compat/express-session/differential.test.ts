/**
 * Made-up visits, carried out on the original and on the drop-in: status, body, cookies, calls to the store, errors, and
 * what is stored at the end are the same, except for what is named here.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'

import { implementations } from './implementations.ts'
import { script } from './scripts.ts'
import { transcriptOf, type Seen, type Transcript } from './transcript.ts'

const RUNS = Number(process.env['HOLDFAST_DIFFERENTIAL_RUNS'] ?? 300)

/** The drop-in clears the cookie of a session that was ended. */
const CLEARING = /^connect\.sid=; .*Expires=never/

/** A session that was saved under a new id is saved again by the original at the end of the response, unchanged. */
function withoutRepeats(calls: readonly string[]): readonly string[] {
  return calls.filter((call, at) => !(call.startsWith('set ') && calls.slice(0, at).findLast(isWrite) === call))
}

function isWrite(call: string): boolean {
  return !call.startsWith('get ')
}

function comparable({ seen, stored }: Transcript): unknown {
  return {
    stored,
    seen: seen.map((one: Seen) => ({
      ...one,
      cookies: one.cookies.filter((cookie) => !CLEARING.test(cookie)),
      calls: withoutRepeats(one.calls),
    })),
  }
}

test(`${RUNS} made-up series of visits look the same on both`, async () => {
  let requests = 0
  let cleared = 0
  const [original, dropIn] = implementations
  await fc.assert(
    fc.asyncProperty(script, async (made) => {
      const expected = await transcriptOf(original.session, made)
      // Where a session could not be read, the original takes it for one that the application has deleted, and ends it.
      fc.pre(made.options['unset'] !== 'destroy' || !expected.seen.some(({ errors }) => errors.includes('get failed')))
      const found = await transcriptOf(dropIn.session, made)
      requests += found.seen.length
      cleared += found.seen.flatMap(({ cookies }) => cookies).filter((cookie) => CLEARING.test(cookie)).length
      expect(comparable(found)).toEqual(comparable(expected))
    }),
    { numRuns: RUNS, interruptAfterTimeLimit: 240_000 },
  )
  expect(requests).toBeGreaterThan(RUNS)
  process.stdout.write(`${requests} requests compared; ${cleared} cookies cleared\n`)
}, 300_000)

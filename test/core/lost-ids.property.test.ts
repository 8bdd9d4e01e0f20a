/** Where the store loses nothing, nobody is told of a loss, whatever clocks and browsers do. */
import { channel } from 'node:diagnostics_channel'

import fc from 'fast-check'
import { expect, it } from 'vitest'

import type { Manager } from '../../src/core/sessions.ts'
import { SessionEndedError } from '../../src/errors.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import type { Session } from '../../src/types.ts'
import { Browser, SECRET, server, testClock, type TestData } from '../support/core-browser.ts'

const SERVERS = 3
const OTHER = 'another secret of at least thirty-two bytes, for tests'
const HOUR = 3_600_000

type Handler = (session: Session<TestData>) => unknown

const put: Handler = (session) => void (session.data['key'] = true)
const acts: Record<string, Handler> = {
  read: (session) => session.data,
  put,
  'sign in as u1': (session) => session.signIn('u1'),
  'sign in as u2': (session) => session.signIn('u2'),
  renew: (session) => session.regenerateId(),
  rise: (session) => session.regenerateId({ previous: 'refused' }),
}

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom(...Object.keys(acts)), on: fc.nat(SERVERS - 1) }) },
  { weight: 2, arbitrary: fc.record({ passes: fc.oneof(fc.nat(1_500), fc.nat(HOUR)) }) },
  { weight: 2, arbitrary: fc.record({ on: fc.nat(SERVERS - 1), differs: fc.integer({ min: -HOUR, max: HOUR }) }) },
  { weight: 1, arbitrary: fc.record({ copy: fc.constant(true) }) },
  { weight: 1, arbitrary: fc.record({ race: fc.nat(SERVERS - 1), reversed: fc.boolean() }) },
)
const walk = fc.array(fc.record({ by: fc.nat(4), step }), { maxLength: 40 })

it('I4, I6: renewals, sign-ins and other secrets, on servers whose clocks differ by hours, are no loss', async () => {
  const lost: unknown[] = []
  const note = (message: unknown): void => void lost.push(message)
  channel('holdfast:lost').subscribe(note)
  try {
    await fc.assert(
      fc.asyncProperty(walk, async (steps) => {
        await take(steps)
        expect(lost.splice(0)).toEqual([])
      }),
      { numRuns: 300 },
    )
  } finally {
    channel('holdfast:lost').unsubscribe(note)
  }
})

type Walk = typeof walk extends fc.Arbitrary<infer Steps> ? Steps : never

async function take(steps: Walk): Promise<void> {
  const clock = testClock()
  const differs = Array.from({ length: SERVERS }, () => 0)
  const store = memoryStore({ now: clock.now })
  const servers = differs.map((_, at) =>
    server(
      store,
      { ...clock, now: () => clock.now() + (differs[at] ?? 0) },
      { idleTimeout: '30d', absoluteTimeout: '300d', maxRequestTime: '1h' },
      at === 0 ? [OTHER, SECRET] : [SECRET, OTHER],
    ),
  )
  await Promise.all(servers.map((one) => one.ready()))
  const browsers = [new Browser()]
  const at = (on: number): Manager<TestData> => servers[on % SERVERS]!
  for (const { by, step: one } of steps) {
    const browser = browsers[by % browsers.length]!
    if ('passes' in one) clock.forward(one.passes)
    else if ('differs' in one) differs[one.on] = one.differs
    else if ('copy' in one) browsers.push(browser.copy())
    else if ('race' in one) {
      const answers = await Promise.all([
        browser.request(at(one.race), put, 'POST'),
        browser.request(at(one.race + 1), acts['sign in as u1']!, 'POST'),
      ])
      for (const { cookies } of one.reversed ? answers.toReversed() : answers) browser.keep(cookies)
    } else await browser.visit(at(one.on), acts[one.do]!, 'POST').catch(unlessEnded)
  }
}

function unlessEnded(error: unknown): void {
  if (!(error instanceof SessionEndedError)) throw error
}

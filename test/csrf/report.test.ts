/** What a live site would lose under a mode, counted and told before that mode is switched on. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'

import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { beginVisit, type Manager } from '../../src/core/sessions.ts'
import type { CsrfReason } from '../../src/errors.ts'
import type { CsrfMode, CsrfStats, Session } from '../../src/types.ts'
import { Browser, deployment, type TestData } from '../support/core-browser.ts'

const OWN = { 'sec-fetch-site': 'same-origin' }
const FOREIGN = { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }

const told: unknown[] = []
const listen = (message: unknown): void => void told.push(message)
beforeEach(() => {
  told.length = 0
  subscribe('holdfast:csrf', listen)
})
afterEach(() => void unsubscribe('holdfast:csrf', listen))

async function sessions(csrf: CsrfMode): Promise<Manager<TestData>> {
  const { servers } = await deployment({ csrf }, 1)
  return servers[0]!
}

/** One POST. Answers why it was refused, or `undefined`. */
async function post(
  on: Manager<TestData>,
  browser: Browser,
  headers: Record<string, string>,
  handler: (session: Session<TestData>) => unknown = () => undefined,
): Promise<CsrfReason | undefined> {
  const visit = beginVisit(on, browser.facts('POST', headers), {})
  await visit.open()
  try {
    visit.check({})
    await handler(visit.session)
    browser.keep((await visit.settle()).cookies)
    return undefined
  } catch (error) {
    return (error as { reason?: CsrfReason }).reason
  } finally {
    visit.finish()
  }
}

/** The counts that are not zero. */
function counted(stats: CsrfStats): object {
  const some = (counts: Readonly<Record<string, number>>): object =>
    Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0))
  const { judged, odd, refused, noted, reported } = stats
  return {
    judged,
    odd,
    refused: some(refused),
    noted: some(noted),
    auto: some(reported.auto),
    strict: some(reported.strict),
  }
}

async function guest(on: Manager<TestData>): Promise<Browser> {
  const browser = new Browser()
  await browser.visit(on, (session) => void (session.data['a'] = 1))
  return browser
}

describe('report mode', () => {
  test('passes everything, and counts by reason what auto and what only strict would have refused', async () => {
    const on = await sessions('report')
    const browser = await guest(on)
    const passed = [
      await post(on, browser, FOREIGN),
      await post(on, browser, FOREIGN),
      await post(on, browser, OWN),
      await post(on, browser, {}),
      await post(on, browser, { 'x-csrf-token': 'forged' }),
    ]
    expect(passed).toEqual(Array(5).fill(undefined))
    expect(counted(on.stats().csrf)).toEqual({
      judged: 5,
      odd: 0,
      refused: {},
      noted: {},
      auto: { 'origin-refused': 2, 'token-missing': 1, 'token-forged': 1 },
      strict: { 'token-missing': 1 },
    })
    expect(on.stats().csrfRefused).toBe(0)
  })

  test('counts a sign-in that auto would have refused, and lets it be', async () => {
    const on = await sessions('report')
    const browser = new Browser()
    expect(await post(on, browser, {}, (session) => session.signIn('u1'))).toBeUndefined()
    expect(await browser.visit(on, ({ userId }) => userId)).toBe('u1')
    expect(counted(on.stats().csrf)).toMatchObject({ judged: 1, auto: { 'no-evidence': 1 } })
  })

  test('tells where a request came from that would have been refused', async () => {
    const on = await sessions('report')
    await post(on, await guest(on), FOREIGN)
    expect(told).toEqual([
      {
        reason: 'origin-refused',
        mode: 'report',
        under: 'auto',
        passed: true,
        odd: false,
        method: 'POST',
        path: '/',
        origin: 'https://evil.example',
        site: 'cross-site',
      },
    ])
  })

  test('tells no more of a foreign header than is needed to know it', async () => {
    const on = await sessions('report')
    await post(on, await guest(on), { ...FOREIGN, origin: `https://${'e'.repeat(5000)}.example` })
    expect(JSON.stringify(told).length).toBeLessThan(600)
  })

  test('counts a check that was left for later when it is made, and one that never is, which is logged', async () => {
    const lines: unknown[] = []
    const log = {
      warn: () => undefined,
      error: (details: object, message: string) => void lines.push([details, message]),
    }
    const { servers } = await deployment({ csrf: 'report', log }, 1)
    const on = servers[0]!
    const browser = await guest(on)
    for (const made of [true, false]) {
      const visit = beginVisit(on, browser.facts('POST', FOREIGN), {})
      await visit.open()
      expect(visit.defer()).toBe(true)
      await visit.session.update((data) => void (data['a'] = 2))
      if (made) visit.check({})
      else visit.forgotten()
    }
    expect(counted(on.stats().csrf)).toMatchObject({ auto: { 'origin-refused': 1, 'body-not-parsed': 1 } })
    expect(lines).toEqual([
      [{ code: 'ERR_CSRF', reason: 'body-not-parsed' }, expect.stringMatching(/^POST \/ .*csrf\(\)/)],
    ])
  })
})

describe('the other modes', () => {
  test('count by reason what they refuse', async () => {
    const on = await sessions('strict')
    const browser = await guest(on)
    expect(await post(on, browser, FOREIGN)).toBe('origin-refused')
    expect(await post(on, browser, OWN)).toBe('token-missing')
    expect(await post(on, browser, OWN)).toBe('token-missing')
    expect(counted(on.stats().csrf)).toEqual({
      judged: 3,
      odd: 0,
      refused: { 'origin-refused': 1, 'token-missing': 2 },
      noted: {},
      auto: {},
      strict: {},
    })
    expect(on.stats().csrfRefused).toBe(3)
  })

  test('count what auto lets pass with a token that does not do, and headers that nobody knows', async () => {
    const on = await sessions('auto')
    const token = await (await guest(on)).visit(on, (session) => session.csrf.token())
    const browser = await guest(on)
    expect(await post(on, browser, { ...OWN, 'x-csrf-token': token })).toBeUndefined()
    expect(await post(on, browser, { 'sec-fetch-site': 'elsewhere', origin: 'https://shop.example' })).toBeUndefined()
    expect(counted(on.stats().csrf)).toMatchObject({ judged: 2, odd: 1, refused: {}, noted: { 'token-stale': 1 } })
  })

  test('count a refused sign-in beside the request that it was made in', async () => {
    const on = await sessions('auto')
    expect(await post(on, new Browser(), {}, (session) => session.signIn('u1'))).toBe('no-evidence')
    expect(counted(on.stats().csrf)).toMatchObject({ judged: 1, refused: { 'no-evidence': 1 } })
    expect(told).toMatchObject([{ reason: 'no-evidence', passed: false, mode: 'auto' }])
  })

  test('count no request that only reads', async () => {
    const on = await sessions('strict')
    await guest(on)
    expect(on.stats().csrf.judged).toBe(0)
  })

  test('give counts that stay as they were', async () => {
    const on = await sessions('strict')
    const before = on.stats().csrf
    await post(on, await guest(on), FOREIGN)
    expect(counted(before)).toMatchObject({ judged: 0, refused: {} })
  })
})

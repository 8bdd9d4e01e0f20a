/** The new token that comes with a refusal: for a script of the very origin that was asked, and for what a new token mends. */
import { inspect } from 'node:util'

import { describe, expect, test } from 'vitest'

import { beginVisit, type Manager } from '../../src/core/sessions.ts'
import { UNPARSED } from '../../src/core/visit.ts'
import { CsrfError } from '../../src/errors.ts'
import { isSameOrigin } from '../../src/csrf/origin.ts'
import { Browser, deployment, type TestData } from '../support/core-browser.ts'
import { post } from './fixtures.ts'

const OWN = { 'sec-fetch-site': 'same-origin' }

async function refusal(
  on: Manager<TestData>,
  browser: Browser,
  headers: Record<string, string>,
  body: unknown = {},
): Promise<CsrfError> {
  const visit = beginVisit(on, browser.facts('POST', headers), {})
  await visit.open()
  try {
    visit.check(body)
  } catch (error) {
    if (error instanceof CsrfError) return error
    throw error
  }
  throw new Error('It was let pass.')
}

async function strict(): Promise<Manager<TestData>> {
  const { servers } = await deployment({ csrf: 'strict', trustedOrigins: ['https://partner.example'] }, 1)
  return servers[0]!
}

describe('a refusal brings a new token', () => {
  test('for a token that is missing, stale or forged, and the new one is good', async () => {
    const on = await strict()
    const browser = new Browser()
    await browser.visit(on, (session) => void (session.data['a'] = 1))
    const stale = await new Browser().visit(on, (session) => session.csrf.token())
    for (const [token, reason] of [
      [undefined, 'token-missing'],
      [stale, 'token-stale'],
      ['forged', 'token-forged'],
    ] as const) {
      const error = await refusal(on, browser, { ...OWN, ...(token === undefined ? {} : { 'x-csrf-token': token }) })
      expect(error.reason).toBe(reason)
      const fresh = error.token ?? ''
      expect(error.token).toBe(fresh)
      await expect(browser.visit(on, ({ csrf }) => csrf.verify(fresh))).resolves.toBe(true)
    }
  })

  test('for a token that may be in a body that nobody has parsed: in the header it needs no body', async () => {
    const error = await refusal(
      await strict(),
      new Browser(),
      { ...OWN, 'content-type': 'multipart/form-data; boundary=x' },
      UNPARSED,
    )
    expect([error.reason, typeof error.token]).toEqual(['body-not-parsed', 'string'])
  })

  test('not where somebody else is signed in by now, nor where the session is over: the page is no longer this visitor’s', async () => {
    const on = await strict()
    const [browser, other] = [new Browser(), new Browser()]
    await browser.visit(on, (session) => session.signIn('u1'))
    await other.visit(on, (session) => session.signIn('u2'))
    const token = await other.visit(on, (session) => session.csrf.token())
    const taken = await refusal(on, browser, { ...OWN, 'x-csrf-token': token })
    expect([taken.reason, taken.token]).toEqual(['token-other-session', undefined])
    const own = await browser.visit(on, (session) => session.csrf.token())
    await on.revokeUser('u1')
    const over = await refusal(on, browser, { ...OWN, 'x-csrf-token': own })
    expect([over.reason, over.token]).toEqual(['session-ended', undefined])
  })

  test('not for a token of another path: whoever bound it wanted no other', async () => {
    const on = await strict()
    const browser = new Browser()
    const token = await browser.visit(on, (session) => session.csrf.token('/pay'))
    const error = await refusal(on, browser, { ...OWN, 'x-csrf-token': token })
    expect([error.reason, error.token]).toEqual(['wrong-path', undefined])
  })

  test.each<[string, Record<string, string>]>([
    ['a trusted origin', { 'sec-fetch-site': 'cross-site', origin: 'https://partner.example' }],
    ['a trusted origin, without Fetch Metadata', { origin: 'https://partner.example' }],
    ['a typed address', { 'sec-fetch-site': 'none' }],
    ['nowhere', {}],
    ['a sandboxed frame', { origin: 'null' }],
    ['a page that only its Referer shows', { referer: 'https://shop.example/form' }],
  ])('not for a request from %s', async (_name, headers) => {
    const on = await strict()
    const error = await refusal(on, new Browser(), headers)
    expect([error.reason, error.token]).toEqual(['token-missing', undefined])
  })

  test('for a browser without Fetch Metadata by its Origin', async () => {
    const on = await strict()
    const error = await refusal(on, new Browser(), { origin: 'https://shop.example' })
    expect(error.token).toMatch(/^[\w-]{56}$/)
  })

  test('that is made when it is asked for, and not once the answer has left', async () => {
    const on = await strict()
    const visit = beginVisit(on, new Browser().facts('POST', OWN), {})
    let error: unknown
    try {
      visit.check({})
    } catch (refused) {
      error = refused
    }
    expect((await visit.settle()).cookies).toEqual([])
    expect((error as CsrfError).token).toBeUndefined()
  })

  test('that shows in no log', async () => {
    const error = await refusal(await strict(), new Browser(), OWN)
    const token = error.token ?? ''
    expect(token).toHaveLength(56)
    for (const text of [
      inspect(error, { depth: 9, showHidden: true }),
      JSON.stringify(error),
      JSON.stringify({ ...error }),
    ])
      expect(text).not.toContain(token)
  })
})

describe('whether a page of this very origin sent a request', () => {
  const site = { own: 'https://shop.example', trusted: ['https://partner.example'], trustProxy: false }

  test('Fetch Metadata goes before Origin', () => {
    const origin = 'https://shop.example'
    for (const said of ['same-site', 'cross-site', 'none'])
      expect(isSameOrigin(post({ 'sec-fetch-site': said, origin }), site)).toBe(false)
    expect(isSameOrigin(post({ 'sec-fetch-site': 'same-origin' }), site)).toBe(true)
    expect(isSameOrigin(post({ 'sec-fetch-site': 'unknown', origin }), site)).toBe(true)
  })

  test('without it the Origin is the own one, to scheme and port', () => {
    for (const origin of [
      'http://shop.example',
      'https://shop.example:444',
      'https://www.shop.example',
      'https://partner.example',
      'null',
      '',
    ])
      expect(isSameOrigin(post({ origin }), site)).toBe(false)
  })
})

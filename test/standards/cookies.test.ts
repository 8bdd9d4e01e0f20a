/** What OWASP ASVS 3.3 and rfc6265bis ask of cookies, of each that is ever sent; `docs/standards.md` has the list. */
import * as crypto from 'node:crypto'
import { inspect } from 'node:util'

import { describe, expect, it, vi } from 'vitest'

import { openId, sealId } from '../../src/core/cookie.ts'
import { createKeyring } from '../../src/core/keyring.ts'
import { pooledRandom } from '../../src/core/random.ts'
import type { RequestFacts } from '../../src/core/request.ts'
import { freshVerifier, selectorAt } from '../../src/core/session-id.ts'
import { beginVisit, type Manager } from '../../src/core/sessions.ts'
import type { BaseOptions, Session } from '../../src/types.ts'
import { Browser, deployment, SECRET, type TestData } from '../support/core-browser.ts'

vi.mock('node:crypto', async (original) => {
  const actual = await original<typeof crypto>()
  return { ...actual, timingSafeEqual: vi.fn<typeof crypto.timingSafeEqual>(actual.timingSafeEqual) }
})

/** The longest that the option allows. */
const NAME = 'n'.repeat(32)

interface SentCookie {
  readonly name: string
  readonly value: string
  /** Attributes by name, in lower case. */
  readonly attributes: ReadonlyMap<string, string>
}

function parsed(line: string): SentCookie {
  const [pair = '', ...rest] = line.split('; ')
  const attributes = rest.map((attribute): [string, string] => {
    const [name = '', value = ''] = attribute.split('=')
    return [name.toLowerCase(), value]
  })
  const equals = pair.indexOf('=')
  return { name: pair.slice(0, equals), value: pair.slice(equals + 1), attributes: new Map(attributes) }
}

/** Every cookie of a life: a form's visitor, a guest, a user, a renewed id, and what a sign-out clears. */
async function everyCookie(options: BaseOptions = {}): Promise<{ set: SentCookie[]; cleared: SentCookie[] }> {
  const { servers, clock } = await deployment({ name: NAME, ...options }, 1)
  const browser = new Browser()
  const sent: SentCookie[] = []
  const step = async (handler: (session: Session<TestData>) => unknown): Promise<void> => {
    const { cookies } = await browser.request(servers[0]!, handler)
    browser.keep(cookies)
    sent.push(...cookies.map(parsed))
  }
  await step((session) => session.csrf.token())
  await step((session) => (session.data['a'] = 1))
  await step((session) => session.signIn('u1'))
  clock.forward(61_000)
  await step((session) => session.regenerateId())
  await step((session) => session.signOut())
  const isCleared = ({ attributes }: SentCookie): boolean => attributes.get('max-age') === '0'
  return { set: sent.filter((cookie) => !isCleared(cookie)), cleared: sent.filter(isCleared) }
}

/** A signed-in session's cookie, and the server that it is of. */
async function signedIn(): Promise<{ on: Manager<TestData>; browser: Browser; value: string }> {
  const { servers } = await deployment({}, 1)
  const browser = new Browser()
  await browser.visit(servers[0]!, (session) => session.signIn('u1'))
  return { on: servers[0]!, browser, value: browser.jar.get('__Host-sid')! }
}

async function statusOf(on: Manager<TestData>, facts: Partial<RequestFacts>): Promise<string> {
  const visit = beginVisit(on, { ...new Browser().facts(), ...facts }, {})
  await visit.open()
  return visit.session.status
}

describe('every cookie that is set or cleared', () => {
  it('has the prefix __Host- and what it asks for: Secure, Path=/ and no Domain', async () => {
    const { set, cleared } = await everyCookie()
    expect(new Set(set.map(({ name }) => name))).toEqual(
      new Set([`__Host-${NAME}-visit`, `__Host-${NAME}-gid`, `__Host-${NAME}-sid`]),
    )
    expect(set).toHaveLength(4)
    expect(cleared).not.toEqual([])
    for (const { name, attributes } of [...set, ...cleared]) {
      expect(name).toMatch(/^__Host-/)
      expect([attributes.has('secure'), attributes.get('path'), attributes.has('domain')]).toEqual([true, '/', false])
    }
  })

  it('is HttpOnly', async () => {
    const { set, cleared } = await everyCookie()
    for (const { attributes } of [...set, ...cleared]) expect(attributes.has('httponly')).toBe(true)
  })

  it.each([
    [undefined, 'Lax'],
    ['lax', 'Lax'],
    ['strict', 'Strict'],
    ['none', 'None'],
  ] as const)('says its SameSite: %s is %s, with Secure in each case', async (sameSite, expected) => {
    const { set, cleared } = await everyCookie({ cookie: { sameSite } })
    for (const { attributes } of [...set, ...cleared])
      expect([attributes.get('samesite'), attributes.has('secure')]).toEqual([expected, true])
  })

  it('is not sent with SameSite=None over plain HTTP, where browsers would drop it', async () => {
    const none = { cookie: { sameSite: 'none' } } as const
    const { set, cleared } = await everyCookie({ ...none, origin: 'http://localhost:3000' })
    for (const { attributes } of [...set, ...cleared])
      expect([attributes.get('samesite'), attributes.has('secure')]).toEqual(['Lax', false])
    for (const off of [
      { insecure: true, origin: undefined },
      { insecure: true, origin: 'http://shop.example' },
    ])
      await expect(everyCookie({ ...none, ...off })).rejects.toThrow(/HTTPS only/)
  })

  it('ends with the browser: it has no expiry, unless it is cleared', async () => {
    const { set } = await everyCookie()
    for (const { attributes } of set) {
      expect(attributes.has('expires')).toBe(false)
      expect(attributes.has('max-age')).toBe(false)
    }
  })

  it('is a tenth of the 4096 bytes that browsers keep, also with the longest name, and of the 1024 of an attribute', async () => {
    const { set, cleared } = await everyCookie()
    for (const { name, value, attributes } of [...set, ...cleared]) {
      expect(name.length + value.length).toBeLessThan(410)
      for (const attribute of attributes.values()) expect(attribute.length).toBeLessThan(103)
    }
  })
})

describe('over plain HTTP', () => {
  const plain = { secure: false, headers: { host: 'shop.example' } }

  it.each([
    ['no cookie is sent', {}, plain, []],
    ['nor to this machine, where a proxy says that it forwards', {}, local({ 'x-forwarded-for': '192.0.2.1' }), []],
    ['one is sent to this machine itself', {}, local({}), ['visit']],
    ['one is sent where the application insists', { insecure: true }, plain, ['visit']],
    ['one is sent for HTTPS alone, where that is what browsers call the application', SHOP, plain, ['__Host-visit']],
  ] as const)('%s', async (_, options, facts, expected) => {
    const { servers } = await deployment({ origin: undefined, ...options }, 1)
    const visit = beginVisit(servers[0]!, { ...new Browser().facts(), ...facts }, {})
    await visit.open()
    visit.session.csrf.token()
    const cookies = (await visit.settle()).cookies.map(parsed)
    expect(cookies.map(({ name }) => name)).toEqual(expected)
    for (const { name, attributes } of cookies) expect(attributes.has('secure')).toBe(name.startsWith('__Host-'))
  })

  it('no cookie is accepted either', async () => {
    const { servers } = await deployment({ origin: undefined }, 1)
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    const { headers } = browser.facts()
    expect(await statusOf(servers[0]!, { headers })).toBe('live')
    expect(await statusOf(servers[0]!, { headers, secure: false })).toBe('none')
  })
})

const SHOP = { origin: 'https://shop.example' }

function local(headers: Record<string, string>): Partial<RequestFacts> {
  return { secure: false, headers: { host: 'localhost:3000', ...headers } }
}

describe('an id', () => {
  it('is taken from the cookie of exactly its name: not in other letter case, without the prefix, or nameless', async () => {
    const { on, value } = await signedIn()
    const withCookie = (cookie: string): Promise<string> => statusOf(on, { headers: { host: 'shop.example', cookie } })
    expect(await withCookie(`__Host-sid=${value}`)).toBe('live')
    for (const name of ['__HOST-sid', '__host-sid', '__Host-SID', '__Secure-sid', 'sid', '', '=__Host-sid'])
      expect(await withCookie(`${name}=${value}`)).toBe('none')
  })

  it('is taken from no other place of a request', async () => {
    const { on, value } = await signedIn()
    const pair = `__Host-sid=${value}`
    expect(await statusOf(on, { path: `/?${pair}` })).toBe('none')
    expect(await statusOf(on, { path: `/;${pair}` })).toBe('none')
    for (const name of ['authorization', 'x-session-id', 'referer', 'set-cookie', '__host-sid'])
      expect(
        await statusOf(on, { headers: { host: 'shop.example', [name]: name === '__host-sid' ? value : pair } }),
      ).toBe('none')
  })

  it('is not to be had from what a handler gets, so that no page can have it by mistake', async () => {
    const { on, browser, value } = await signedIn()
    const shown = await browser.visit(on, (session) => {
      const inherited = Object.getOwnPropertyNames(Object.getPrototypeOf(session))
      const members = inherited.map((name) => session[name as keyof Session])
      return [
        JSON.stringify(session),
        JSON.stringify(members),
        inspect([session, members], { depth: 8, showHidden: true }),
      ]
    })
    expect(shown.join()).toContain('u1')
    const verifier = Buffer.from(value, 'base64url').subarray(23, 39)
    for (const secret of [value, verifier.toString('base64url'), verifier.toString('hex'), inspect(verifier)])
      expect(shown.join()).not.toContain(secret.replace(/^<Buffer |>$/g, ''))
  })

  it('is checked in constant time, genuine or forged', () => {
    const keyring = createKeyring(SECRET, '')
    const verifier = freshVerifier(pooledRandom())
    const id = { selector: selectorAt(keyring.active, { lease: 1, nonce: 2, counter: 3 }), verifier, mintedAt: 0 }
    const genuine = sealId(keyring, 'sid', id)
    const forged = `${genuine.slice(0, -1)}${genuine.endsWith('A') ? 'B' : 'A'}`
    for (const value of [genuine, forged]) {
      vi.mocked(crypto.timingSafeEqual).mockClear()
      expect('id' in openId(keyring, 'sid', value)).toBe(value === genuine)
      expect(vi.mocked(crypto.timingSafeEqual).mock.calls.map(([left]) => left.byteLength)).toEqual([14])
    }
  })
})

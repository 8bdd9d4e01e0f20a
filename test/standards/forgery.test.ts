/** What OWASP ASVS 3.5 and the CSRF sheet ask of requests, over HTTP; `docs/standards.md` has the list. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { inspect } from 'node:util'

import * as channels from 'holdfast/telemetry'
import { afterAll, afterEach, describe, expect, it } from 'vitest'

import { closeConnections, type Answer, type Browser } from '../../proof/browser.ts'
import { ADAPTERS, serve, type Servers } from '../flow/servers.ts'

const ELSEWHERE = 'https://elsewhere.example'
/** What a form of any site can be sent as without a preflight, and what it cannot. */
const TYPES = [
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'text/plain',
  'application/json',
  'application/anything',
]
/** What Fastify's own parsers answer before anybody is asked: the type is unknown to them, or the body is not of it. */
const BY_PARSER = [400, 415]

let servers: Servers | undefined
afterEach(async () => {
  await servers?.close()
  servers = undefined
})
afterAll(closeConnections)

async function signedIn(adapter: (typeof ADAPTERS)[number], options: object = {}): Promise<Browser> {
  servers = await serve(adapter, [{ store: 'memory:', ...options }])
  const browser = servers.browser()
  const { token } = await form(browser)
  expect((await browser.post(0, '/sign-in?user=ada', { _csrf: token })).status).toBe(200)
  return browser
}

async function form(browser: Browser): Promise<{ token: string }> {
  return JSON.parse((await browser.get(0, '/form')).body) as { token: string }
}

function reasonOf({ status, body }: Answer): unknown {
  return status === 403 ? (JSON.parse(body) as { reason: unknown }).reason : status
}

describe.each(ADAPTERS)('on %s', (adapter) => {
  it.each(TYPES)("another site's request reaches no handler, and no cache keeps the refusal: %s", async (type) => {
    const browser = await signedIn(adapter)
    const { token } = await form(browser)
    for (const headers of [
      { 'sec-fetch-site': 'cross-site', origin: ELSEWHERE },
      { 'sec-fetch-site': 'same-site', origin: 'http://sibling.localhost:8080' },
      { 'sec-fetch-site': undefined, origin: ELSEWHERE },
      { 'sec-fetch-site': undefined, origin: undefined, referer: `${ELSEWHERE}/page` },
    ]) {
      for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
        const sent = { ...headers, 'content-type': type, 'x-csrf-token': token }
        const answer = await browser.send(0, method, '/key?key=forged', { form: {}, headers: sent })
        const reason = reasonOf(answer)
        if (adapter === 'fastify' && BY_PARSER.includes(Number(reason))) continue
        expect([method, reason]).toEqual([method, 'origin-refused'])
        expect(answer.headers['cache-control']).toBe('no-store')
      }
    }
    expect(JSON.parse((await browser.get(0, '/who')).body)).not.toHaveProperty('keys')
  })

  it('a header that a form cannot send is no token: what is asked for is a token', async () => {
    const browser = await signedIn(adapter, { csrf: 'strict' })
    for (const name of ['x-requested-with', 'x-csrf-protection', 'x-csrf-token'])
      expect(reasonOf(await submit(browser, { headers: { [name]: '1' } }))).toMatch(/^token-(?:missing|forged)$/)
  })

  it('a token is taken from the field or the header, and from no cookie and no URL', async () => {
    const browser = await signedIn(adapter, { csrf: 'strict' })
    const { token } = await form(browser)
    const cookies = new Map([...browser.cookies, ['_csrf', token], ['csrf', token], ['x-csrf-token', token]])
    expect(reasonOf(await submit(browser, { cookies, path: `/submit?_csrf=${token}` }))).toBe('token-missing')
    expect(reasonOf(await submit(browser, { fields: { _csrf: token } }))).toBe(200)
    expect(reasonOf(await submit(browser, { headers: { 'x-csrf-token': token } }))).toBe(200)
  })

  it('a token is in no event and no line of the log, and each refusal is told', async () => {
    const told: string[] = []
    const listen = (message: unknown): void => void told.push(inspect(message, { depth: 12 }))
    const names = Object.values(channels).map(({ name }) => name)
    for (const name of names) subscribe(name, listen)
    try {
      const log = { warn: (...line: unknown[]) => listen(line), error: (...line: unknown[]) => listen(line) }
      const browser = await signedIn(adapter, { log })
      const { token } = await form(browser)
      const elsewhere = { origin: ELSEWHERE, 'sec-fetch-site': 'cross-site' }
      const forged = `${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`
      await submit(browser, { fields: { _csrf: token }, headers: elsewhere, path: `/submit?_csrf=${token}` })
      await submit(browser, { fields: { _csrf: forged } })
      await submit(browser, { headers: { 'x-csrf-token': forged } })
      await browser.post(0, '/sign-out', { _csrf: token })
      await submit(browser, { fields: { _csrf: token } })
      const all = told.join('\n')
      for (const reason of ['origin-refused', 'token-forged', 'session-ended']) expect(all).toContain(reason)
      for (const secret of [token, forged]) expect(all).not.toContain(secret)
    } finally {
      for (const name of names) unsubscribe(name, listen)
    }
  })
})

interface Submission {
  readonly path?: string
  readonly fields?: Record<string, string>
  readonly headers?: Record<string, string>
  readonly cookies?: ReadonlyMap<string, string>
}

function submit(
  browser: Browser,
  { path = '/submit', fields = {}, headers = {}, cookies }: Submission,
): Promise<Answer> {
  const more = cookies === undefined ? {} : { cookies }
  return browser.send(0, 'POST', path, { form: { any: 'thing', ...fields }, headers, ...more })
}

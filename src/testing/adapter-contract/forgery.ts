/** The adapter makes the CSRF check, and answers what it refuses. */
import assert from 'node:assert/strict'
import { cookiesOf } from './client.ts'
import type { ContractRoute, Rule } from './harness.ts'

const FORM = { 'content-type': 'application/x-www-form-urlencoded' }
const HERE = { ...FORM, 'sec-fetch-site': 'same-origin' }
const ELSEWHERE = { ...FORM, 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }

let handled = 0
const save: ContractRoute = {
  method: 'POST',
  path: '/save',
  handler: (exchange) => {
    handled += 1
    return exchange.send(200, 'saved')
  },
}
const form: ContractRoute = {
  method: 'GET',
  path: '/form',
  handler: (exchange) => exchange.send(200, exchange.session?.csrf.token() ?? ''),
}
const login: ContractRoute = {
  method: 'POST',
  path: '/login',
  handler: async (exchange) => {
    await exchange.session?.signIn('u1')
    await exchange.send(200, exchange.session?.csrf.token() ?? '')
  },
}
const routes = [save, form, login]

export function forgeryRules(rule: Rule): void {
  rule('lets a form of our own pages through', { routes }, async (bench) => {
    assert.equal((await bench.ask({ method: 'POST', path: '/save', headers: HERE, body: 'a=1' })).body, 'saved')
  })
  rule("refuses another site's form before any handler", { routes }, async (bench) => {
    handled = 0
    const reply = await bench.ask({ method: 'POST', path: '/save', headers: ELSEWHERE, body: 'a=1' })
    assert.equal(reply.status, 403)
    assert.equal((JSON.parse(reply.body) as { reason: string }).reason, 'origin-refused')
    assert.equal(handled, 0)
  })
  rule(
    'finds the token in the field _csrf and in the header x-csrf-token',
    { routes, options: { csrf: 'strict' } },
    async (bench) => {
      const cookie = await bench.guest()
      const token = (await bench.ask({ path: '/form', headers: { cookie } })).body
      const headers = { ...HERE, cookie }
      const post = { method: 'POST', path: '/save' }
      assert.equal((await bench.ask({ ...post, headers, body: `_csrf=${token}` })).status, 200)
      assert.equal(
        (await bench.ask({ ...post, headers: { ...headers, 'x-csrf-token': token }, body: 'a=1' })).status,
        200,
      )
      assert.equal((await bench.ask({ ...post, headers, body: 'a=1' })).status, 403)
    },
  )
  rule(
    'in strict signs in who opened the form before there was a session, and no tab from before goes on after it',
    { routes, options: { csrf: 'strict' } },
    async (bench) => {
      const opened = await bench.ask({ path: '/form' })
      const cookie = cookiesOf(opened)
      const post = { method: 'POST', path: '/login', body: `_csrf=${opened.body}` }
      assert.equal((await bench.ask({ ...post, headers: HERE })).status, 403)
      const signedIn = await bench.ask({ ...post, headers: { ...HERE, cookie } })
      assert.equal(signedIn.status, 200)
      const both = `${cookie}; ${cookiesOf(signedIn)}`
      const other = await bench.ask({ ...post, path: '/save', headers: { ...HERE, cookie: both } })
      assert.deepEqual([other.status, (JSON.parse(other.body) as { reason: string }).reason], [403, 'token-stale'])
      const fresh = await bench.ask({
        ...post,
        path: '/save',
        headers: { ...HERE, cookie: both },
        body: `_csrf=${signedIn.body}`,
      })
      assert.equal(fresh.body, 'saved')
    },
  )
  rule('answers a script with a problem, and a page with a page', { routes }, async (bench) => {
    const asked = { method: 'POST', path: '/save', body: '{"a":1}' }
    const headers = { ...ELSEWHERE, 'content-type': 'application/json' }
    for (const accept of [undefined, '*/*', 'application/json', 'application/problem+json, text/html;q=0.5']) {
      const reply = await bench.ask({ ...asked, headers: { ...headers, ...(accept === undefined ? {} : { accept }) } })
      assert.equal(reply.status, 403)
      assert.match(reply.headers.get('content-type')?.[0] ?? '', /^application\/problem\+json/)
    }
    const accept = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'
    const page = await bench.ask({ ...asked, headers: { ...headers, accept } })
    assert.equal(page.status, 403)
    assert.match(page.headers.get('content-type')?.[0] ?? '', /^text\/html/)
  })
  rule(
    'gives a refused script of our own pages a new token to try again with, also a visitor who had no cookie',
    { routes, options: { csrf: 'strict' } },
    async (bench) => {
      for (const cookie of [undefined, await bench.guest()]) {
        const first = await bench.ask({
          method: 'POST',
          path: '/save',
          headers: { ...HERE, ...(cookie === undefined ? {} : { cookie }) },
          body: 'a=1',
        })
        const { reason, token } = JSON.parse(first.body) as { reason: string; token: string }
        assert.deepEqual([first.status, reason], [403, 'token-missing'])
        assert.deepEqual(first.headers.get('cache-control'), ['no-store'])
        const headers = { ...HERE, cookie: cookie ?? cookiesOf(first), 'x-csrf-token': token }
        assert.equal((await bench.ask({ method: 'POST', path: '/save', headers, body: 'a=1' })).body, 'saved')
      }
    },
  )
  const others = {
    'no evidence': FORM,
    'another origin': ELSEWHERE,
    'a trusted origin': { ...ELSEWHERE, origin: 'https://partner.example' },
    'an address that was typed': { ...FORM, 'sec-fetch-site': 'none' },
    'a visitor who wants a page': { ...HERE, accept: 'text/html' },
  }
  for (const [who, headers] of Object.entries(others)) {
    rule(
      `gives no token to ${who}, nor a cookie`,
      { routes, options: { csrf: 'strict', trustedOrigins: ['https://partner.example'] } },
      async (bench) => {
        const reply = await bench.ask({ method: 'POST', path: '/save', headers, body: 'a=1' })
        assert.equal(reply.status, 403)
        assert.doesNotMatch(reply.body, /[\w-]{56}/)
        assert.equal(reply.headers.get('set-cookie'), undefined)
      },
    )
  }
  rule('hands the refusal to the application that wants it', { routes, errors: 'forward' }, async (bench) => {
    const reply = await bench.ask({ method: 'POST', path: '/save', headers: ELSEWHERE, body: 'a=1' })
    assert.equal(reply.status, 403)
    assert.equal(reply.body, 'forwarded ERR_CSRF')
  })
}

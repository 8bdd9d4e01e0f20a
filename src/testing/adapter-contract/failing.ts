/** I6: a store that fails never looks like a visitor without a session, and nothing half done leaves. */
import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { cookiesOf, type Reply } from './client.ts'
import { type ContractRoute, count, type Exchange, type Rule } from './harness.ts'

const isWrite = (operation: string): boolean => operation === 'create' || operation === 'replace'
const secret = 'what must not leave'

export function failingRules(rule: Rule): void {
  loadRules(rule)
  signOutRules(rule)
  for (const [name, answer] of Object.entries(ANSWERS)) {
    rule(`throws ${name} away where the session cannot be saved`, { routes: [changing(answer)] }, async (bench) => {
      const cookie = await bench.guest()
      bench.store.faults = { fail: (operation) => (isWrite(operation) ? 'refuse' : undefined) }
      const reply = await bench.ask({ path: '/change', headers: { cookie } })
      assertUnavailable(reply)
      assert.ok(!reply.raw.includes(secret), 'a part of the held answer left')
      bench.store.faults = {}
      assert.deepEqual(JSON.parse((await bench.ask({ path: '/read', headers: { cookie } })).body), { count: 1 })
    })
  }
  rule('hands the error of a save to the application that wants it', { errors: 'forward' }, async (bench) => {
    const cookie = await bench.guest()
    bench.store.faults = { fail: (operation) => (isWrite(operation) ? 'refuse' : undefined) }
    const reply = await bench.ask({ path: '/count', headers: { cookie } })
    assert.equal(reply.status, 503)
    assert.equal(reply.body, 'forwarded ERR_STORE_UNAVAILABLE')
    assert.equal(cookiesOf(reply), '')
  })
  rule(
    'says that it is unknown where the answer to a write got lost',
    { options: { storeDeadline: '60ms' } },
    async (bench) => {
      const cookie = await bench.guest()
      bench.store.faults = { fail: (operation) => (isWrite(operation) ? 'swallow' : undefined) }
      const reply = await bench.ask({ path: '/count', headers: { cookie } })
      assert.equal(reply.status, 503)
      assert.match(reply.body, /may have been saved or not/)
    },
  )
}

function loadRules(rule: Rule): void {
  rule('answers 503 where the session cannot be read, and changes no cookie', {}, async (bench) => {
    const cookie = await bench.guest()
    bench.store.faults = { fail: 'refuse' }
    assertUnavailable(await bench.ask({ path: '/read', headers: { cookie } }))
  })
  rule(
    'answers 503 within the deadline where the store hangs',
    { options: { storeDeadline: '60ms' } },
    async (bench) => {
      const cookie = await bench.guest()
      bench.store.faults = { fail: 'hang' }
      const from = performance.now()
      assertUnavailable(await bench.ask({ path: '/read', headers: { cookie } }))
      assert.ok(performance.now() - from < 60 + 250, 'it took too long')
    },
  )
  rule('serves visitors with nothing stored as if nothing had happened', {}, async (bench) => {
    bench.store.faults = { fail: 'refuse' }
    assert.equal((await bench.ask({ path: '/read' })).status, 200)
  })
  rule('hands the error of a load to the application that wants it', { errors: 'forward' }, async (bench) => {
    const cookie = await bench.guest()
    bench.store.faults = { fail: 'refuse' }
    const reply = await bench.ask({ path: '/read', headers: { cookie } })
    assert.equal(reply.status, 503)
    assert.equal(reply.body, 'forwarded ERR_STORE_UNAVAILABLE')
  })
  rule('answers a browser with a page, and a program with a problem', {}, async (bench) => {
    const cookie = await bench.guest()
    bench.store.faults = { fail: 'refuse' }
    const page = await bench.ask({ path: '/read', headers: { cookie, accept: 'text/html,*/*;q=0.8' } })
    assert.match(page.headers.get('content-type')?.[0] ?? '', /^text\/html/)
    assert.match(page.body, /You have not been signed out/)
    const problem = await bench.ask({ path: '/read', headers: { cookie, accept: 'application/json' } })
    assert.match(problem.headers.get('content-type')?.[0] ?? '', /^application\/problem\+json/)
    assert.equal((JSON.parse(problem.body) as { code: string }).code, 'ERR_STORE_UNAVAILABLE')
  })
}

function signOutRules(rule: Rule): void {
  const routes = [SIGN_OUT, CHANGE_THERE]
  const headers = { 'sec-fetch-site': 'same-origin', 'content-type': 'application/x-www-form-urlencoded' }
  rule(
    'reaches a route that signs out where the session cannot be read, and signs out here',
    { routes },
    async (bench) => {
      const cookie = await bench.guest()
      bench.store.faults = { fail: 'refuse' }
      const reply = await bench.ask({ method: 'POST', path: SIGN_OUT.path, headers: { ...headers, cookie } })
      assert.equal(reply.status, 503)
      const cleared = reply.headers.get('set-cookie') ?? []
      assert.ok(
        cleared.length > 0 && cleared.every((line) => line.endsWith('Max-Age=0')),
        'the cookies are not cleared',
      )
      bench.store.faults = {}
      // Nobody is served by the session any more, in time also where the store is asked.
      assert.equal((await bench.ask({ path: '/read', headers: { cookie } })).body, '{}')
    },
  )
  rule('lets such a route do nothing else with a session that it could not read', { routes }, async (bench) => {
    const cookie = await bench.guest()
    bench.store.faults = { fail: 'refuse' }
    const reply = await bench.ask({ method: 'POST', path: CHANGE_THERE.path, headers: { ...headers, cookie } })
    assert.equal(reply.status, 503)
    assert.equal(reply.headers.get('set-cookie'), undefined)
    bench.store.faults = {}
    assert.deepEqual(JSON.parse((await bench.ask({ path: '/read', headers: { cookie } })).body), { count: 1 })
  })
}

const SIGN_OUT: ContractRoute = {
  method: 'POST',
  path: '/sign-out',
  signOut: true,
  handler: async (exchange) => {
    await exchange.session?.signOut()
    await exchange.send(200, 'signed out')
  },
}
const CHANGE_THERE: ContractRoute = {
  method: 'POST',
  path: '/change-there',
  signOut: true,
  handler: (exchange) => exchange.send(200, String(count(exchange))),
}

const ANSWERS: Readonly<Record<string, (exchange: Exchange) => unknown>> = {
  'a buffered answer': (exchange) => exchange.send(200, secret),
  'a redirect': (exchange) => exchange.redirect(`/${encodeURIComponent(secret)}`),
  'a stream': (exchange) => exchange.stream(Readable.from([secret, secret])),
  'a stream without an end': (exchange) => exchange.stream(endless()),
}

function changing(answer: (exchange: Exchange) => unknown): ContractRoute {
  return {
    method: 'GET',
    path: '/change',
    handler: async (exchange) => {
      count(exchange)
      exchange.header('set-cookie', `note=${encodeURIComponent(secret)}`)
      exchange.header('cache-control', 'public')
      await answer(exchange)
    },
  }
}

/** Goes on until nobody reads any more. */
function endless(): Readable {
  return Readable.from(
    (async function* () {
      for (;;) {
        yield secret
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    })(),
  )
}

function assertUnavailable(reply: Reply): void {
  assert.equal(reply.status, 503)
  assert.ok(Number(reply.headers.get('retry-after')?.[0]) > 0, 'there is no Retry-After')
  assert.deepEqual(reply.headers.get('cache-control'), ['no-store'])
  assert.equal(reply.headers.get('set-cookie'), undefined)
}

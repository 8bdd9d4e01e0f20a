/** Our cookies beside the application's headers. */
import assert from 'node:assert/strict'
import { cookiesOf } from './client.ts'
import { type ContractRoute, count, type Rule } from './harness.ts'

export function headerRules(rule: Rule): void {
  rule(
    "leaves the application's own cookies as they are",
    { routes: [withHeader('set-cookie', 'theme=dark; Path=/')] },
    async (bench) => {
      const reply = await bench.ask({ path: '/change' })
      const lines = reply.headers.get('set-cookie') ?? []
      assert.equal(lines[0], 'theme=dark; Path=/')
      assert.ok(lines.length > 1, 'no cookie of ours was set')
    },
  )
  const controls = {
    '': 'private',
    public: 'private',
    'public, max-age=60': 'private, max-age=60',
    'no-store': 'no-store',
  }
  for (const [given, expected] of Object.entries(controls)) {
    const title = `makes Cache-Control: ${given === '' ? '(none)' : given} to ${expected} where it sets a cookie`
    rule(title, { routes: [withHeader('cache-control', given)] }, async (bench) => {
      const reply = await bench.ask({ path: '/change' })
      assert.deepEqual(reply.headers.get('cache-control'), [expected])
    })
  }
  rule('leaves Cache-Control alone where it sets no cookie', { routes: [unchanged] }, async (bench) => {
    const reply = await bench.ask({ path: '/public' })
    assert.deepEqual(reply.headers.get('cache-control'), ['public, max-age=60'])
    assert.equal(cookiesOf(reply), '')
  })
  const tokens: readonly (readonly [given: Headers, control: string, vary: string | undefined])[] = [
    [{}, 'private', 'Cookie'],
    [{ 'cache-control': 'public, max-age=60, s-maxage=600' }, 'private, max-age=60', 'Cookie'],
    [{ 'cache-control': 'private, no-cache', vary: 'accept-encoding' }, 'private, no-cache', 'accept-encoding, Cookie'],
    [{ 'cache-control': 'no-store' }, 'no-store', undefined],
    [{ 'cache-control': 'no-store', vary: 'Origin' }, 'no-store', 'Origin'],
    [{ vary: 'Origin, cookie' }, 'private', 'Origin, cookie'],
    [{ vary: '*' }, 'private', '*'],
  ]
  for (const [given, control, vary] of tokens) {
    const title = `makes of ${JSON.stringify(given)} ${control} and Vary: ${vary ?? '(none)'} where a token is in the page`
    rule(title, { routes: [withToken(given)] }, async (bench) => {
      const cookie = await bench.guest()
      for (const headers of [{}, { cookie }]) {
        const reply = await bench.ask({ path: '/form', headers })
        assert.match(reply.body, /^[\w-]{56}$/)
        assert.deepEqual(reply.headers.get('cache-control'), [control])
        assert.equal(reply.headers.get('vary')?.join(', '), vary)
      }
    })
  }
  rule(
    'takes away what tells the caches of others otherwise where a token is in the page, or a cookie of ours in its head',
    { routes: [withToken(FOR_OTHERS), { ...withHeader('surrogate-control', 'max-age=600'), path: '/change' }] },
    async (bench) => {
      const cookie = await bench.guest()
      for (const [path, headers] of [
        ['/form', {}],
        ['/form', { cookie }],
        ['/change', {}],
      ] as const) {
        const reply = await bench.ask({ path, headers })
        assert.equal(reply.status, 200)
        for (const name of Object.keys(FOR_OTHERS)) assert.equal(reply.headers.get(name), undefined)
      }
    },
  )
  rule(
    'leaves what tells caches about a page alone where no token is in it, and says nothing of cookies',
    {
      routes: [{ ...withToken({ ...FOR_OTHERS, 'cache-control': 'public', vary: 'Origin' }, false), path: '/public' }],
    },
    async (bench) => {
      const cookie = await bench.guest()
      const reply = await bench.ask({ path: '/public', headers: { cookie } })
      assert.deepEqual(reply.headers.get('cache-control'), ['public'])
      assert.deepEqual(reply.headers.get('vary'), ['Origin'])
      for (const [name, value] of Object.entries(FOR_OTHERS)) assert.deepEqual(reply.headers.get(name), [value])
    },
  )
  rule('saves what two managers have to save, and sends the cookies of both', { second: true }, async (bench) => {
    const reply = await bench.ask({ path: '/count' })
    const names = (reply.headers.get('set-cookie') ?? []).map((line) => line.split('=')[0] ?? '')
    assert.equal(new Set(names).size, 2)
    assert.equal(bench.store.done.filter((operation) => operation === 'create').length, 2)
  })
}

type Headers = Readonly<Record<string, string>>

const FOR_OTHERS: Headers = {
  'cdn-cache-control': 'max-age=600',
  'surrogate-control': 'max-age=600',
  'x-accel-expires': '600',
}

/** A page with these headers, and a token in it. */
function withToken(headers: Headers, token = true): ContractRoute {
  return {
    method: 'GET',
    path: '/form',
    handler: async (exchange) => {
      for (const [name, value] of Object.entries(headers)) exchange.header(name, value)
      await exchange.send(200, token ? (exchange.session?.csrf.token() ?? '') : 'for everybody')
    },
  }
}

const unchanged: ContractRoute = {
  method: 'GET',
  path: '/public',
  handler: async (exchange) => {
    exchange.header('cache-control', 'public, max-age=60')
    await exchange.send(200, 'for everybody')
  },
}

function withHeader(name: string, value: string): ContractRoute {
  return {
    method: 'GET',
    path: '/change',
    handler: async (exchange) => {
      count(exchange)
      if (value !== '') exchange.header(name, value)
      await exchange.send(200, 'done')
    },
  }
}

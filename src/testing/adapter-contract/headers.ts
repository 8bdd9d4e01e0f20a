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
  rule('saves what two managers have to save, and sends the cookies of both', { second: true }, async (bench) => {
    const reply = await bench.ask({ path: '/count' })
    const names = (reply.headers.get('set-cookie') ?? []).map((line) => line.split('=')[0] ?? '')
    assert.equal(new Set(names).size, 2)
    assert.equal(bench.store.done.filter((operation) => operation === 'create').length, 2)
  })
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

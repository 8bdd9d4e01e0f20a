/** What a request costs the store: nothing, or one look. */
import assert from 'node:assert/strict'
import type { StoreOperation } from '../faulty-store.ts'
import type { Bench, ContractRoute, Rule } from './harness.ts'

const plain: ContractRoute = {
  method: 'GET',
  path: '/plain',
  session: false,
  handler: (exchange) => exchange.send(200, 'no session here'),
}
const form: ContractRoute = {
  method: 'GET',
  path: '/form',
  handler: (exchange) => exchange.send(200, exchange.session?.csrf.field() ?? ''),
}

export function tripRules(rule: Rule): void {
  rule('asks nothing for a visitor with nothing stored (I10)', { routes: [form] }, async (bench) => {
    assert.deepEqual(await tripsOf(bench, '/read', ''), [])
    assert.deepEqual(await tripsOf(bench, '/form', ''), [])
  })
  rule('asks nothing for a cookie that was not minted here (I9)', {}, async (bench) => {
    const cookie = (await bench.guest()).replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'))
    assert.deepEqual(await tripsOf(bench, '/read', cookie), [])
  })
  rule('asks nothing on a route without a session', { routes: [plain] }, async (bench) => {
    assert.deepEqual(await tripsOf(bench, '/plain', await bench.guest()), [])
  })
  rule('loads a session once, and writes nothing for a request that only reads', {}, async (bench) => {
    assert.deepEqual(await tripsOf(bench, '/read', await bench.guest()), ['load'])
  })
  rule('loads once and writes once for a request that changes something', {}, async (bench) => {
    assert.deepEqual(await tripsOf(bench, '/count', await bench.guest()), ['load', 'replace'])
  })
}

/** The operations on sessions; what the process asks for itself does not count. */
const OWN: ReadonlySet<StoreOperation> = new Set(['open', 'epoch', 'nextLease', 'holdLease'])

async function tripsOf(bench: Bench, path: string, cookie: string): Promise<StoreOperation[]> {
  bench.store.forget()
  const reply = await bench.ask({ path, headers: { cookie } })
  assert.equal(reply.status, 200)
  return bench.store.asked.filter((operation) => !OWN.has(operation))
}

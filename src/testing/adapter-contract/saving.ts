/** I5: saved before sent, whatever leaves. */
import assert from 'node:assert/strict'
import { setTimeout as wait } from 'node:timers/promises'
import { Readable } from 'node:stream'
import { type Asked, ask, askAll, cookiesOf, type Reply } from './client.ts'
import { type Bench, type ContractRoute, count, type Exchange, type Rule } from './harness.ts'

const SLOW = 80
const isWrite = (operation: string): boolean => operation === 'create' || operation === 'replace'

/** Answers that all begin with a change. */
const ANSWERS: Readonly<
  Record<string, { answer: (exchange: Exchange) => unknown; status: number; body: string; method?: 'HEAD' }>
> = {
  'a buffered answer': { answer: (exchange) => exchange.send(200, 'done'), status: 200, body: 'done' },
  'a redirect': { answer: (exchange) => exchange.redirect('/read'), status: 302, body: '' },
  'a stream': {
    answer: (exchange) => exchange.stream(Readable.from(['one ', 'two ', 'three'])),
    status: 200,
    body: 'one two three',
  },
  'an empty answer (204)': { answer: (exchange) => exchange.send(204, ''), status: 204, body: '' },
  'an unchanged answer (304)': { answer: (exchange) => exchange.send(304, ''), status: 304, body: '' },
  'an answer to HEAD': { answer: (exchange) => exchange.send(200, 'done'), status: 200, body: '', method: 'HEAD' },
  'an error page of the application': {
    answer: (exchange) => exchange.send(404, 'nothing here'),
    status: 404,
    body: 'nothing here',
  },
  'an exception': { answer: () => Promise.reject(new Error('the handler broke')), status: 500, body: '' },
}

export function savingRules(rule: Rule): void {
  for (const [name, { answer, status, body, method }] of Object.entries(ANSWERS)) {
    const routes = [changing(answer)]
    rule(`saves before the first byte of ${name}`, { routes }, async (bench) => {
      const before = await bench.guest()
      const reply = await askSlowly(bench, { method, path: '/change', headers: { cookie: before } })
      assert.equal(reply.status, status)
      if (body !== '') assert.equal(reply.body, body)
      assert.equal(await counted(bench, before), 2)
    })
    rule(`saves a visitor's first value before the first byte of ${name}`, { routes }, async (bench) => {
      const reply = await askSlowly(bench, { method, path: '/change' })
      assert.equal(reply.status, status)
      assert.equal(await counted(bench, cookiesOf(reply)), 1)
    })
  }
  streamRules(rule)
  connectionRules(rule)
}

function streamRules(rule: Rule): void {
  const long = 'x'.repeat(3_000_000)
  const stream = changing((exchange) => exchange.stream(Readable.from(piecesOf(long))))
  rule('keeps every byte of a long stream in order', { routes: [stream] }, async (bench) => {
    const reply = await askSlowly(bench, { path: '/change' })
    assert.equal(reply.body.length, long.length)
    assert.equal(reply.body, long)
  })
  const large = changing((exchange) => exchange.send(200, long))
  rule('sends a large buffered answer whole', { routes: [large] }, async (bench) => {
    const reply = await askSlowly(bench, { path: '/change' })
    assert.equal(reply.body.length, long.length)
  })
}

function connectionRules(rule: Rule): void {
  rule('saves although the connection is cut while the answer is held', {}, async (bench) => {
    const cookie = await bench.guest()
    bench.store.faults = { delay: (operation) => (isWrite(operation) ? SLOW : 0) }
    await assert.rejects(ask(bench.port, { path: '/count', headers: { cookie }, cutAfter: SLOW / 2 }))
    await wait(2 * SLOW)
    assert.equal(await counted(bench, cookie), 2)
  })
  const late: ContractRoute = {
    method: 'GET',
    path: '/change',
    handler: async (exchange) => {
      await wait(SLOW)
      count(exchange)
      await exchange.send(200, 'too late')
    },
  }
  rule('saves although the client has gone before the handler answers', { routes: [late] }, async (bench) => {
    const cookie = await bench.guest()
    await assert.rejects(ask(bench.port, { path: '/change', headers: { cookie }, cutAfter: SLOW / 4 }))
    await wait(2 * SLOW)
    assert.equal(await counted(bench, cookie), 2)
  })
  rule('keeps the order of requests that come at once on one connection', {}, async (bench) => {
    const cookie = await bench.guest()
    bench.store.faults = { delay: (operation) => (isWrite(operation) ? SLOW : 0) }
    const replies = await askAll(bench.port, [
      { path: '/count', headers: { cookie } },
      { path: '/read', headers: { cookie: '' } },
      { path: '/count', headers: { cookie } },
    ])
    // Both count from one: they ran at once, and on the same place the later wins.
    assert.deepEqual(
      replies.map((reply) => reply.body),
      ['2', '{}', '2'],
    )
  })
}

function changing(answer: (exchange: Exchange) => unknown): ContractRoute {
  return {
    method: 'GET',
    path: '/change',
    handler: async (exchange) => {
      count(exchange)
      await answer(exchange)
    },
  }
}

function* piecesOf(text: string): Generator<string> {
  for (let at = 0; at < text.length; at += 50_000) yield text.slice(at, at + 50_000)
}

/** Asks while writes are slow, and makes sure that the first byte came after the write. */
async function askSlowly(bench: Bench, asked: Asked): Promise<Reply> {
  bench.store.forget()
  bench.store.faults = { delay: (operation) => (isWrite(operation) ? SLOW : 0) }
  let savedAtFirstByte: boolean | undefined
  const reply = await bench.ask({ ...asked, onFirstByte: () => (savedAtFirstByte = bench.store.done.some(isWrite)) })
  bench.store.faults = {}
  assert.equal(savedAtFirstByte, true, 'the first byte came before the session was saved')
  return reply
}

async function counted(bench: Bench, cookie: string): Promise<number | undefined> {
  const { body } = await bench.ask({ path: '/read', headers: { cookie } })
  return (JSON.parse(body) as { count?: number }).count
}

import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { PassThrough, pipeline, Readable } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'

import { describe, expect, it, vi } from 'vitest'

import { StoreUnavailableError } from '../../src/errors.ts'
import { askAll, type Reply } from '../../src/testing/adapter-contract/client.ts'
import { deferred, FakeVisit, held, holdOf } from './harness/held.ts'
import { listen } from './harness/listen.ts'

const UNAVAILABLE = new StoreUnavailableError('The store is down.')
const SENT: unknown = expect.objectContaining({ code: 'ERR_HTTP_HEADERS_SENT' })

/** Whether a promise has an answer once everything that is under way has had its turn. */
async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol('pending')
  return (await Promise.race([promise, wait(30, pending)])) === pending
}

describe('while a response is held', () => {
  it.each<[string, (response: ServerResponse) => unknown]>([
    ['end(body)', (response) => response.end('body')],
    ['end()', (response) => response.end()],
    ['write()', (response) => response.write('body')],
    ['writeHead().end()', (response) => response.writeHead(201).end('body')],
    ['flushHeaders()', (response) => response.flushHeaders()],
    ['a stream', (response) => Readable.from(['a', 'b']).pipe(response)],
    ['writeHead(204)', (response) => response.writeHead(204).end()],
    ['writeHead(304)', (response) => response.writeHead(304).end()],
  ])('no byte of it reaches the socket: %s', async (_name, answer) => {
    const { visit, response, reply, firstByte } = await held(answer)
    await visit.asked
    expect(await isPending(firstByte)).toBe(true)
    expect(response.socket?.bytesWritten).toBe(0)
    visit.saved()
    await firstByte
    if (!response.writableEnded) response.end()
    await reply
  })

  it('tells of itself what the application knows: begun, and ended', async () => {
    const { visit, response, reply } = await held((r) => r.end('the answer'))
    expect(response.headersSent).toBe(true)
    expect(response.writableEnded).toBe(true)
    expect(response.writableFinished).toBe(false)
    expect(() => response.setHeader('x-late', '1')).toThrow(SENT)
    expect(() => response.removeHeader('date')).toThrow(SENT)
    expect(() => response.writeHead(500)).toThrow(SENT)
    visit.saved()
    expect((await reply).body).toBe('the answer')
  })

  it('a watchdog that asks headersSent writes no second answer', async () => {
    const { visit, response, reply } = await held((r) => r.end('the answer'))
    if (!response.headersSent) response.writeHead(503).end('too slow')
    visit.saved()
    expect(await reply).toMatchObject({ status: 200, body: 'the answer' })
  })

  it('end() twice is as harmless as ever', async () => {
    const { visit, response, reply } = await held((r) => r.end('once'))
    const again = deferred<unknown>()
    response.end(() => again.resolve('called'))
    response.on('error', (error) => expect(error).toMatchObject({ code: 'ERR_STREAM_WRITE_AFTER_END' }))
    response.end('twice')
    visit.saved()
    expect((await reply).body).toBe('once')
    expect(await again.promise).toBe('called')
  })

  it("callbacks, 'finish' and 'close' come after the bytes have left, in order", async () => {
    const said: string[] = []
    const { visit, closed, reply } = await held((response) => {
      for (const event of ['prefinish', 'finish', 'close']) response.on(event, () => said.push(event))
      response.write('one', () => said.push('written'))
      response.end('two', () => said.push('ended'))
    })
    expect(await isPending(closed)).toBe(true)
    expect(said).toEqual([])
    visit.saved()
    expect((await reply).body).toBe('onetwo')
    await wait(5)
    expect(said.toSorted()).toEqual(['close', 'ended', 'finish', 'prefinish', 'written'])
    expect(said.indexOf('written')).toBeLessThan(said.indexOf('finish'))
    expect(said.at(-1)).toBe('close')
  })

  it("write() answers false, and 'drain' follows", async () => {
    const { visit, response, reply } = await held((r) => r.write('some'))
    await visit.asked
    expect(response.write(' more'.repeat(20_000)), 'Node 26 collects what is written in one turn').toBe(false)
    expect(response.writableNeedDrain).toBe(true)
    expect(response.writableLength).toBeGreaterThan(0)
    const drained = once(response, 'drain')
    expect(await isPending(drained)).toBe(true)
    visit.saved()
    await drained
    expect(response.writableNeedDrain).toBe(false)
    response.end(' and more')
    expect((await reply).body).toBe(`some${' more'.repeat(20_000)} and more`)
  })

  it('a pipeline waits, and goes on', async () => {
    const whole = 'x'.repeat(2_000_000)
    const done = deferred<unknown>()
    let read = 0
    const { visit, reply } = await held((response) => {
      const source = new PassThrough()
      source.on('data', (chunk: Buffer) => (read += chunk.length))
      Readable.from(pieces(whole)).pipe(source)
      pipeline(source, response, done.resolve)
    })
    await wait(20)
    expect(read).toBeLessThan(whole.length / 4)
    visit.saved()
    expect((await reply).body.length).toBe(whole.length)
    expect(await done.promise).toBeUndefined()
  })

  it('the server knows how much is waiting, until nothing is', async () => {
    let waiting = 0
    const { visit, response, reply, closed } = await held((r) => {
      const server = r as ServerResponse & { _onPendingData(amount: number): void }
      const tell = server._onPendingData
      server._onPendingData = (amount) => {
        waiting += amount
        tell(amount)
      }
      r.end('x'.repeat(1000))
    })
    await visit.asked
    expect(waiting).toBeGreaterThanOrEqual(1000)
    visit.saved()
    await Promise.all([reply, closed])
    expect([waiting, response.writableLength]).toEqual([0, 0])
  })

  it('an early hint that was sent before has left', async () => {
    const { visit, reply, firstByte } = await held((response) => {
      response.writeEarlyHints({ link: '</style.css>; rel=preload' })
      response.end('the answer')
    })
    expect(await isPending(firstByte)).toBe(true)
    visit.saved()
    const { raw, body } = await reply
    expect(raw).toMatch(/^HTTP\/1\.1 103 .*HTTP\/1\.1 200 /s)
    expect(body).toBe('the answer')
  })

  it('an informational answer neither leaves late nor takes held bytes with it', async () => {
    const { visit, response, reply } = await held((r) => r.end('the answer'))
    try {
      response.writeProcessing()
    } catch (error) {
      expect(error, 'as Node has it from 24 on').toEqual(SENT)
    }
    expect(response.socket?.bytesWritten).toBe(0)
    visit.saved()
    expect((await reply).raw).toMatch(/^HTTP\/1\.1 200 /)
  })
})

describe('our cookies', () => {
  const own = ['theme=dark', 'lang=en']
  it.each<[string, (response: ServerResponse) => unknown]>([
    ['an object', (response) => response.writeHead(200, { 'Set-Cookie': own })],
    ['an object and a reason', (response) => response.writeHead(200, 'Fine', { 'set-cookie': own })],
    [
      'a flat list',
      (response) =>
        response.writeHead(
          200,
          own.flatMap((cookie) => ['Set-Cookie', cookie]),
        ),
    ],
    [
      'a list of pairs',
      (response) => response.writeHead(200, own.map((cookie) => ['Set-Cookie', cookie]) as unknown as string[]),
    ],
    ['setHeader', (response) => response.setHeader('set-cookie', own)],
  ])("are appended to the application's, given to writeHead as %s", async (_name, head) => {
    const { visit, reply } = await held((response) => {
      head(response)
      response.end('body')
    })
    visit.saved('__Host-gid=1; Secure', '__Host-visit=2; Secure')
    const { headers } = await reply
    expect(headers.get('set-cookie')).toEqual([...own, '__Host-gid=1; Secure', '__Host-visit=2; Secure'])
    expect(headers.get('cache-control')).toEqual(['private'])
  })

  it('keep the reason phrase, and what else is in the head', async () => {
    const { visit, reply } = await held((response) =>
      response.writeHead(418, 'Short and stout', { 'x-pot': 'tea' }).end(),
    )
    visit.saved('a=1')
    const { raw, headers } = await reply
    expect(raw).toMatch(/^HTTP\/1\.1 418 Short and stout\r\n/)
    expect(headers.get('x-pot')).toEqual(['tea'])
  })

  it('are those of all managers', async () => {
    const second = new FakeVisit()
    const { visit, reply, firstByte } = await held((response, _request, hold) => {
      hold.join(second, 1)
      response.end('body')
    })
    visit.saved('first=1')
    expect(await isPending(firstByte)).toBe(true)
    second.saved('second=1')
    expect((await reply).headers.get('set-cookie')).toEqual(['first=1', 'second=1'])
    expect([visit.finishes, second.finishes]).toEqual([1, 1])
  })
})

describe('where nothing is to be settled', () => {
  it('the response waits for nothing', async () => {
    const visit = Object.assign(new FakeVisit(), { unsettled: false })
    const { reply } = await held((response) => response.end('at once'), {}, {}, visit)
    expect((await reply).body).toBe('at once')
    expect([visit.passes, visit.settles, visit.finishes]).toEqual([1, 0, 1])
  })
})

describe('when the session cannot be saved', () => {
  it.each<[string, (response: ServerResponse) => unknown]>([
    ['an ended response', (response) => response.writeHead(200, { 'x-kept': '1', etag: '"secret"' }).end('secret')],
    ['a chunked response', (response) => (response.write('secret'), response.end('secret'))],
    ['a redirect', (response) => response.writeHead(302, { location: '/secret', 'x-kept': '1' }).end()],
    ['a 304', (response) => response.writeHead(304, { etag: '"secret"' }).end()],
  ])('an honest answer takes the place of %s, and the connection goes on', async (_name, answer) => {
    const visits: FakeVisit[] = []
    const server = createServer((_request, response) => {
      const visit = new FakeVisit()
      visits.push(visit)
      holdOf(response, visit)
      answer(response)
      if (visits.length === 1) visit.failed(UNAVAILABLE)
      else visit.saved()
    })
    const { port, close } = await listen(server)
    const [first, second] = await askAll(port, [{}, {}])
    await close()
    expect(first).toMatchObject({ status: 503 })
    expect(first?.raw.split('HTTP/1.1')[1]).not.toContain('secret')
    expect(first?.headers.get('retry-after')).toEqual(['1'])
    expect(JSON.parse(first?.body ?? '')).toMatchObject({ status: 503, code: 'ERR_STORE_UNAVAILABLE' })
    expect(second?.status).not.toBe(503)
    expect(visits.map(({ finishes }) => finishes)).toEqual([1, 1])
  })

  it('HEAD gets the head of that answer only', async () => {
    const { visit, reply } = await held((response) => response.end('secret'), { method: 'HEAD' })
    visit.failed(UNAVAILABLE)
    const { status, headers, raw } = await reply
    expect(status).toBe(503)
    expect(Number(headers.get('content-length')?.[0])).toBeGreaterThan(0)
    expect(raw.endsWith('\r\n\r\n')).toBe(true)
  })

  it('headers that do not belong to the body stay, for the sake of CORS and HSTS', async () => {
    const { visit, reply } = await held((response) =>
      response
        .writeHead(200, { 'access-control-allow-origin': 'https://app.example', 'content-encoding': 'gzip' })
        .end('secret'),
    )
    visit.failed(UNAVAILABLE)
    const { headers } = await reply
    expect(headers.get('access-control-allow-origin')).toEqual(['https://app.example'])
    expect(headers.get('content-encoding')).toBeUndefined()
  })

  it('what another manager saved is not lost: its cookies go with the answer, and those of a sign-out', async () => {
    const second = new FakeVisit()
    const { visit, reply } = await held((response, _request, hold) => {
      hold.join(second, 1)
      response.end('secret')
    })
    visit.farewell = () => ['gone=; Max-Age=0']
    visit.failed(UNAVAILABLE)
    second.saved('second=1')
    expect((await reply).headers.get('set-cookie')).toEqual(['gone=; Max-Age=0', 'second=1'])
  })

  it('the log of requests sees the status that was sent', async () => {
    const { visit, response, reply } = await held((r) => r.end('secret'))
    const logged = deferred<number>()
    response.on('finish', () => logged.resolve(response.statusCode))
    visit.failed(UNAVAILABLE)
    await reply
    expect(await logged.promise).toBe(503)
  })

  it('a stream that goes on is cut off after the answer', async () => {
    const source = new PassThrough()
    const done = deferred<unknown>()
    const { visit, response, reply } = await held((r) => {
      pipeline(source, r, done.resolve)
      source.write('secret')
    })
    await visit.asked
    visit.failed(UNAVAILABLE)
    source.write('secret')
    const { status, raw, headers } = await reply
    expect(status).toBe(503)
    expect(headers.get('connection')).toEqual(['close'])
    expect(raw).not.toContain('secret')
    await done.promise
    expect(response.writableFinished || response.destroyed).toBe(true)
  })

  it('the application that wants the error can answer as if nothing had been sent, because nothing was', async () => {
    const response = deferred<ServerResponse>()
    const forward = vi.fn<(error: unknown) => void>()
    forward.mockImplementation(() => {
      void response.promise.then((r) => {
        expect([r.headersSent, r.writableEnded, r.statusCode, r.getHeader('etag')]).toEqual([
          false,
          false,
          200,
          undefined,
        ])
        expect(r.getHeader('x-kept')).toBe('1')
        Readable.from([Buffer.from('an own page')]).pipe(r.writeHead(503, { 'x-own': '1' }))
      })
    })
    const exchange = await held(
      (r) => {
        r.setHeader('x-kept', '1')
        r.setHeader('etag', '"secret"')
        r.write('secret')
        r.writeHead = r.writeHead.bind(r)
        r.end('secret')
      },
      {},
      { forward },
    )
    response.resolve(exchange.response)
    exchange.visit.failed(UNAVAILABLE)
    const { status, body, headers } = await exchange.reply
    expect([status, body, headers.get('x-own')]).toEqual([503, 'an own page', ['1']])
    expect(forward).toHaveBeenCalledExactlyOnceWith(UNAVAILABLE)
    expect(exchange.visit.settles).toBe(1)
  })
})

describe('when the application wants the error', () => {
  async function forwarded(handler: (response: ServerResponse) => unknown): Promise<Reply> {
    const answered = deferred<ServerResponse>()
    const forward = (): void => void answered.promise.then((response) => response.writeHead(503).end('an own page'))
    const { visit, response, reply } = await held(handler, {}, { forward })
    answered.resolve(response)
    visit.failed(UNAVAILABLE)
    return reply
  }

  it.each<[string, (response: ServerResponse) => unknown]>([
    ['an empty answer', (response) => response.writeHead(204).end()],
    ['an unchanged answer', (response) => response.writeHead(304).end()],
    [
      'a stream that is longer than any buffer',
      (response) => pipeline(Readable.from(pieces('x'.repeat(900_000))), response, () => undefined),
    ],
    ['a stream that ends a little later', (response) => (response.write('x'), setTimeout(() => response.end('y'), 20))],
  ])('puts its own answer in the place of %s', async (_name, answer) => {
    const { status, body } = await forwarded(answer)
    expect([status, body]).toEqual([503, 'an own page'])
  })

  it('a stream that does not end is answered and cut off, and the error stays with us', async () => {
    const timers: NodeJS.Timeout[] = []
    const { status, body } = await forwarded((response) => timers.push(setInterval(() => response.write('tick'), 5)))
    for (const timer of timers) clearInterval(timer)
    expect(status).toBe(503)
    expect(JSON.parse(body)).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
  })
})

describe('limits.heldBody', () => {
  it('bounds what an application writes that does not heed the false of write()', async () => {
    const { visit, response, reply } = await held((r) => r.write('x'), {}, { limit: 1000 })
    for (let sent = 0; sent < 100; sent++) {
      await wait(0)
      response.write('y'.repeat(100))
    }
    const { outputData } = response as unknown as { outputData: { data: { length: number } }[] }
    expect(outputData.reduce((sum, { data }) => sum + data.length, 0)).toBeLessThan(2000)
    visit.saved('kept=1')
    const { status, body, headers } = await reply
    expect(status).toBe(500)
    expect(JSON.parse(body)).toMatchObject({ code: 'ERR_LIMIT' })
    expect(headers.get('set-cookie'), 'a new id that was saved must not get lost').toEqual(['kept=1'])
  })

  it('does not count what is handed over in one go', async () => {
    const { visit, reply } = await held((r) => (r.write('x'), r.end('y'.repeat(5000))), {}, { limit: 1000 })
    visit.saved()
    expect((await reply).body.length).toBe(5001)
  })
})

describe('a connection that is cut', () => {
  it('while the response is held: the visit is settled, then finished once', async () => {
    const { visit, reply, closed } = await held((r) => r.end('the answer'), { cutAfter: 10 })
    await Promise.all([closed, expect(reply).rejects.toThrow('no answer')])
    expect(visit.finishes).toBe(0)
    visit.saved()
    await wait(5)
    expect([visit.settles, visit.finishes]).toEqual([1, 1])
  })

  it('before the handler answers: what it answers is still settled, then the visit is finished once', async () => {
    const { visit, response, reply, closed } = await held(() => undefined, { cutAfter: 10 })
    await Promise.all([closed, expect(reply).rejects.toThrow('no answer')])
    expect(visit.finishes).toBe(0)
    response.end('nobody reads this')
    await visit.asked
    visit.saved()
    await wait(5)
    expect([visit.settles, visit.finishes]).toEqual([1, 1])
  })

  it('before a handler that never answers: the visit is finished after a minute', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout'] })
    try {
      const { visit, reply, closed, response } = await held(() => undefined)
      response.socket?.destroy()
      await Promise.all([closed, expect(reply).rejects.toThrow('no answer')])
      vi.advanceTimersByTime(59_000)
      expect(visit.finishes).toBe(0)
      vi.advanceTimersByTime(1_000)
      expect([visit.settles, visit.finishes]).toEqual([0, 1])
    } finally {
      vi.useRealTimers()
    }
  })

  it('after it the error of a save harms nobody', async () => {
    const { visit, response, reply, closed } = await held(() => undefined, { cutAfter: 10 })
    await Promise.all([closed, expect(reply).rejects.toThrow('no answer')])
    response.end('nobody reads this')
    visit.failed(UNAVAILABLE)
    await wait(5)
    expect(visit.finishes).toBe(1)
  })
})

function* pieces(text: string): Generator<Buffer> {
  for (let at = 0; at < text.length; at += 10_000) yield Buffer.from(text.slice(at, at + 10_000))
}

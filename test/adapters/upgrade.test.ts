/** WebSockets: the handshake is made only for pages of ours, with the session, and the session goes on behind it. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'

import { afterEach, describe, expect, it } from 'vitest'

import { attach, upgrade, type UpgradeOptions } from '../../src/adapters/node.ts'
import { HeadSentError, SessionEndedError } from '../../src/errors.ts'
import { ask, cookiesOf } from '../../src/testing/adapter-contract/client.ts'
import type { BaseOptions, CsrfMode, Session, Sessions } from '../../src/types.ts'
import { listen } from './harness/listen.ts'
import { type Fixture, type Shop, shopSessions } from './harness/sessions.ts'

const OWN = { origin: 'http://localhost' }

interface Sockets extends Fixture {
  readonly port: number
  /** What `upgrade` answered, request by request. */
  readonly opened: (Session<Shop> | undefined)[]
  /** The server's ends of the connections, once they are closed. */
  readonly closed: Promise<unknown>[]
  /** The cookies of a browser with a session: a guest's, or a user's. */
  visitor(user?: string): Promise<string>
  /** Sends a request for a WebSocket. Answers all that came until the 101, or until the end. */
  shake(headers?: Record<string, string>): Promise<{ answer: string; socket: Socket }>
}

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

async function sockets(options: BaseOptions = {}, how: UpgradeOptions = {}): Promise<Sockets> {
  const fixture = await shopSessions(options)
  const opened: (Session<Shop> | undefined)[] = []
  const server = createServer((request, response) => {
    void serve(fixture.sessions, request).then(() => response.end('ok'))
    async function serve(sessions: Sessions<Shop>, { url, method }: IncomingMessage): Promise<void> {
      const session = await attach(sessions, request, response)
      if (method !== 'POST') return
      const user = new URL(url ?? '', 'http://localhost').searchParams.get('user')
      if (user === null) session.data.count = 1
      else if (user === 'renew') await session.regenerateId()
      else if (user === 'raise') await session.regenerateId({ previous: 'refused' })
      else if (user === 'out') await session.signOut()
      else await session.signIn(user)
    }
  })
  const closed: Promise<unknown>[] = []
  server.on('upgrade', (request, socket: Duplex) => {
    closed.push(new Promise((resolve) => socket.on('close', resolve)))
    void upgrade(fixture.sessions, request, socket, how).then((session) => {
      opened.push(session)
      if (session !== undefined) accept(request, socket)
    })
  })
  const { port, close } = await listen(server)
  closing.push(close)
  return {
    ...fixture,
    port,
    opened,
    closed,
    visitor: async (user) => {
      const path = user === undefined ? '/' : `/?user=${user}`
      return cookiesOf(await ask(port, { method: 'POST', path, headers: { 'sec-fetch-site': 'same-origin' } }))
    },
    shake: (headers = {}) => shake(port, headers),
  }
}

/** The server's half of RFC 6455, section 4.2.2; then it sends back what it gets. */
function accept(request: IncomingMessage, socket: Duplex): void {
  const key = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`
  const answer = createHash('sha1').update(key).digest('base64')
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${answer}\r\n\r\n`,
  )
  socket.on('error', () => socket.destroy())
  socket.on('end', () => socket.end())
  socket.resume()
}

async function shake(port: number, headers: Record<string, string>): Promise<{ answer: string; socket: Socket }> {
  const all = {
    host: 'localhost',
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    ...headers,
  }
  const socket = connect(port, '127.0.0.1')
  closing.push(() => socket.destroy())
  socket.write(
    `GET /live HTTP/1.1\r\n${Object.entries(all)
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join('')}\r\n`,
  )
  let answer = ''
  socket
    .setEncoding('utf8')
    .on('data', (text) => (answer += text))
    .on('error', () => socket.destroy())
  await new Promise<void>((resolve) => {
    socket.on('close', () => resolve())
    socket.on('data', () => answer.startsWith('HTTP/1.1 101') && answer.endsWith('\r\n\r\n') && resolve())
  })
  return { answer, socket }
}

type RealClient = new (url: string, options: object) => WebSocket
const clients = typeof WebSocket === 'undefined' ? [] : [WebSocket as unknown as RealClient]
if (clients.length === 0) console.log('This Node has no WebSocket: handshakes are made by hand only.')

describe('the handshake', () => {
  it('is made for a page of ours, and finds its session', async () => {
    const bench = await sockets()
    const { answer } = await bench.shake({ ...OWN, cookie: await bench.visitor('u1') })
    expect(answer).toContain('Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
    expect(bench.opened[0]).toMatchObject({ status: 'live', userId: 'u1' })
  })

  it.each(clients)('is made with a real client', async (Client) => {
    const bench = await sockets()
    const client = new Client(`ws://127.0.0.1:${bench.port}/live`, { headers: { ...OWN, host: 'localhost' } })
    await once(client as unknown as EventTarget, 'open')
    client.close()
    expect(bench.opened).toHaveLength(1)
  })

  it.each(['auto', 'strict', 'report'] as const)(
    'in %s is refused with a 403 to everything else, a valid token or not, without a trip to the store',
    async (csrf: CsrfMode) => {
      const bench = await sockets({ csrf })
      const cookie = csrf === 'strict' ? '' : await bench.visitor('u1')
      bench.store.forget()
      for (const headers of [
        { origin: 'https://evil.example' },
        { origin: 'https://localhost.evil.example' },
        { origin: 'http://localhost:81' },
        { origin: 'null' },
        { 'sec-fetch-site': 'cross-site', origin: 'http://localhost' },
        { 'sec-fetch-site': 'same-site' },
        {},
      ] as Record<string, string>[]) {
        const { answer } = await bench.shake({ cookie, ...headers })
        expect(answer).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n/)
        expect(answer).toContain('"reason":"origin-refused"')
        expect(answer).toMatch(/\r\nconnection: close\r\n/i)
      }
      expect(bench.store.asked).toEqual([])
      expect(bench.opened).toEqual(Array(7).fill(undefined))
      expect(bench.sessions.stats().csrf.refused['origin-refused']).toBe(7)
    },
  )

  it('is made where Fetch Metadata prove the origin, or the Origin is a trusted one', async () => {
    const bench = await sockets({ trustedOrigins: ['https://partner.example'] })
    for (const headers of [{ 'sec-fetch-site': 'same-origin' }, { origin: 'https://partner.example' }] as Record<
      string,
      string
    >[])
      expect((await bench.shake(headers)).answer).toMatch(/^HTTP\/1\.1 101/)
  })

  it('for another protocol than WebSocket is judged the same', async () => {
    const bench = await sockets()
    expect((await bench.shake({ upgrade: 'chat/2' })).answer).toMatch(/^HTTP\/1\.1 403/)
  })

  it('is answered with a whole 503 while the store fails, in bounded time', async () => {
    const bench = await sockets({ storeDeadline: '50ms' })
    const cookie = await bench.visitor('u1')
    bench.store.faults = { fail: 'hang' }
    const began = performance.now()
    const { answer } = await bench.shake({ ...OWN, cookie })
    expect(performance.now() - began).toBeLessThan(1000)
    expect(answer).toMatch(/^HTTP\/1\.1 503 Service Unavailable\r\n/)
    expect(answer).toMatch(/\r\nretry-after: 1\r\n/i)
    const [head = '', body = ''] = answer.split('\r\n\r\n')
    expect(Number(/content-length: (\d+)/i.exec(head)?.[1])).toBe(Buffer.byteLength(body))
    expect(JSON.parse(body)).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
  })

  it('is answered with 401 where somebody has to be signed in and nobody is', async () => {
    const bench = await sockets({}, { signedIn: true })
    for (const cookie of ['', await bench.visitor()]) {
      const { answer } = await bench.shake({ ...OWN, cookie })
      expect(answer).toMatch(/^HTTP\/1\.1 401 Unauthorized\r\n/)
    }
    const cookie = await bench.visitor('u1')
    expect((await bench.shake({ ...OWN, cookie })).answer).toMatch(/^HTTP\/1\.1 101/)
    await bench.sessions.revokeUser('u1')
    const { answer } = await bench.shake({ ...OWN, cookie })
    expect(answer).toMatch(/^HTTP\/1\.1 401 /)
    expect(answer).toContain('ERR_SESSION_ENDED')
  })

  it('reaches a client that has sent more before it reads', async () => {
    const bench = await sockets()
    const socket = connect(bench.port, '127.0.0.1')
    closing.push(() => socket.destroy())
    let answer = ''
    socket
      .setEncoding('utf8')
      .on('data', (text) => (answer += text))
      .on('error', () => undefined)
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
    socket.write('x'.repeat(200_000))
    await once(socket, 'close')
    const began = performance.now()
    await bench.closed[0]
    expect(performance.now() - began).toBeLessThan(500)
    expect(answer).toMatch(/^HTTP\/1\.1 403[^]*\}$/)
  })

  it('a client that never closes is cut off', async () => {
    const bench = await sockets()
    const socket = connect({ port: bench.port, host: '127.0.0.1', allowHalfOpen: true })
    closing.push(() => socket.destroy())
    socket.on('error', () => undefined).resume()
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
    await once(socket, 'end')
    const began = performance.now()
    while (!socket.destroyed && performance.now() - began < 3000) {
      socket.write('still here')
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    expect(socket.destroyed).toBe(true)
  })

  it('a client that goes away while its session is loaded leaves nothing behind, and ends no process', async () => {
    const bench = await sockets()
    const cookie = await bench.visitor('u1')
    bench.store.faults = { delay: () => 300 }
    bench.store.forget()
    const socket = connect(bench.port, '127.0.0.1')
    socket.write(
      `GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\nCookie: ${cookie}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
    )
    await expect.poll(() => bench.store.asked).toContain('load')
    socket.resetAndDestroy()
    await expect.poll(() => bench.opened).toEqual([undefined])
  })
})

async function live(bench: Sockets, cookie: string): Promise<{ session: Session<Shop>; socket: Socket }> {
  const { socket, answer } = await bench.shake({ ...OWN, cookie })
  expect(answer).toMatch(/^HTTP\/1\.1 101/)
  return { session: bench.opened.at(-1)!, socket }
}

describe('the session behind a socket', () => {
  const change = (session: Session<Shop>): Promise<number> =>
    session.update((data) => (data.count = (data.count ?? 0) + 1))

  const act = async (bench: Sockets, cookie: string, user: string): Promise<string> => {
    const reply = await ask(bench.port, {
      method: 'POST',
      path: `/?user=${user}`,
      headers: { cookie, 'sec-fetch-site': 'same-origin' },
    })
    return cookiesOf(reply) || cookie
  }

  it('is the one that sessions.of() gives', async () => {
    const fixture = await shopSessions()
    const server = createServer()
    const same: unknown[] = []
    server.on('upgrade', (request, socket: Duplex) => {
      void upgrade(fixture.sessions, request, socket).then((session) => {
        same.push(session === fixture.sessions.of(request))
        socket.destroy()
      })
    })
    const { port, close } = await listen(server)
    closing.push(close)
    await shake(port, OWN)
    expect(same).toEqual([true])
  })

  it('can be changed as long as it lives, whatever becomes of its id', async () => {
    let now = Date.now()
    const bench = await sockets({ now: () => now, graceTimeout: '1s', renewalTimeout: '1m' })
    let cookie = await bench.visitor('u1')
    const { session } = await live(bench, cookie)
    expect(await change(session)).toBe(1)
    for (let renewal = 2; renewal < 6; renewal++) {
      cookie = await act(bench, cookie, 'renew')
      await ask(bench.port, { headers: { cookie } })
      now += 61_000
      expect(await change(session)).toBe(renewal)
      await session.touch()
      await session.reload()
      expect(session.data.count).toBe(renewal)
    }
    session.data.text = 'changed in place'
    expect(await session.commit()).toBe('saved')
    expect(session.signal.aborted).toBe(false)
  })

  it.each<[string, (bench: Sockets, cookie: string) => unknown, string]>([
    ['a sign-out', (bench, cookie) => act(bench, cookie, 'out'), 'signed-out'],
    ['a revocation', ({ sessions }) => sessions.revokeUser('u1'), 'revoked'],
    ['a rise in privilege', (bench, cookie) => act(bench, cookie, 'raise'), 'superseded'],
    ['a sign-in of somebody else', (bench, cookie) => act(bench, cookie, 'u2'), 'superseded'],
  ])('throws SessionEndedError after %s', async (_what, end, reason) => {
    const bench = await sockets()
    const cookie = await bench.visitor('u1')
    const { session } = await live(bench, cookie)
    await end(bench, cookie)
    const error: unknown = await change(session).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(SessionEndedError)
    expect(error).toMatchObject({ reason, status: 401 })
    expect(session.signal.aborted).toBe(true)
  })

  it('ends in time, and a touch finds that out', async () => {
    let now = Date.now()
    const bench = await sockets({ now: () => now, idleTimeout: '1m', absoluteTimeout: '2m' })
    const { session } = await live(bench, await bench.visitor('u1'))
    const { signal } = session
    now += 100_000
    await session.touch()
    expect([signal.aborted, session.status]).toEqual([false, 'live'])
    now += 100_000
    await session.touch()
    expect([signal.aborted, session.status]).toEqual([true, 'lapsed'])
    await expect(change(session)).rejects.toMatchObject({ code: 'ERR_SESSION_ENDED', reason: 'expired' })
  })

  it.each<[string, (bench: Sockets, cookie: string) => unknown]>([
    ['its sign-out', (bench, cookie) => act(bench, cookie, 'out')],
    ['its revocation', ({ sessions }) => sessions.revokeUser('u1')],
  ])('aborts its signal with %s, so that the socket can be closed', async (_what, end) => {
    const bench = await sockets()
    const cookie = await bench.visitor('u1')
    const { session, socket } = await live(bench, cookie)
    session.signal.addEventListener('abort', () => socket.destroy())
    await end(bench, cookie)
    expect(session.signal.aborted).toBe(true)
    expect(socket.destroyed).toBe(true)
  })

  it('aborts nothing any more once its socket is closed', async () => {
    const bench = await sockets()
    const { session, socket } = await live(bench, await bench.visitor('u1'))
    const { signal } = session
    socket.destroy()
    await expect
      .poll(async () => {
        await bench.sessions.list('u1')
        return socket.destroyed
      })
      .toBe(true)
    await new Promise((resolve) => setTimeout(resolve, 50))
    await bench.sessions.revokeUser('u1')
    expect(signal.aborted).toBe(false)
  })

  it.each<[string, (session: Session<Shop>) => unknown]>([
    ['signIn()', (session) => session.signIn('u2')],
    ['signOut()', (session) => session.signOut()],
    ['regenerateId()', (session) => session.regenerateId()],
  ])('%s needs a cookie, which no socket can bring', async (_what, needs) => {
    const bench = await sockets()
    const { session } = await live(bench, await bench.visitor('u1'))
    await expect(needs(session)).rejects.toBeInstanceOf(HeadSentError)
    expect(await change(session)).toBe(1)
  })

  it('gives a stranger neither a first value nor a token, which need a cookie too', async () => {
    const bench = await sockets()
    const { session } = await live(bench, '')
    expect(session.status).toBe('none')
    await expect(change(session)).rejects.toBeInstanceOf(HeadSentError)
    expect(() => session.csrf.token()).toThrow(HeadSentError)
  })

  it('gives its owner a token', async () => {
    const bench = await sockets()
    const { session } = await live(bench, await bench.visitor('u1'))
    expect(session.csrf.verify(session.csrf.token())).toBe(true)
  })
})

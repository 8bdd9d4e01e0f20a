/** What each fault of a link is, as two programs see it that talk over it. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { type Link, startLink } from '../support/link.ts'

/** Long enough for whatever is not held to arrive. */
const A_WHILE = 60

/** One end of a conversation, and what it has heard. */
class Talker {
  heard = ''
  ended = false
  broken: string | undefined
  readonly socket: Socket

  constructor(socket: Socket) {
    this.socket = socket.setEncoding('utf8')
    socket.on('data', (text: string) => {
      this.heard += text
    })
    socket.on('end', () => {
      this.ended = true
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.broken = error.code
    })
  }

  say(text: string): void {
    this.socket.write(text)
  }
}

let server: Server
let accepted: Talker[]
let link: Link
let clients: Talker[]

beforeEach(async () => {
  accepted = []
  clients = []
  server = createServer({ allowHalfOpen: true }, (socket) => accepted.push(new Talker(socket)))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  link = await startLink({ to: (server.address() as AddressInfo).port })
})

afterEach(async () => {
  for (const { socket } of [...clients, ...accepted]) socket.destroy()
  await link.stop()
  server.close()
})

/** A client, whose connection to the link may be reset before it is made. */
function client(): Talker {
  const talker = new Talker(connect({ port: link.port, host: '127.0.0.1', allowHalfOpen: true }))
  clients.push(talker)
  return talker
}

/** Both ends of a conversation. */
async function conversation(): Promise<{ near: Talker; far: Talker }> {
  const before = accepted.length
  const near = client()
  await expect.poll(() => accepted.length).toBe(before + 1)
  return { near, far: accepted[before]! }
}

describe('a whole link', () => {
  it('passes everything on, in its order, and tells each end when the other has ended', async () => {
    const { near, far } = await conversation()
    const much = Array.from({ length: 40_000 }, (_, at) => `${at} `).join('')
    near.say(much)
    near.socket.end('end')
    await expect.poll(() => far.ended).toBe(true)
    expect(far.heard).toBe(`${much}end`)
    far.socket.end(much)
    await expect.poll(() => near.ended).toBe(true)
    expect(near.heard).toBe(much)
    await expect.poll(() => link.connections).toBe(0)
  })

  it('tells one end when the other breaks off', async () => {
    const { near, far } = await conversation()
    far.socket.resetAndDestroy()
    await expect.poll(() => near.broken).toBe('ECONNRESET')
  })

  it('resets who comes while nobody listens behind it', async () => {
    server.close()
    const near = client()
    await expect.poll(() => near.broken).toBe('ECONNRESET')
  })
})

describe('cut', () => {
  it('resets both ends, and whoever comes, until it is restored', async () => {
    const { near, far } = await conversation()
    link.cut()
    await expect.poll(() => [near.broken, far.broken]).toEqual(['ECONNRESET', 'ECONNRESET'])
    const refused = client()
    await expect.poll(() => refused.broken).toBe('ECONNRESET')
    expect(accepted).toHaveLength(1)
    link.restore()
    const again = await conversation()
    again.near.say('hello')
    await expect.poll(() => again.far.heard).toBe('hello')
  })
})

describe('frozen', () => {
  it('keeps what is sent, and who comes, for when it is restored', async () => {
    const { near, far } = await conversation()
    link.freeze()
    near.say('question')
    far.say('answer')
    const late = client()
    late.say('late')
    late.socket.end()
    await pause(A_WHILE)
    expect([near.heard, far.heard, accepted.length]).toEqual(['', '', 1])
    expect([near.broken, far.broken, late.broken]).toEqual([undefined, undefined, undefined])
    link.restore()
    await expect.poll(() => [near.heard, far.heard]).toEqual(['answer', 'question'])
    await expect.poll(() => accepted[1]?.heard).toBe('late')
    await expect.poll(() => accepted[1]?.ended).toBe(true)
    expect(link.lost).toEqual([])
  })

  it('or drops what is sent, and resets those that it was sent on', async () => {
    const { near, far } = await conversation()
    const quiet = await conversation()
    link.freeze('dropped')
    near.say('question')
    await pause(A_WHILE)
    expect([far.heard, near.broken]).toEqual(['', undefined])
    link.restore()
    await expect.poll(() => [near.broken, far.broken]).toEqual(['ECONNRESET', 'ECONNRESET'])
    expect(link.lost.map(String)).toEqual(['question'])
    quiet.near.say('still there')
    await expect.poll(() => quiet.far.heard).toBe('still there')
  })
})

describe('one way only', () => {
  it('drops the answers, and passes the requests', async () => {
    const { near, far } = await conversation()
    link.drop('answers')
    near.say('question')
    await expect.poll(() => far.heard).toBe('question')
    far.say('answer')
    await pause(A_WHILE)
    expect([near.heard, near.broken]).toEqual(['', undefined])
  })

  it('drops the requests, and passes what is said unasked', async () => {
    const { near, far } = await conversation()
    link.drop('requests')
    near.say('question')
    far.say('news')
    await expect.poll(() => near.heard).toBe('news')
    await pause(A_WHILE)
    expect(far.heard).toBe('')
  })
})

describe('losing answers', () => {
  it('passes the question, and resets both ends when the answer sets out', async () => {
    const { near, far } = await conversation()
    link.loseAnswers()
    near.say('question')
    await expect.poll(() => far.heard).toBe('question')
    far.say('answer')
    await expect.poll(() => [near.broken, far.broken]).toEqual(['ECONNRESET', 'ECONNRESET'])
    expect(near.heard).toBe('')
    expect(link.lost.map(String)).toEqual(['answer'])
  })

  it('or in its midst', async () => {
    const { near, far } = await conversation()
    link.loseAnswers(3)
    far.say('answer')
    // Node reads the bytes, and may not see any more that it was a reset.
    await expect.poll(() => near.ended || near.broken !== undefined).toBe(true)
    expect(near.heard).toBe('ans')
    expect(link.lost.map(String)).toEqual(['wer'])
  })
})

describe('delayed', () => {
  it('everything comes later, in its order; each way as it is told', async () => {
    const { near, far } = await conversation()
    link.delay({ requests: 300 })
    const begun = performance.now()
    near.say('one ')
    await pause(10)
    near.say('two')
    near.socket.end()
    far.say('at once')
    await expect.poll(() => near.heard, { interval: 5 }).toBe('at once')
    expect(far.heard).toBe('')
    await expect.poll(() => far.ended, { interval: 5 }).toBe(true)
    expect(far.heard).toBe('one two')
    expect(performance.now() - begun).toBeGreaterThanOrEqual(300)
  })
})

describe('a line that loses packets', () => {
  it('sends them again later and later, and what comes behind them after them', async () => {
    const { near, far } = await conversation()
    // The first piece is lost twice, all others pass.
    const drawn = [0.01, 0.01]
    link.lose(0.05, () => drawn.shift() ?? 0.5)
    const began = performance.now()
    near.say('first ')
    await pause(20)
    near.say('second')
    await pause(300)
    expect(far.heard).toBe('')
    await expect.poll(() => far.heard, { timeout: 2_000 }).toBe('first second')
    expect(performance.now() - began).toBeGreaterThanOrEqual(595)
    link.restore()
    near.say(' third')
    await pause(A_WHILE)
    expect(far.heard).toBe('first second third')
  })
})

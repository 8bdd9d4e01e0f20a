/** Writes that replicas confirm. */
import { setImmediate as turn } from 'node:timers/promises'

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import type { ConfirmedWrite } from '../../../src/stores/redis/deployment.ts'
import { type Command, ErrorReply, NotSentError, type Reply } from '../../../src/stores/redis/link.ts'
import { AskedServer, Server } from '../../../src/stores/redis/server.ts'
import { type FakeLink, fakeLinks } from './fake-links.ts'

const DEADLINE = 1000

/** A write, and what became of it. */
class Write implements ConfirmedWrite {
  readonly command: Command
  wantedStill = true
  went = false
  answer: Reply | undefined
  durable: boolean | undefined
  error: Error | undefined

  constructor(name: string) {
    this.command = [name, 'k']
  }

  wanted(): boolean {
    return this.wantedStill
  }

  sent(): void {
    this.went = true
  }

  answered(reply: Reply): void {
    this.answer = reply
  }

  confirmed(durable: boolean): void {
    this.durable = durable
  }

  failed(error: Error): void {
    this.error = error
  }
}

let fake: ReturnType<typeof fakeLinks>
let server: Server

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  serve(1)
})

afterEach(() => vi.useRealTimers())

/** A server that serves. */
function serve(replicas: number): void {
  fake = fakeLinks()
  const watcher = {
    serves: () => undefined,
    fails: () => undefined,
    keyChanged: () => undefined,
    untracked: () => undefined,
  }
  server = new Server(
    { host: 'h', port: 1 },
    { open: fake.open, deadline: DEADLINE, replicas, keysMove: false },
    watcher,
  )
  server.hurry()
  fake.last().serve()
}

async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms)
  await turn()
  await turn()
}

function confirm(...names: string[]): Write[] {
  const writes = names.map((name) => new Write(name))
  for (const write of writes) server.confirm(write)
  return writes
}

/** The link of the writes that are to be confirmed, which is made for the first of them. */
async function confirmingLink(): Promise<FakeLink> {
  const link = fake.links[1] as FakeLink
  link.serve()
  await pass(0)
  return link
}

describe('writes that replicas are to confirm', () => {
  it('go over a link of their own, together, with one WAIT behind them', async () => {
    const writes = confirm('A', 'B', 'C')
    const link = await confirmingLink()
    expect(link.sent.map(({ command }) => command)).toEqual([
      ['A', 'k'],
      ['B', 'k'],
      ['C', 'k'],
      ['WAIT', '1', '600'],
    ])
    expect(fake.links[0]?.waiting).toEqual([])
    for (const name of ['A', 'B', 'C']) link.answerNext(name, 1)
    await pass(0)
    expect(writes.map(({ answer, durable }) => [answer, durable])).toEqual(writes.map(() => [1, undefined]))
    link.answerNext('WAIT', 1)
    await pass(0)
    expect(writes.map(({ durable }) => durable)).toEqual([true, true, true])
  })

  it('that come while others are being confirmed are the next group', async () => {
    confirm('A')
    const link = await confirmingLink()
    const later = [...confirm('B'), ...confirm('C')]
    await pass(0)
    expect(link.waiting).toEqual(['A', 'WAIT'])
    link.answerNext('A', 1)
    link.answerNext('WAIT', 1)
    await pass(0)
    expect(link.waiting).toEqual(['B', 'C', 'WAIT'])
    expect(later.map(({ durable }) => durable)).toEqual([undefined, undefined])
  })

  it.each<[string, Reply | Error]>([
    ['fewer replicas than asked for', 0],
    ['an answer that is no number', Buffer.from('1')],
    ['a refusal', new ErrorReply('UNBLOCKED force unblock from blocking operation, instance state changed')],
    ['a connection that breaks', new Error('the connection was closed')],
  ])('are not confirmed by %s', async (_, reply) => {
    const [write] = confirm('A')
    const link = await confirmingLink()
    link.answerNext('A', 1)
    link.answerNext('WAIT', reply)
    await pass(0)
    expect(write).toMatchObject({ answer: 1, durable: false, error: undefined })
  })

  it('are confirmed by as many replicas as are asked for, and by no fewer', async () => {
    serve(2)
    const [write] = confirm('A')
    const link = await confirmingLink()
    link.answerNext('A', 1)
    link.answerNext('WAIT', 1)
    await pass(0)
    expect(write?.durable).toBe(false)
  })

  it('that are refused fail alone', async () => {
    const [refused, done] = confirm('A', 'B')
    const link = await confirmingLink()
    link.answerNext('A', new ErrorReply('OOM command not allowed'))
    link.answerNext('B', 1)
    link.answerNext('WAIT', 1)
    await pass(0)
    expect(refused).toMatchObject({ error: { code: 'OOM' }, durable: undefined })
    expect(done).toMatchObject({ durable: true, error: undefined })
  })

  it('that nobody waits for any more are not sent', async () => {
    const [given, wanted] = confirm('A', 'B')
    given!.wantedStill = false
    const link = await confirmingLink()
    expect(link.waiting).toEqual(['B', 'WAIT'])
    expect([given?.went, wanted?.went]).toEqual([false, true])
  })

  it('that could not be sent are given back, and those that were are lost', async () => {
    const [sent] = confirm('A')
    const link = await confirmingLink()
    const [queued] = confirm('B')
    link.down()
    await pass(0)
    expect(sent?.error).toBeDefined()
    expect(sent?.error).not.toBeInstanceOf(NotSentError)
    expect(queued?.error).toBeInstanceOf(NotSentError)
    expect(queued?.went).toBe(false)
  })

  it('whose server hangs break the link within a deadline', async () => {
    confirm('A')
    const link = await confirmingLink()
    await pass(DEADLINE)
    expect(link.closed).toBe(true)
  })

  it('are announced where the server serves the key by exception', async () => {
    const write = new Write('A')
    new AskedServer(server).confirm(write)
    const link = await confirmingLink()
    expect(link.waiting).toEqual(['ASKING', 'A', 'WAIT'])
  })

  it('with no replica to ask are confirmed by the server itself, over the one link', async () => {
    serve(0)
    const [write] = confirm('A')
    fake.last().answerNext('A', 1)
    await pass(0)
    expect(write).toMatchObject({ answer: 1, durable: true })
    expect(fake.last().waiting).toEqual([])
  })
})

describe('a server that is closed', () => {
  it('gives back what was not sent, and leaves no link and no timer', async () => {
    const [sent] = confirm('A')
    await confirmingLink()
    const [queued] = confirm('B')
    await server.close()
    expect(queued?.error).toBeInstanceOf(NotSentError)
    expect(sent?.error).toBeDefined()
    expect(fake.links.map(({ closed }) => closed)).toEqual([true, true])
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('a server that serves a key by exception', () => {
  it('is told so before each command', () => {
    void new AskedServer(server).send(['GET', 'k']).catch(() => undefined)
    expect(fake.last().waiting.slice(-2)).toEqual(['ASKING', 'GET'])
  })
})

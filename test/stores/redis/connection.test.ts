import { setImmediate as turn } from 'node:timers/promises'

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { StoreUnavailableError } from '../../../src/errors.ts'
import {
  type Command,
  type ConnectionWatcher,
  ErrorReply,
  NotSentError,
  type RedisClient,
  type Reply,
} from '../../../src/stores/redis/client.ts'
import { Connection } from '../../../src/stores/redis/connection.ts'

const DEADLINE = 1000
const READ = { command: ['GET', 'k'], write: false }
const WRITE = { command: ['SET', 'k', 'v'], write: true }

/** A client that does what the test says. */
class FakeClient implements RedisClient {
  ready = false
  closed = false
  readonly sent: { command: Command; answer: (reply: Reply) => void; fail: (error: Error) => void }[] = []
  #watcher: ConnectionWatcher | undefined

  start(watcher: ConnectionWatcher): void {
    this.#watcher = watcher
  }

  send(command: Command): Promise<Reply> {
    return new Promise((answer, fail) => this.sent.push({ command, answer, fail }))
  }

  async close(): Promise<void> {
    this.closed = true
  }

  up(): void {
    this.ready = true
    this.#watcher?.up()
  }

  down(cause = new Error('connect ECONNREFUSED')): void {
    this.ready = false
    this.#watcher?.down(cause)
    for (const { fail } of this.sent.splice(0)) fail(new Error('the connection was closed'))
  }
}

/** What became of a call, as soon as it is known. */
interface Outcome {
  reply?: Reply
  error?: StoreUnavailableError
}

function outcomeOf(promise: Promise<Reply>): Outcome {
  const outcome: Outcome = {}
  promise.then(
    (reply) => Object.assign(outcome, { reply }),
    (error: unknown) => Object.assign(outcome, { error }),
  )
  return outcome
}

/** Lets time pass, and what is due happen. */
async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms)
  await turn()
}

let client: FakeClient
let connection: Connection

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  client = new FakeClient()
  connection = new Connection(client, { where: 'h:1', deadline: DEADLINE, maxPending: 3 })
})

afterEach(() => {
  vi.useRealTimers()
})

describe('a call while the connection is down', () => {
  it('waits for the connection, within its deadline', async () => {
    const outcome = outcomeOf(connection.call(READ))
    await pass(DEADLINE - 1)
    expect(outcome).toEqual({})
    client.up()
    client.sent[0]?.answer('late'.length)
    await pass(0)
    expect(outcome).toEqual({ reply: 4 })
  })

  it('fails at its deadline, and was certainly not applied', async () => {
    const outcome = outcomeOf(connection.call(WRITE))
    await pass(DEADLINE)
    expect(outcome.error).toBeInstanceOf(StoreUnavailableError)
    expect(outcome.error?.applied).toBe('no')
  })

  it('that failed is not sent when the connection comes', async () => {
    outcomeOf(connection.call(WRITE))
    await pass(DEADLINE)
    client.up()
    expect(client.sent).toEqual([])
  })

  it('fails at once when it has been down for longer than a deadline', async () => {
    client.down()
    await pass(DEADLINE + 1)
    const outcome = outcomeOf(connection.call(WRITE))
    await pass(0)
    expect(outcome.error?.message).toContain('ECONNREFUSED')
    expect(outcome.error?.applied).toBe('no')
  })

  it('fails at once when no waiting mends it', async () => {
    const waiting = outcomeOf(connection.call(READ))
    client.down(new ErrorReply('WRONGPASS invalid username-password pair or user is disabled.'))
    const later = outcomeOf(connection.call(READ))
    await pass(0)
    expect(waiting.error?.message).toContain('WRONGPASS')
    expect(later.error?.message).toContain('WRONGPASS')
  })
})

describe('a call whose answer does not come', () => {
  beforeEach(() => client.up())

  it('fails at its deadline; a write may have arrived, a read changes nothing', async () => {
    const [write, read] = [outcomeOf(connection.call(WRITE)), outcomeOf(connection.call(READ))]
    await pass(DEADLINE)
    expect(write.error?.applied).toBe('unknown')
    expect(read.error?.applied).toBe('no')
  })

  it('each has its own deadline', async () => {
    const first = outcomeOf(connection.call(READ))
    await pass(400)
    const second = outcomeOf(connection.call(READ))
    await pass(600)
    expect(first.error).toBeDefined()
    expect(second.error).toBeUndefined()
    await pass(400)
    expect(second.error).toBeDefined()
  })

  it('I2: a write that was sent fails when the connection is lost, and is never sent again', async () => {
    const outcome = outcomeOf(connection.call(WRITE))
    client.down()
    await pass(0)
    client.up()
    expect(outcome.error?.applied).toBe('unknown')
    expect(client.sent).toEqual([])
  })

  it('a read that was sent is sent again on the next connection, within its deadline', async () => {
    const outcome = outcomeOf(connection.call(READ))
    client.down()
    await pass(500)
    client.up()
    expect(client.sent).toHaveLength(1)
    client.sent[0]?.answer(null)
    await pass(0)
    expect(outcome).toEqual({ reply: null })
  })

  it('what the client could not send waits for the next connection', async () => {
    const outcome = outcomeOf(connection.call(WRITE))
    client.ready = false
    client.sent.shift()?.fail(new NotSentError('not connected'))
    await pass(10)
    expect(outcome).toEqual({})
    client.up()
    expect(client.sent.map(({ command }) => command)).toEqual([WRITE.command])
  })

  it('an answer after the deadline is ignored', async () => {
    const outcome = outcomeOf(connection.call(READ))
    await pass(DEADLINE)
    client.sent[0]?.answer(1)
    await pass(0)
    expect(outcome.error).toBeDefined()
    expect(outcome.reply).toBeUndefined()
  })

  it('counts as an outage from when it was due: the next call fails at once when the connection is lost', async () => {
    outcomeOf(connection.call(READ))
    await pass(DEADLINE + 1)
    client.down(new Error('socket timeout'))
    const next = outcomeOf(connection.call(READ))
    await pass(0)
    expect(next.error?.message).toContain('socket timeout')
  })
})

describe('a server that refuses', () => {
  beforeEach(() => client.up())

  it.each([
    'OOM command not allowed',
    "READONLY You can't write",
    'LOADING Redis is loading',
    'NOAUTH Authentication required.',
    'NOPERM this user',
    'MISCONF Redis is',
    "ERR unknown command 'EVALSHA'",
  ])('%s: was certainly not applied', async (message) => {
    const outcome = outcomeOf(connection.call(WRITE))
    client.sent[0]?.fail(new ErrorReply(message))
    await pass(0)
    expect(outcome.error?.applied).toBe('no')
  })

  it.each(['ERR something inside a script', 'upstream failure', ''])(
    'with %j, which may come after the fact: is unknown',
    async (message) => {
      const outcome = outcomeOf(connection.call(WRITE))
      client.sent[0]?.fail(new ErrorReply(message))
      await pass(0)
      expect(outcome.error?.applied).toBe('unknown')
    },
  )

  it('a script that it does not know is sent whole, once, with the same deadline', async () => {
    const outcome = outcomeOf(connection.call({ command: ['EVALSHA'], unknownScript: ['EVAL'], write: true }))
    await pass(600)
    client.sent[0]?.fail(new ErrorReply('NOSCRIPT No matching script.'))
    await pass(0)
    expect(client.sent.map(({ command }) => command)).toEqual([['EVALSHA'], ['EVAL']])
    expect(connection.commands).toBe(2)
    await pass(400)
    expect(outcome.error?.applied).toBe('unknown')
  })
})

describe('a connection', () => {
  it('I13: refuses what exceeds maxPending, at once', async () => {
    const outcomes = Array.from({ length: 4 }, () => outcomeOf(connection.call(WRITE)))
    await pass(0)
    expect(outcomes.map(({ error }) => error?.applied)).toEqual([undefined, undefined, undefined, 'no'])
    expect(outcomes[3]?.error?.message).toContain('maxPending')
  })

  it('that is being closed answers what is under way, refuses the rest, and leaves no timer', async () => {
    client.up()
    const sent = outcomeOf(connection.call(READ))
    const closing = connection.close()
    const late = outcomeOf(connection.call(READ))
    await pass(0)
    expect(client.closed).toBe(false)
    client.sent[0]?.answer(7)
    await closing
    expect(sent).toEqual({ reply: 7 })
    expect(late.error?.message).toContain('closed')
    expect(client.closed).toBe(true)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('that is being closed while the server hangs closes at the deadline', async () => {
    client.up()
    const hanging = outcomeOf(connection.call(WRITE))
    const closing = connection.close()
    await pass(DEADLINE)
    await closing
    expect(hanging.error?.applied).toBe('unknown')
    expect(client.closed).toBe(true)
  })

  it('that is being closed while it is down closes at once', async () => {
    const waiting = outcomeOf(connection.call(WRITE))
    await connection.close()
    expect(waiting.error?.applied).toBe('no')
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('an error that Redis answered', () => {
  it('I8: names no key and no argument, because it ends in logs', () => {
    const unknown = new ErrorReply(
      "ERR unknown command 'EVALSHA', with args beginning with: 'f00' '1' 'hf:AbCdEfGhIjKlMnOpQrStUvWx' ",
    )
    expect(unknown.message).toBe("ERR unknown command 'EVALSHA'")
    const denied = new ErrorReply("NOPERM User shop has no permissions to access the 'hf:AbCdEfGhIjKlMnOpQrStUvWx' key")
    expect(denied.message).not.toContain('AbCdEf')
    expect(denied.code).toBe('NOPERM')
  })
})

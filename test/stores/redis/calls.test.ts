import { setImmediate as turn } from 'node:timers/promises'

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { StoreUnavailableError } from '../../../src/errors.ts'
import { Calls, type Confirmed, type TrackedReply } from '../../../src/stores/redis/calls.ts'
import type {
  Channel,
  ConfirmedWrite,
  Deployment,
  DeploymentWatcher,
  Route,
} from '../../../src/stores/redis/deployment.ts'
import { type Command, ErrorReply, NotSentError, type Reply } from '../../../src/stores/redis/link.ts'

const DEADLINE = 1000
const READ = { command: ['GET', 'k'], key: 'k', write: false }
const WRITE = { command: ['SET', 'k', 'v'], key: 'k', write: true }

interface Sent {
  readonly command: Command
  answer(reply: Reply): void
  fail(error: Error): void
}

/** Somebody to send commands to, who does what the test says. */
class FakeRoute implements Route {
  answers = 0
  wasSilent = 0
  readonly sent: Sent[] = []
  readonly toConfirm: ConfirmedWrite[] = []

  heard(): void {
    this.answers += 1
  }

  silent(): void {
    this.wasSilent += 1
  }

  send(command: Command): Promise<Reply> {
    return new Promise((answer, fail) => this.sent.push({ command, answer, fail }))
  }

  confirm(write: ConfirmedWrite): void {
    this.toConfirm.push(write)
  }
}

/** One that tells of changes. */
class TellingRoute extends FakeRoute {
  tells = true

  track(): Channel {
    return { tells: () => this.tells }
  }
}

/** A deployment that is as the test says. */
class FakeDeployment implements Deployment {
  readonly where = 'h:1'
  server: FakeRoute = new FakeRoute()
  ready = false
  closed = false
  instead: Route | undefined
  readonly refusals: string[] = []
  #since = performance.now()
  #cause = new Error('no answer yet')
  #watcher: DeploymentWatcher | undefined

  start(watcher: DeploymentWatcher): void {
    this.#watcher = watcher
  }

  route(): Route | undefined {
    return this.ready ? this.server : undefined
  }

  outage(): { since: number; cause: Error } {
    return { since: this.#since, cause: this.#cause }
  }

  refused(_by: Route, _key: string, refusal: ErrorReply): Route | undefined {
    this.refusals.push(refusal.code)
    return this.instead
  }

  async close(): Promise<void> {
    this.closed = true
  }

  get sent(): Sent[] {
    return this.server.sent
  }

  up(): void {
    this.ready = true
    this.#watcher?.changed()
  }

  down(cause = new Error('connect ECONNREFUSED'), since = performance.now()): void {
    if (this.ready) this.#since = since
    this.ready = false
    this.#cause = cause
    this.#watcher?.changed()
    for (const { fail } of this.sent.splice(0)) fail(new Error('the connection was closed'))
  }
}

/** What became of a call, as soon as it is known. */
interface Outcome {
  reply?: Reply | Confirmed | TrackedReply
  error?: StoreUnavailableError
}

function outcomeOf(promise: Promise<Reply | Confirmed | TrackedReply>): Outcome {
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

let redis: FakeDeployment
let calls: Calls

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  redis = new FakeDeployment()
  calls = new Calls(redis, { deadline: DEADLINE, maxPending: 3 })
})

afterEach(() => {
  vi.useRealTimers()
})

describe('a call while nobody can be asked', () => {
  it('waits for the connection, within its deadline', async () => {
    const outcome = outcomeOf(calls.call(READ))
    await pass(DEADLINE - 1)
    expect(outcome).toEqual({})
    redis.up()
    redis.sent[0]?.answer('late'.length)
    await pass(0)
    expect(outcome).toEqual({ reply: 4 })
  })

  it('fails at its deadline, and was certainly not applied', async () => {
    const outcome = outcomeOf(calls.call(WRITE))
    await pass(DEADLINE)
    expect(outcome.error).toBeInstanceOf(StoreUnavailableError)
    expect(outcome.error?.applied).toBe('no')
  })

  it('that failed is not sent when the connection comes', async () => {
    outcomeOf(calls.call(WRITE))
    await pass(DEADLINE)
    redis.up()
    expect(redis.sent).toEqual([])
  })

  it('fails at once when it has been down for longer than a deadline', async () => {
    redis.down()
    await pass(DEADLINE + 1)
    const outcome = outcomeOf(calls.call(WRITE))
    await pass(0)
    expect(outcome.error?.message).toContain('ECONNREFUSED')
    expect(outcome.error?.applied).toBe('no')
  })

  it('fails at once when no waiting mends it', async () => {
    const waiting = outcomeOf(calls.call(READ))
    redis.down(new ErrorReply('WRONGPASS invalid username-password pair or user is disabled.'))
    const later = outcomeOf(calls.call(READ))
    await pass(0)
    expect(waiting.error?.message).toContain('WRONGPASS')
    expect(later.error?.message).toContain('WRONGPASS')
  })
})

describe('a call whose answer does not come', () => {
  beforeEach(() => redis.up())

  it('fails at its deadline; a write may have arrived, a read changes nothing', async () => {
    const [write, read] = [outcomeOf(calls.call(WRITE)), outcomeOf(calls.call(READ))]
    await pass(DEADLINE)
    expect(write.error?.applied).toBe('unknown')
    expect(read.error?.applied).toBe('no')
  })

  it('each has its own deadline', async () => {
    const first = outcomeOf(calls.call(READ))
    await pass(400)
    const second = outcomeOf(calls.call(READ))
    await pass(600)
    expect(first.error).toBeDefined()
    expect(second.error).toBeUndefined()
    await pass(400)
    expect(second.error).toBeDefined()
  })

  it('I2: a write that was sent fails when the connection is lost, and is never sent again', async () => {
    const outcome = outcomeOf(calls.call(WRITE))
    redis.down()
    await pass(0)
    redis.up()
    expect(outcome.error?.applied).toBe('unknown')
    expect(redis.sent).toEqual([])
  })

  it('a read that was sent is sent again on the next connection, within its deadline', async () => {
    const outcome = outcomeOf(calls.call(READ))
    redis.down()
    await pass(500)
    redis.up()
    expect(redis.sent).toHaveLength(1)
    redis.sent[0]?.answer(null)
    await pass(0)
    expect(outcome).toEqual({ reply: null })
  })

  it('what the client could not send waits for the next connection', async () => {
    const outcome = outcomeOf(calls.call(WRITE))
    redis.ready = false
    redis.sent.shift()?.fail(new NotSentError('not connected'))
    await pass(10)
    expect(outcome).toEqual({})
    redis.up()
    expect(redis.sent.map(({ command }) => command)).toEqual([WRITE.command])
  })

  it('an answer after the deadline is ignored', async () => {
    const outcome = outcomeOf(calls.call(READ))
    await pass(DEADLINE)
    redis.sent[0]?.answer(1)
    await pass(0)
    expect(outcome.error).toBeDefined()
    expect(outcome.reply).toBeUndefined()
  })

  it('counts as an outage from when it was due: the next call fails at once when the connection is lost', async () => {
    outcomeOf(calls.call(READ))
    await pass(DEADLINE + 1)
    expect(redis.server.wasSilent).toBe(1)
    redis.down(new Error('socket timeout'), performance.now() - DEADLINE)
    const next = outcomeOf(calls.call(READ))
    await pass(0)
    expect(next.error?.message).toContain('socket timeout')
  })
})

describe('a server that refuses', () => {
  beforeEach(() => redis.up())

  it.each([
    'OOM command not allowed',
    'NOAUTH Authentication required.',
    'NOPERM this user',
    'MISCONF Redis is',
    "ERR unknown command 'EVALSHA'",
  ])('%s: was certainly not applied', async (message) => {
    const outcome = outcomeOf(calls.call(WRITE))
    redis.sent[0]?.fail(new ErrorReply(message))
    await pass(0)
    expect(outcome.error?.applied).toBe('no')
  })

  it.each(['ERR something inside a script', 'upstream failure', ''])(
    'with %j, which may come after the fact: is unknown',
    async (message) => {
      const outcome = outcomeOf(calls.call(WRITE))
      redis.sent[0]?.fail(new ErrorReply(message))
      await pass(0)
      expect(outcome.error?.applied).toBe('unknown')
    },
  )

  it('a script that it does not know is sent whole, once, with the same deadline', async () => {
    const outcome = outcomeOf(calls.call({ command: ['EVALSHA'], unknownScript: ['EVAL'], key: 'k', write: true }))
    await pass(600)
    redis.sent[0]?.fail(new ErrorReply('NOSCRIPT No matching script.'))
    await pass(0)
    expect(redis.sent.map(({ command }) => command)).toEqual([['EVALSHA'], ['EVAL']])
    expect(calls.commands).toBe(2)
    await pass(400)
    expect(outcome.error?.applied).toBe('unknown')
  })
})

describe('a command that was refused, and is sent again', () => {
  beforeEach(() => redis.up())

  it.each(['MOVED 1 h:2', 'ASK 1 h:2'])('%s: goes to whom the answer names, at once', async (message) => {
    const other = new FakeRoute()
    redis.instead = other
    const outcome = outcomeOf(calls.call(WRITE))
    redis.sent[0]?.fail(new ErrorReply(message))
    await pass(0)
    expect(other.sent.map(({ command }) => command)).toEqual([WRITE.command])
    other.sent[0]?.answer(1)
    await pass(0)
    expect(outcome).toEqual({ reply: 1 })
    expect(calls.commands).toBe(2)
  })

  it('MOVED, by two who name each other: pauses after the third time, and ends as not applied', async () => {
    redis.instead = redis.server
    const outcome = outcomeOf(calls.call(WRITE))
    for (let passed = 0; passed <= DEADLINE; passed += 5) {
      for (const { fail } of redis.sent.splice(0)) fail(new ErrorReply('MOVED 1 h:2'))
      await pass(5)
    }
    expect(outcome.error?.message).toContain('MOVED')
    expect(outcome.error?.applied).toBe('no')
    expect(calls.commands).toBeLessThan(15)
  })

  it.each(['TRYAGAIN Multiple keys', 'CLUSTERDOWN The cluster is down', 'NOREPLICAS Not enough', 'BUSY Redis is busy'])(
    '%s: is sent again after a pause, and nobody notices',
    async (message) => {
      const outcome = outcomeOf(calls.call(WRITE))
      redis.sent.shift()?.fail(new ErrorReply(message))
      await pass(20)
      expect(redis.sent).toEqual([])
      await pass(10)
      redis.sent[0]?.answer(1)
      await pass(0)
      expect(outcome).toEqual({ reply: 1 })
    },
  )

  it.each(["READONLY You can't write", 'LOADING Redis is loading', 'MASTERDOWN Link with MASTER is down'])(
    '%s: waits until somebody serves',
    async (message) => {
      const outcome = outcomeOf(calls.call(WRITE))
      redis.ready = false
      redis.sent.shift()?.fail(new ErrorReply(message))
      await pass(500)
      expect(redis.refusals).toHaveLength(1)
      expect(redis.sent).toEqual([])
      redis.up()
      redis.sent[0]?.answer(1)
      await pass(0)
      expect(outcome).toEqual({ reply: 1 })
    },
  )

  it('and refused until its deadline was certainly not applied', async () => {
    const outcome = outcomeOf(calls.call(WRITE))
    for (let passed = 0; passed <= DEADLINE; passed += 5) {
      for (const { fail } of redis.sent.splice(0)) fail(new ErrorReply('NOREPLICAS Not enough good replicas'))
      await pass(5)
    }
    expect(outcome.error?.message).toContain('NOREPLICAS')
    expect(outcome.error?.applied).toBe('no')
    expect(calls.commands).toBeLessThan(10)
  })

  it('and whose answer is lost then is not sent a third time', async () => {
    const outcome = outcomeOf(calls.call(WRITE))
    redis.sent.shift()?.fail(new ErrorReply('CLUSTERDOWN The cluster is down'))
    await pass(30)
    redis.down()
    await pass(0)
    redis.up()
    expect(outcome.error?.applied).toBe('unknown')
    expect(redis.sent).toEqual([])
  })
})

describe('a write that replicas are to confirm', () => {
  beforeEach(() => redis.up())

  /** Begins one, and answers what was made of it. */
  function begin(request: typeof WRITE & { unknownScript?: Command } = WRITE): {
    outcome: Outcome
    write: ConfirmedWrite
  } {
    const outcome = outcomeOf(calls.confirmed(request))
    return { outcome, write: redis.server.toConfirm.at(-1) as ConfirmedWrite }
  }

  it.each([true, false])('tells whether they did: %s', async (durable) => {
    const { outcome, write } = begin()
    write.sent()
    write.answered(1)
    await pass(0)
    expect(outcome).toEqual({})
    write.confirmed(durable)
    await pass(0)
    expect(outcome).toEqual({ reply: { reply: 1, durable } })
    expect(calls.commands).toBe(1)
  })

  it('is not durable at its deadline, where the server has answered and the replicas have not', async () => {
    const { outcome, write } = begin()
    write.sent()
    write.answered(1)
    await pass(DEADLINE)
    expect(outcome).toEqual({ reply: { reply: 1, durable: false } })
    write.confirmed(true)
    await pass(0)
    expect(outcome).toEqual({ reply: { reply: 1, durable: false } })
  })

  it('that was never sent was not applied, and is not wanted after its deadline', async () => {
    const { outcome, write } = begin()
    await pass(DEADLINE - 1)
    expect(write.wanted()).toBe(true)
    await pass(1)
    expect(outcome.error?.applied).toBe('no')
    expect(write.wanted()).toBe(false)
  })

  it('that was sent and has no answer is unknown', async () => {
    const { outcome, write } = begin()
    write.sent()
    await pass(DEADLINE)
    expect(outcome.error?.applied).toBe('unknown')
    expect(redis.server.wasSilent).toBe(0)
  })

  it('that was refused or not sent is sent again, and one whose answer was lost is not', async () => {
    const { outcome, write } = begin()
    write.failed(new NotSentError('not connected'))
    await pass(30)
    expect(redis.server.toConfirm).toHaveLength(2)
    redis.server.toConfirm[1]?.sent()
    redis.server.toConfirm[1]?.failed(new ErrorReply('TRYAGAIN Multiple keys'))
    await pass(30)
    expect(redis.server.toConfirm).toHaveLength(3)
    redis.server.toConfirm[2]?.sent()
    redis.server.toConfirm[2]?.failed(new Error('the connection was closed'))
    await pass(300)
    expect(redis.server.toConfirm).toHaveLength(3)
    expect(outcome.error?.applied).toBe('unknown')
  })

  it('is a script that is sent whole, so that it needs not be sent twice', () => {
    expect(begin({ ...WRITE, unknownScript: ['EVAL'] }).write.command).toEqual(['EVAL'])
  })
})

describe('calls', () => {
  it('I13: refuses what exceeds maxPending, at once', async () => {
    const outcomes = Array.from({ length: 4 }, () => outcomeOf(calls.call(WRITE)))
    await pass(0)
    expect(outcomes.map(({ error }) => error?.applied)).toEqual([undefined, undefined, undefined, 'no'])
    expect(outcomes[3]?.error?.message).toContain('maxPending')
  })

  it('that is being closed answers what is under way, refuses the rest, and leaves no timer', async () => {
    redis.up()
    const sent = outcomeOf(calls.call(READ))
    const closing = calls.close()
    const late = outcomeOf(calls.call(READ))
    await pass(0)
    expect(redis.closed).toBe(false)
    redis.sent[0]?.answer(7)
    await closing
    expect(sent).toEqual({ reply: 7 })
    expect(late.error?.message).toContain('closed')
    expect(redis.closed).toBe(true)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('that is being closed while the server hangs closes at the deadline', async () => {
    redis.up()
    const hanging = outcomeOf(calls.call(WRITE))
    const closing = calls.close()
    await pass(DEADLINE)
    await closing
    expect(hanging.error?.applied).toBe('unknown')
    expect(redis.closed).toBe(true)
  })

  it('that wait because they were refused are ended when all is closed', async () => {
    redis.up()
    const paused = outcomeOf(calls.call(WRITE))
    redis.sent[0]?.fail(new ErrorReply('TRYAGAIN Multiple keys'))
    await pass(0)
    await calls.close()
    expect(paused.error?.applied).toBe('no')
    expect(vi.getTimerCount()).toBe(0)
  })

  it('that is being closed while it is down closes at once', async () => {
    const waiting = outcomeOf(calls.call(WRITE))
    await calls.close()
    expect(waiting.error?.applied).toBe('no')
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('a tracked read', () => {
  it('is as tracked as where it was answered, when it was answered', async () => {
    const telling = new TellingRoute()
    redis.server = telling
    redis.up()
    const [tracked, untold] = [outcomeOf(calls.tracked(READ)), outcomeOf(calls.tracked(READ))]
    telling.sent[0]?.answer(null)
    await pass(0)
    telling.tells = false
    telling.sent[1]?.answer(null)
    await pass(0)
    expect([tracked.reply, untold.reply]).toEqual([
      { reply: null, tracked: true },
      { reply: null, tracked: false },
    ])
  })

  it.each(['MOVED 1 h:2', 'ASK 1 h:2'])('%s: is not, where whom the answer names does not tell', async (message) => {
    const [telling, other] = [new TellingRoute(), new FakeRoute()]
    redis.server = telling
    redis.instead = other
    redis.up()
    const outcome = outcomeOf(calls.tracked(READ))
    telling.sent[0]?.fail(new ErrorReply(message))
    await pass(0)
    other.sent[0]?.answer(null)
    await pass(0)
    expect(outcome.reply).toEqual({ reply: null, tracked: false })
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

/** Each step towards telling of changes, and what is told when one fails. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { setImmediate as turn } from 'node:timers/promises'

import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'

import { Calls, type TrackedReply } from '../../../src/stores/redis/calls.ts'
import { ErrorReply, type Reply } from '../../../src/stores/redis/link.ts'
import { Server } from '../../../src/stores/redis/server.ts'
import { Single } from '../../../src/stores/redis/single.ts'
import { type FakeLink, fakeLinks, info } from './fake-links.ts'

const DEADLINE = 1000
const ID = 7
const WELL = info({ run_id: 'one', role: 'master', master_replid: 'h1' })
const OK = Buffer.from('OK')

let fake: ReturnType<typeof fakeLinks>
let calls: Calls
let told: string[]

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  fake = fakeLinks()
  told = []
  const single = new Single(
    { host: 'h', port: 1 },
    { open: fake.open, deadline: DEADLINE, replicas: 0, keysMove: false },
  )
  calls = new Calls(
    single,
    { deadline: DEADLINE, maxPending: 100 },
    { keyChanged: (key) => told.push(key), untracked: () => told.push('untracked') },
  )
  line(0).serve()
  await pass(0)
})

afterEach(() => vi.useRealTimers())

/** The link of this number. */
function line(number: number): FakeLink {
  const link = fake.links[number]
  if (link === undefined) throw new Error(`there are ${fake.links.length} links`)
  return link
}

async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms)
  for (let turns = 0; turns < 3; turns++) await turn()
}

/** A tracked read, and its answer when there is one. */
function ask(): { answer?: TrackedReply } {
  const asked: { answer?: TrackedReply } = {}
  void calls.tracked({ command: ['GET', 'k'], key: 'k', write: false }).then((answer) => (asked.answer = answer))
  return asked
}

/** A tracked read that is answered on this link: whether it was tracked. */
async function isTracked(link: FakeLink): Promise<boolean | undefined> {
  const asked = ask()
  link.answerNext('GET', null)
  await pass(0)
  return asked.answer?.tracked
}

/** The one that listens is up and subscribed; what it is told of itself. */
async function subscribed(link: FakeLink, id: Reply = ID, server: Reply = WELL): Promise<void> {
  link.up()
  link.answerNext('INFO', server)
  link.answerNext('CLIENT', id)
  link.answerNext('subscribe', 1)
  await pass(0)
}

/** The line is told whom to tell, and says so. */
async function redirected(link: FakeLink, id: Reply = ID): Promise<void> {
  link.answerNext('CLIENT', OK)
  link.answerNext('CLIENT', id)
  await pass(0)
}

/** All of it, from the first read on. */
async function armed(): Promise<void> {
  await isTracked(line(0))
  await subscribed(line(1))
  await redirected(line(0))
}

describe('a read', () => {
  it('is tracked when the server had said that it tracks before the read was sent, not after', async () => {
    expect(await isTracked(line(0))).toBe(false)
    await subscribed(line(1))
    expect(line(0).sent.map(({ command }) => command.join(' '))).toEqual([
      `CLIENT TRACKING ON REDIRECT ${ID}`,
      'CLIENT GETREDIR',
    ])
    const before = ask()
    await redirected(line(0))
    line(0).answerNext('GET', null)
    await pass(0)
    expect(before.answer).toEqual({ reply: null, tracked: false })
    expect(await isTracked(line(0))).toBe(true)
    expect(told).toEqual([])
  })

  it('that is under way when the channel breaks is not tracked, and the break is told', async () => {
    await armed()
    const asked = ask()
    line(1).down(new Error('the connection was closed'))
    expect(told).toEqual(['untracked'])
    line(0).answerNext('GET', null)
    await pass(0)
    expect(asked.answer?.tracked).toBe(false)
  })

  it('whose answer was lost is as tracked as it was when it was sent again', async () => {
    await armed()
    const asked = ask()
    line(0).down(new Error('the connection was closed'))
    await pass(60)
    expect(told).toEqual(['untracked'])
    line(2).serve()
    await pass(60)
    const again = line(2).sent.findIndex(({ command }) => command[0] === 'GET')
    expect(again).toBeGreaterThanOrEqual(0)
    // Already before its answer.
    await subscribed(line(3), ID + 1)
    await redirected(line(2), ID + 1)
    line(2).answerNext('GET', null)
    await pass(0)
    expect(asked.answer?.tracked).toBe(false)
    expect(await isTracked(line(2))).toBe(true)
  })

  it('after the line was made anew is not tracked before the new line is', async () => {
    await armed()
    line(0).down(new Error('the connection was closed'))
    await pass(60)
    line(2).serve()
    await pass(60)
    expect(line(1).closed).toBe(true)
    expect(await isTracked(line(2))).toBe(false)
    await subscribed(line(3), ID + 1)
    expect(await isTracked(line(2))).toBe(false)
    await redirected(line(2), ID + 1)
    expect(await isTracked(line(2))).toBe(true)
  })
})

describe('what is told', () => {
  it('are keys, as long as the one that listens is there', async () => {
    await armed()
    line(1).hear('hf:a')
    line(1).hear('')
    expect(told).toEqual(['hf:a', 'untracked'])
    expect(await isTracked(line(0))).toBe(true)
    line(1).down(new Error('the connection was closed'))
    line(1).hear('hf:b')
    expect(told).toEqual(['hf:a', 'untracked', 'untracked'])
  })

  it.each<[string, () => Promise<void>]>([
    ['the one that listens does not answer', () => answered(0)],
    ['the line does not answer', () => answered(1)],
    ['the server would tell somebody else', () => answered(0, 1, -1)],
    ['the role changes', async () => line(0).answerNext('INFO', info({ run_id: 'one', role: 'slave' }))],
    [
      'another history begins',
      async () => {
        await answered(0, 1)
        await pass(200)
        line(0).answerNext('INFO', info({ run_id: 'one', role: 'master', master_replid: 'h2' }))
      },
    ],
    [
      'the server refuses',
      async () => void calls.call({ command: ['GET', 'k'], key: 'k', write: false }).catch(String),
    ],
  ])('is once that all may be old, because %s', async (what, happens) => {
    await armed()
    await pass(300)
    if (what.includes('role')) await pass(200)
    await happens()
    if (what === 'the server refuses') line(0).answerNext('GET', new ErrorReply('LOADING Redis is loading'))
    await pass(500)
    expect(told).toEqual(['untracked'])
  })

  it('is nothing while both ends answer', async () => {
    await armed()
    for (let times = 0; times < 20; times++) {
      await pass(300)
      await answered(0, 1)
      if (line(0).waiting.includes('INFO')) line(0).answerNext('INFO', WELL)
    }
    expect(told).toEqual([])
    expect(await isTracked(line(0))).toBe(true)
  })

  it('is nothing for the time that this process itself was busy', async () => {
    await armed()
    await pass(300)
    // The limit is over, and the answers are read in the same turn.
    vi.advanceTimersByTime(500)
    await answered(0, 1)
    expect(told).toEqual([])
  })

  it('is nothing where the turn in which both ends are asked is long: what is asked leaves at its end', async () => {
    await armed()
    vi.advanceTimersByTime(900)
    await turn()
    await answered(0, 1)
    expect(told).toEqual([])
    await pass(300)
    await pass(500)
    expect(told).toEqual(['untracked'])
  })
})

describe('what fails on the way', () => {
  it.each<[string, () => Promise<void>]>([
    ['another server listens', () => subscribed(line(1), ID, info({ run_id: 'two' }))],
    [
      'the one that listens is gone already',
      async () => {
        await subscribed(line(1))
        line(0).answerNext('CLIENT', new ErrorReply('ERR The client ID you want redirect to does not exist'))
        line(0).answerNext('CLIENT', -1)
      },
    ],
    [
      'the server would tell somebody else',
      async () => {
        await subscribed(line(1))
        await redirected(line(0), -1)
      },
    ],
    ['it cannot connect', async () => line(1).down(new Error('connect ECONNREFUSED'))],
    ['it does not connect', () => pass(DEADLINE)],
  ])('is tried again soon: %s', async (_, happens) => {
    await isTracked(line(0))
    await happens()
    await pass(0)
    expect(await isTracked(line(0))).toBe(false)
    await pass(60)
    await subscribed(fake.last(), 8)
    await redirected(line(0), 8)
    expect(await isTracked(line(0))).toBe(true)
    expect(told).toEqual([])
  })

  it('is tried again after a minute where the server refuses, which is said once', async () => {
    const said: unknown[] = []
    const listener = (message: unknown): void => void said.push(message)
    subscribe('holdfast:store', listener)
    onTestFinished(() => void unsubscribe('holdfast:store', listener))
    const refuse = async (): Promise<void> => {
      fake.last().up()
      fake.last().answerNext('subscribe', new ErrorReply('NOPERM no permissions'))
      await pass(0)
      expect(fake.last().closed).toBe(true)
    }
    await isTracked(line(0))
    await refuse()
    expect(fake.links).toHaveLength(2)
    for (let passed = 0; passed < 59_000; passed += 400) {
      await pass(400)
      if (line(0).waiting.includes('INFO')) line(0).answerNext('INFO', WELL)
    }
    expect(fake.links).toHaveLength(2)
    await pass(400)
    if (line(0).waiting.includes('INFO')) line(0).answerNext('INFO', WELL)
    await pass(800)
    expect(fake.links).toHaveLength(3)
    await refuse()
    expect(said).toHaveLength(1)
  })

  it('is not tried again each time that the server serves again', async () => {
    await armed()
    for (let times = 0; times < 20; times++) {
      const refused = calls.call({ command: ['SET', 'k', 'v'], key: 'k', write: true })
      refused.catch(() => undefined)
      line(0).answerNext('SET', new ErrorReply('NOREPLICAS Not enough good replicas to write.'))
      await pass(25)
      line(0).answerNext('INFO', WELL)
      await pass(10)
    }
    expect(fake.links.length).toBeLessThan(8)
    expect(told).toEqual(['untracked'])
  })

  it('is tried again ever more rarely, until both ends have answered', async () => {
    await isTracked(line(0))
    const waits: number[] = []
    for (let times = 0; times < 6; times++) {
      const link = fake.last()
      await subscribed(link)
      await redirected(line(0))
      link.down(new Error('the connection was closed'))
      let waited = 0
      for (; fake.last() === link; waited += 10) {
        await pass(10)
        if (line(0).waiting.includes('INFO')) line(0).answerNext('INFO', WELL)
      }
      waits.push(waited)
    }
    expect(waits.at(-1)! / waits[0]!).toBeGreaterThan(10)
  })
})

describe('a server that is left', () => {
  it('is told of at once, although what is under way is still answered', async () => {
    fake = fakeLinks()
    const watcher = {
      serves: () => undefined,
      fails: () => undefined,
      keyChanged: () => undefined,
      untracked: () => told.push('untracked'),
    }
    const settings = { open: fake.open, deadline: DEADLINE, replicas: 0, keysMove: false }
    const server = new Server({ host: 'h', port: 1 }, settings, watcher)
    server.hurry()
    line(0).serve()
    await pass(0)
    expect(server.track()).toBeUndefined()
    await subscribed(line(1))
    await redirected(line(0))
    const channel = server.track()
    expect(channel?.tells(null)).toBe(true)
    void server.leave()
    expect(told).toEqual(['untracked'])
    expect([channel?.tells(null), server.track()]).toEqual([false, undefined])
  })
})

describe('keys that may come to be at another server', () => {
  it('are tracked while they are there: one that is made elsewhere is not told of here', async () => {
    fake = fakeLinks()
    const settings = { open: fake.open, deadline: DEADLINE, replicas: 0, keysMove: true }
    const [serves, fails, keyChanged, untracked] = [ignore, ignore, ignore, ignore]
    const server = new Server({ host: 'h', port: 1 }, settings, { serves, fails, keyChanged, untracked })
    server.hurry()
    line(0).serve()
    await pass(0)
    server.track()
    await subscribed(line(1))
    await redirected(line(0))
    expect([server.track()?.tells(null), server.track()?.tells(OK)]).toEqual([false, true])
  })
})

function ignore(): void {
  return undefined
}

/** Whether each end is asked, and these answer. */
async function answered(...ends: readonly [number, ...number[]]): Promise<void> {
  const [first, second, id = ID] = ends
  if (second !== undefined || first === 1) line(1).answerNext('ping', OK)
  if (second !== undefined || first === 0) line(0).answerNext('CLIENT', id)
  await pass(0)
}

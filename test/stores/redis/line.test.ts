import { setImmediate as turn } from 'node:timers/promises'

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { Line } from '../../../src/stores/redis/line.ts'
import { ErrorReply } from '../../../src/stores/redis/link.ts'
import { fakeLinks } from './fake-links.ts'

const DEADLINE = 1000
/** How often a line asks how its server stands. */
const WATCH = 500

let fake: ReturnType<typeof fakeLinks>
let told: string[]
let line: Line

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  fake = fakeLinks()
  told = []
  const watcher = { serves: () => void told.push('serves'), fails: () => void told.push('fails') }
  line = new Line({ host: 'h', port: 1 }, { open: fake.open, deadline: DEADLINE, watchful: true }, watcher)
})

afterEach(() => vi.useRealTimers())

/** Lets time pass, and what is due happen. */
async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms)
  await turn()
}

async function serving(fields?: Readonly<Record<string, string>>): Promise<void> {
  line.hurry()
  fake.last().serve(fields)
  await pass(0)
}

describe('a line', () => {
  it('is used once its server has said that it is a primary', async () => {
    line.hurry()
    fake.last().up()
    await pass(0)
    expect(line.ready).toBe(false)
    fake.last().serve()
    await pass(0)
    expect(line.ready).toBe(true)
    expect(line.outage).toBeUndefined()
    expect(told).toEqual(['serves'])
  })

  it('is not used while its server is a replica, which is left and asked again', async () => {
    await serving({ role: 'slave' })
    expect(line.ready).toBe(false)
    expect(line.outage?.cause.message).toContain('is a replica')
    await pass(100)
    expect(fake.links).toHaveLength(2)
    fake.last().serve()
    await pass(0)
    expect(line.ready).toBe(true)
  })

  it('is not used while its server loads its data, and asks until it has', async () => {
    await serving({ loading: '1' })
    expect(line.outage?.cause.message).toContain('loads its data')
    await pass(100)
    fake.last().serve()
    await pass(0)
    expect(line.ready).toBe(true)
    expect(fake.links).toHaveLength(1)
  })

  it('notices within a second that its server has become a replica', async () => {
    await serving()
    await pass(WATCH)
    fake.last().serve({ role: 'slave' })
    await pass(0)
    expect(line.ready).toBe(false)
    expect(told).toEqual(['serves', 'fails'])
  })

  it('takes a server that may not be asked for a primary, and one that is full for none', async () => {
    line.hurry()
    fake.last().up()
    fake.last().answerNext('INFO', new ErrorReply('NOPERM this user has no permissions'))
    await pass(0)
    expect(line.ready).toBe(true)
    fake.last().down()
    await pass(100)
    fake.last().up()
    fake.last().answerNext('INFO', new ErrorReply('ERR max number of clients reached'))
    await pass(0)
    expect(line.ready).toBe(false)
  })

  it('connects again when its link is lost, after longer and longer, at most a second', async () => {
    line.hurry()
    const counts: number[] = []
    for (let second = 0; second < 5; second++) {
      const before = fake.links.length
      for (let passed = 0; passed < 1000; passed += 10) {
        fake.last().down()
        await pass(10)
      }
      counts.push(fake.links.length - before)
    }
    expect(counts[0]).toBeGreaterThan(3)
    expect(counts[4]).toBeGreaterThanOrEqual(0)
    expect(counts[4]).toBeLessThan(3)
  })

  it('tries at once when it is told to hurry', async () => {
    line.hurry()
    fake.last().down()
    line.hurry()
    expect(fake.links).toHaveLength(2)
    line.hurry()
    expect(fake.links).toHaveLength(2)
  })

  it('remembers since when nobody serves, over several attempts', async () => {
    await serving()
    const since = performance.now()
    fake.last().down()
    await pass(60)
    fake.last().down(new Error('another reason'))
    expect(line.outage).toMatchObject({ since, cause: { message: 'another reason' } })
  })
})

describe('a server that is silent', () => {
  it('is given up a deadline after it was asked how it stands', async () => {
    await serving()
    const [link] = fake.links
    await pass(WATCH + DEADLINE - 1)
    expect(link?.closed).toBe(false)
    await pass(1)
    expect(link?.closed).toBe(true)
    expect(line.outage?.cause.message).toContain('no answer within 1000 ms')
    // From when it was asked.
    expect(performance.now() - (line.outage?.since ?? 0)).toBe(DEADLINE)
    await pass(100)
    expect(fake.links).toHaveLength(2)
  })

  it('is given up when those who call say so', async () => {
    await serving()
    line.silent()
    expect(line.ready).toBe(false)
    await pass(0)
    expect(fake.links[0]?.closed).toBe(true)
  })

  it('is not given up while it answers others', async () => {
    await serving()
    for (let passed = 0; passed < 5 * DEADLINE; passed += 100) {
      line.answers += 1
      await pass(100)
    }
    expect(fake.links).toHaveLength(1)
    expect(fake.links[0]?.closed).toBe(false)
  })
})

describe('a server that refuses', () => {
  it('as a replica is left at once, and what it was asked before is still answered', async () => {
    await serving()
    const [link] = fake.links
    const asked = line.send(['SET', 'k', 'v'])
    line.refused(new ErrorReply("READONLY You can't write against a read only replica."))
    expect(line.ready).toBe(false)
    expect(link?.closed).toBe(false)
    link?.answerNext('SET', 1)
    expect(await asked).toBe(1)
    await pass(DEADLINE)
    expect(link?.closed).toBe(true)
  })

  it('because it loads its data is asked again how it stands', async () => {
    await serving()
    line.refused(new ErrorReply('LOADING Redis is loading the dataset in memory'))
    expect(line.ready).toBe(false)
    await pass(50)
    fake.last().serve()
    await pass(0)
    expect(line.ready).toBe(true)
    expect(fake.links).toHaveLength(1)
  })
})

describe('a line that is closed', () => {
  it.each(['before it is begun', 'while it connects', 'while it serves', 'while it rests', 'while a link is left'])(
    '%s leaves no link and no timer, and tells nothing',
    async (when) => {
      if (when !== 'before it is begun') line.hurry()
      if (when === 'while it serves') fake.last().serve()
      if (when === 'while it rests') fake.last().down()
      if (when === 'while a link is left') fake.last().serve({ role: 'slave' })
      await pass(0)
      told = []
      await line.close()
      expect(fake.links.map(({ closed }) => closed)).toEqual(fake.links.map(() => true))
      expect(vi.getTimerCount()).toBe(0)
      line.hurry()
      await pass(5_000)
      expect(vi.getTimerCount()).toBe(0)
      expect(told).toEqual([])
    },
  )

  it('in peace gives what is under way the time of a deadline', async () => {
    await serving()
    const asked = line.send(['SET', 'k', 'v'])
    const left = line.leave()
    expect(line.ready).toBe(false)
    fake.last().answerNext('SET', 1)
    expect(await asked).toBe(1)
    await pass(DEADLINE)
    await left
    expect(fake.last().closed).toBe(true)
    expect(vi.getTimerCount()).toBe(0)
  })
})

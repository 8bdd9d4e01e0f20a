import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { Environment } from '../../../src/stores/lmdb/environment.ts'
import { Sweeper } from '../../../src/stores/lmdb/sweeper.ts'

let directory: string
let environment: Environment
let now = 1_000_000

beforeEach(async () => {
  directory = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'holdfast-sweeper-'))
  environment = await Environment.open(directory, 256 * 1024 ** 2)
})

afterEach(async () => {
  await environment.close()
  rmSync(directory, { recursive: true })
})

function sweeper(batch = 200): Sweeper {
  return new Sweeper(environment, { interval: 1_000, batch, now: () => now })
}

async function put(key: string, ttl: number): Promise<void> {
  await environment.change(key, now, 'ordinary', () => ({
    answer: true,
    payload: new Uint8Array(100),
    expires: now + ttl,
  }))
}

/** All keys in the expiry index. */
function indexed(): number {
  return environment.due(Number.MAX_SAFE_INTEGER, 1_000_000).length
}

describe('the sweeper', () => {
  it('I12: removes what has expired, with its place in the index, and nothing else', async () => {
    await Promise.all(Array.from({ length: 500 }, (_, at) => put(`r${at}`, at % 2 === 0 ? 100 : 10_000)))
    now += 1_000
    expect(await sweeper(50).sweep()).toBe(250)
    expect(environment.read('r0')).toBeUndefined()
    expect(environment.read('r1')).toBeDefined()
    // Of the 250 that stay, and its own turn.
    expect(indexed()).toBe(251)
    expect(await sweeper().sweep()).toBe(0)
  })

  it('leaves an entry whose expiry was moved, and finds it at its new time', async () => {
    await put('r1', 100)
    await put('r1', 5_000)
    now += 1_000
    const only = sweeper()
    expect(await only.sweep()).toBe(1)
    expect(environment.read('r1')).toBeDefined()
    now += 5_000
    await only.sweep()
    expect(environment.read('r1')).toBeUndefined()
  })

  it('finds an entry whose expiry was brought nearer', async () => {
    await put('r1', 100_000)
    await put('r1', 100)
    now += 1_000
    await sweeper().sweep()
    expect(environment.read('r1')).toBeUndefined()
    expect(indexed()).toBe(1)
  })

  it('leaves nothing behind after random changes', async () => {
    const only = sweeper(7)
    for (let round = 0; round < 40; round++) {
      const ttl = [50, 500, 5_000][round % 3]!
      await Promise.all(Array.from({ length: 20 }, (_, at) => put(`r${(at * 7 + round) % 33}`, ttl + at)))
      now += 40
      if (round % 5 === 0) await only.sweep()
    }
    now += 1_000_000
    await only.sweep()
    for (let at = 0; at < 33; at++) expect(environment.read(`r${at}`)).toBeUndefined()
    expect(indexed()).toBe(1)
  })

  it('sweeps in one process at a time; another takes over when the first is gone', async () => {
    const [first, second] = [sweeper(), sweeper()]
    await put('r1', 10)
    now += 100
    expect(await first.sweep()).toBe(1)
    await put('r2', 10)
    now += 100
    expect(await second.sweep()).toBe(0)
    expect(environment.read('r2')).toBeDefined()
    now += 60_000
    expect(await second.sweep()).toBeGreaterThan(0)
    expect(environment.read('r2')).toBeUndefined()
  })

  it('lets others have their turn after each batch while it removes 20 000 entries', async () => {
    for (let from = 0; from < 20_000; from += 1_000) {
      await Promise.all(Array.from({ length: 1_000 }, (_, at) => put(`r${from + at}`, 10)))
    }
    now += 100
    let turns = 0
    const turn = (): void => {
      turns++
      next = setImmediate(turn)
    }
    let next = setImmediate(turn)
    expect(await sweeper(200).sweep()).toBe(20_000)
    clearImmediate(next)
    expect(indexed()).toBe(1)
    // Others have a turn between any two batches.
    expect(turns).toBeGreaterThanOrEqual(20_000 / 200 - 1)
  })
})

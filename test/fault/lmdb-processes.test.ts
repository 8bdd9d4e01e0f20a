/** Several processes on one LMDB store: nothing is lost between them, and none can be killed at a moment that hurts. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { lmdbStore } from 'holdfast/lmdb'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import type { Selector, Store } from '../../src/core/store.ts'
import { parseBootId, readDataFile } from '../../src/stores/lmdb/data-file.ts'
import { openTables } from '../../src/stores/lmdb/tables.ts'
import { walkPages } from '../../src/stores/lmdb/page-walk.ts'
import { writeOf } from '../programs/lmdb-records.ts'

const WRITER = fileURLToPath(new URL('../../build/test/programs/lmdb-writer.js', import.meta.url))
const SHARED = 'shared'.padEnd(24, '-') as Selector
const WRITERS = 4
const KILLS = 200
const ADDITIONS = 20_000
const TIME_LIMIT = 25_000
/** Milliseconds that reads of a few records never take, on a machine however busy: who waits for a stopped process waits for good. */
const BLOCKED = 2_000

let directory: string

beforeEach(() => {
  // In memory, where commits are quick, so that many are under way when one is killed.
  directory = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'holdfast-processes-'))
})

afterEach(() => rmSync(directory, { recursive: true }))

interface Writer {
  readonly child: ChildProcess
  readonly opened: Promise<void>
  readonly closed: Promise<{ code: number | null; signal: string | null }>
}

function startWriter(name: string, additions: string, hear: (line: string) => void): Writer {
  const child = spawn(process.execPath, [WRITER, directory, name, additions], { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })
  const opened = new Promise<void>((resolve) => {
    lines.on('line', (line) => (line === 'open' ? resolve() : hear(line)))
    child.on('exit', () => resolve())
  })
  const closed = new Promise<{ code: number | null; signal: string | null }>((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal }))
  })
  return { child, opened, closed }
}

/** What the processes were told by the store. */
class Acknowledged {
  added = 0
  lines = 0
  readonly own = new Map<Selector, number>()
  readonly began = new Set<Selector>()
  readonly ended = new Set<Selector>()
  readonly leases: string[] = []

  hear(line: string): void {
    this.lines += 1
    // A selector has no spaces; a line cut off by the kill has no end, and is not heard.
    const [what, key = '', count = ''] = line.split(' ')
    if (what === 'added') this.added += 1
    else if (what === 'own') this.own.set(key as Selector, Math.max(Number(count), this.own.get(key as Selector) ?? 0))
    else if (what === 'began') this.began.add(key as Selector)
    else if (what === 'ended') this.ended.add(key as Selector)
    else if (what === 'lease') this.leases.push(key)
  }
}

/** How many acknowledged writes are not there any more. Anything that was never written is a failure at once. */
async function lostOf(store: Store, known: Acknowledged, kills: number): Promise<number> {
  let lost = known.leases.length - new Set(known.leases).size
  for (const [key, count] of known.own) lost += Math.max(0, count - writeOf((await store.load(key))!))
  for (const key of known.began) {
    const found = await store.load(key)
    if (found === undefined || (known.ended.has(key) && found[0] !== 0)) lost += 1
    else if (found[0] === 1) writeOf(found)
  }
  const total = writeOf((await store.load(SHARED))!)
  // Each kill may have lost the answers of the three additions that were under way.
  expect(total).toBeLessThanOrEqual(known.added + 3 * (kills + WRITERS))
  return lost + Math.max(0, known.added - total)
}

async function faultInFile(): Promise<string | undefined> {
  const file = readFileSync(join(directory, 'data.mdb'))
  const bootId = parseBootId(readFileSync('/proc/sys/kernel/random/boot_id', 'latin1'))
  const snapshot = readDataFile(file.subarray(0, 0x20000), file.length, bootId)
  if (typeof snapshot === 'string') return snapshot
  return walkPages(snapshot, async (position, length) => file.subarray(position, position + length), Infinity)
}

describe('several processes on one store', () => {
  it('I2: four that add to one record, three at a time each, lose nothing', async () => {
    const known = new Acknowledged()
    const writers = ['a', 'b', 'c', 'd'].map((name) => startWriter(name, '60', (line) => known.hear(line)))
    for (const { closed } of writers) expect(await closed).toEqual({ code: 0, signal: null })
    const store = lmdbStore(directory)
    await store.open()
    expect(writeOf((await store.load(SHARED))!)).toBe(4 * 3 * 60)
    expect(known.added).toBe(4 * 3 * 60)
    await store.close()
  })

  it('I2: lose nothing of what one writes while others open the store and close it again', async () => {
    const { child, opened } = startWriter('a', String(ADDITIONS), () => {})
    await opened
    // Below the store, which would look at the file first: what is shown is in the opening itself.
    while (child.exitCode === null && child.signalCode === null) {
      const { root, gate } = await openTables(directory, 1024 ** 3)
      await root.close()
      await gate.close()
      // The closing alone lets no event through.
      await pause(0)
    }
    const store = lmdbStore(directory)
    await store.open()
    expect(writeOf((await store.load(SHARED))!)).toBe(3 * ADDITIONS)
    await store.close()
  })

  it('I7: see at once what one of them has committed, within the same turn of the event loop', async () => {
    const store = lmdbStore(directory)
    await store.open()
    expect(store.load(SHARED)).toBeUndefined()
    execFileSync(process.execPath, [WRITER, directory, 'other', '5'])
    expect(writeOf((await store.load(SHARED))!)).toBe(15)
    await store.close()
  })

  it('I6: go on reading while one of them is stopped in the middle of its writing', async () => {
    const known = new Acknowledged()
    const store = lmdbStore(directory)
    await store.open()
    const { child, opened, closed } = startWriter('a', '', (line) => known.hear(line))
    await opened
    for (let round = 0; round < 10; round++) {
      await pause(10 + Math.random() * 10)
      child.kill('SIGSTOP')
      const begun = performance.now()
      for (const [key, count] of known.own) expect(writeOf((await store.load(key))!)).toBeGreaterThanOrEqual(count)
      expect(performance.now() - begun).toBeLessThan(BLOCKED)
      child.kill('SIGCONT')
    }
    child.kill('SIGKILL')
    await closed
    expect(known.own.size).toBeGreaterThan(0)
    await store.close()
  })

  it(`I1, I2, I3: killed at random moments, ${KILLS} times or for ${TIME_LIMIT / 1_000} s, they leave the file whole, and lose nothing that was acknowledged`, async () => {
    const known = new Acknowledged()
    const until = performance.now() + TIME_LIMIT
    let kills = 0
    const slot = async (name: string): Promise<void> => {
      for (let life = 0; kills < KILLS && performance.now() < until; life++) {
        const { child, opened, closed } = startWriter(`${name}${life}`, '', (line) => known.hear(line))
        // Some before they have opened the store, most in the middle of their writing.
        if (life % 8 === 0) await pause(30 + Math.random() * 60)
        else await opened.then(() => pause(Math.random() * 60))
        child.kill('SIGKILL')
        kills += 1
        expect(await closed).toEqual({ code: null, signal: 'SIGKILL' })
      }
    }
    await Promise.all(Array.from({ length: WRITERS }, (_, at) => slot(`w${at}-`)))
    expect(await faultInFile()).toBeUndefined()
    const store = lmdbStore(directory)
    await store.open()
    const lost = await lostOf(store, known, kills)
    await store.close()
    console.log(`${kills} kills; ${known.lines} acknowledgements, ${known.ended.size} of them ends, ${lost} lost`)
    expect(lost).toBe(0)
    expect(kills).toBeGreaterThan(40)
  })
})

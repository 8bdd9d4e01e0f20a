/**
 * Fills the disk that a store is on and ends visits until that is refused too, while another process holds on to how the
 * store was: what ends let go of cannot be used again then. Prints one line of JSON.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeSync } from 'node:fs'

import type { Selector } from 'holdfast'
import { lmdbStore } from 'holdfast/lmdb'

import { record } from './lmdb-records.js'

const [path = '', role = 'ends'] = process.argv.slice(2)
const LONG = 3_600_000
/** Refusals in a row after which the store is taken for full. */
const ENOUGH = 300
const AT_ONCE = 20

function visit(number: number): Selector {
  return `visit-${number}`.padEnd(24, '-') as Selector
}

if (role === 'holds') await holdOn()
else await endAll()

/** Freezes in the middle of a read, whose transaction stays open, until it is killed. */
async function holdOn(): Promise<void> {
  const store = lmdbStore({ path })
  await store.open()
  void store.load(visit(0))
  writeSync(1, 'held')
  process.kill(process.pid, 'SIGSTOP')
}

async function endAll(): Promise<void> {
  const store = lmdbStore({ path })
  await store.open()
  const numbers = await fill((number) => store.create(visit(number), record(number, 1_000), LONG))
  const holder = spawn(process.execPath, [process.argv[1] as string, path, 'holds'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(holder.stdout, 'data')
  const ends = await count(numbers, async (number) => store.end(visit(number), Uint8Array.of(0, 0), LONG))
  const readable = await count(numbers, async (number) => {
    if ((await store.load(visit(number))) === undefined) throw new Error(`${visit(number)} is gone`)
  })
  holder.kill('SIGKILL')
  await once(holder, 'exit')
  await store.close()
  process.stdout.write(`${JSON.stringify({ stored: numbers.length, ends, readable })}\n`)
}

async function fill(create: (number: number) => unknown): Promise<number[]> {
  const numbers: number[] = []
  for (let next = 0, failures = 0; failures < ENOUGH && next < 100_000; next += 1) {
    try {
      await create(next)
      numbers.push(next)
      failures = 0
    } catch {
      failures += 1
    }
  }
  return numbers
}

/** A few at once, until so many in a row were refused. */
async function count(
  numbers: readonly number[],
  attempt: (number: number) => PromiseLike<unknown>,
): Promise<Readonly<Record<string, number>>> {
  const outcomes: Record<string, number> = {}
  let failures = 0
  for (let at = 0; at < numbers.length && failures < ENOUGH; at += AT_ONCE) {
    const settled = await Promise.allSettled(numbers.slice(at, at + AT_ONCE).map((number) => attempt(number)))
    for (const result of settled) {
      const { code, applied } = (result.status === 'rejected' ? result.reason : {}) as {
        code?: string
        applied?: string
      }
      const outcome = result.status === 'rejected' ? `${code} ${applied}` : 'done'
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
      failures = result.status === 'rejected' ? failures + 1 : 0
    }
  }
  return outcomes
}

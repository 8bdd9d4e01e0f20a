/** Fills the disk that a store is on, and looks what still works. Prints one line of JSON. */
import type { Selector } from 'holdfast'
import { lmdbStore } from 'holdfast/lmdb'

import { record, writeOf } from './lmdb-records.js'

const [path = '', mapSize = '1073741824'] = process.argv.slice(2)
const unhandled: string[] = []
process.on('unhandledRejection', (error) => unhandled.push(String(error)))

const LONG = 3_600_000
const codes = new Map<string, number>()
const stored: number[] = []
const refused: number[] = []

function visit(number: number): Selector {
  return `visit-${number}`.padEnd(24, '-') as Selector
}

function note(error: unknown): void {
  const details = error as { code?: string; applied?: string }
  const what = `${details.code} ${details.applied}`
  codes.set(what, (codes.get(what) ?? 0) + 1)
}

async function count(numbers: readonly number[], attempt: (number: number) => Promise<boolean>): Promise<number> {
  const results = await Promise.allSettled(numbers.map(attempt))
  for (const result of results) if (result.status === 'rejected') note(result.reason)
  return results.filter((result) => result.status === 'fulfilled' && result.value).length
}

const store = lmdbStore({ path, mapSize: Number(mapSize) })
await store.open()

/** Several at once, as requests come, until a hundred in a row were refused. */
async function fill(): Promise<void> {
  for (let next = 0, failures = 0; failures < 100 && next < 50_000; next += 5) {
    const batch = [0, 1, 2, 3, 4].map((at) => next + at)
    const swaps = await Promise.allSettled(
      batch.map(async (number) => store.create(visit(number), record(number, 1_000), LONG)),
    )
    for (const [at, swap] of swaps.entries()) {
      if (swap.status === 'fulfilled') stored.push(batch[at]!)
      else refused.push(batch[at]!)
      if (swap.status === 'rejected') note(swap.reason)
      failures = swap.status === 'rejected' ? failures + 1 : 0
    }
  }
}

async function isWhole(number: number): Promise<boolean> {
  const found = await store.load(visit(number))
  return found !== undefined && writeOf(found) === number
}

await fill()
const whole = await count(stored, isWhole)
const absent = await count(refused, async (number) => (await store.load(visit(number))) === undefined)
const toEnd = stored.slice(0, 300)
let ended = 0
// One by one: each in a transaction of its own.
for (const number of toEnd)
  ended += await count([number], async () => (await store.end(visit(number), Uint8Array.of(0, 0), LONG)).done)
const markers = await count(toEnd, async (number) => (await store.load(visit(number)))?.[0] === 0)
const barred = (await store.bar('ada', LONG)).notBefore > 0
const others = await count(stored.slice(300), isWhole)
await store.close()

const again = lmdbStore({ path, mapSize: Number(mapSize) })
await again.open()
const after = await count(stored.slice(300), async (number) => writeOf((await again.load(visit(number)))!) === number)
await again.close()
await new Promise((resolve) => setTimeout(resolve, 50))
process.stdout.write(
  `${JSON.stringify({ stored: stored.length, refused: refused.length, codes: Object.fromEntries(codes), whole, absent, toEnd: toEnd.length, ended, markers, barred, others, after, unhandled })}\n`,
)

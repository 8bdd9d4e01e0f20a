/** Takes all the room that a store on LMDB has: a process of its own, on which the same limit lies. */
import type { Selector } from 'holdfast'
import { lmdbStore } from 'holdfast/lmdb'

import { record } from '../../test/programs/lmdb-records.ts'

const [path = ''] = process.argv.slice(2)
/**
 * Bytes, and how many at once: room that is too little for large records, or for many, may do for a small one. Large ones
 * need pages in a row; one of 3000 bytes takes a page alone, so that a file whose free pages lie scattered is soon full.
 */
const ROUNDS = [
  { size: 20_000, atOnce: 10 },
  { size: 3_000, atOnce: 10 },
  { size: 200, atOnce: 10 },
  { size: 200, atOnce: 1 },
] as const
/** Milliseconds. */
const LIFETIME = 600_000
const MOST = 100_000

const store = lmdbStore({ path })
await store.open()
let next = 0
for (const { size, atOnce } of ROUNDS) while (await hasRoomFor(size, atOnce));
await store.close()

async function hasRoomFor(size: number, atOnce: number): Promise<boolean> {
  if (next > MOST) throw new Error(`${path} took ${next} records, and is not full`)
  const some = await Promise.allSettled(Array.from({ length: atOnce }, () => fill(size)))
  return some.every(({ status }) => status === 'fulfilled')
}

async function fill(size: number): Promise<unknown> {
  const number = next++
  return store.create(`${process.pid}-${number}`.padEnd(24, '-') as Selector, record(number, size), LIFETIME)
}

/**
 * One of several servers on a store, to be killed at any moment. It adds to records of its own and to one that
 * all share, begins and ends visits, and tells on its standard output, line by line and at once, what the store
 * acknowledged. Arguments: directory, name, and how many additions to make (none: until it is killed).
 */
import { writeSync } from 'node:fs'

import type { Selector, Store } from 'holdfast'
import { lmdbStore } from 'holdfast/lmdb'

import { record, writeOf } from './lmdb-records.js'

const [path = '', name = '', additions = ''] = process.argv.slice(2)
const LONG = 3_600_000
const store = lmdbStore({ path, sweepInterval: 20 })

function tell(line: string): void {
  writeSync(1, `${line}\n`)
}

function selector(text: string): Selector {
  return text.padEnd(24, '-') as Selector
}

/** Adds one to the record's number, as often as it takes to be the one who does. */
async function add(key: Selector): Promise<number> {
  for (;;) {
    const found = await store.load(key)
    if (found === undefined) {
      if ((await store.create(key, record(1, 200), LONG)).done) return 1
      continue
    }
    const next = writeOf(found) + 1
    if ((await store.replace(key, found.subarray(1, 9), record(next, 200 + (next % 300)), LONG)).done) return next
  }
}

async function visitAndEnd(opened: Store, number: number): Promise<void> {
  const visit = selector(`${name}-${number}`)
  await opened.create(visit, record(number, 400), number % 3 === 0 ? 30 : LONG)
  await opened.enroll(`user of ${name}`, visit, LONG)
  if (number % 3 === 0) return
  tell(`began ${visit}`)
  if (number % 2 === 0) return
  await opened.end(visit, Uint8Array.of(0, 1), LONG)
  tell(`ended ${visit}`)
}

/** A number of additions, and nothing else. */
async function addUp(times: number): Promise<void> {
  for (let round = 0; round < times; round++) {
    await add(selector('shared'))
    tell('added')
  }
}

async function work(lane: number): Promise<void> {
  for (let round = 0; ; round++) {
    if (round % 4 === 0) await addUp(1)
    const own = selector(`own-${name}-${lane}`)
    tell(`own ${own} ${await add(own)}`)
    await visitAndEnd(store, lane * 1_000_000 + round)
    tell(`lease ${await store.nextLease()}`)
  }
}

await store.open()
tell('open')
// Several at once, as in a server.
await Promise.all([0, 1, 2].map((lane) => (additions === '' ? work(lane) : addUp(Number(additions)))))
await store.close()

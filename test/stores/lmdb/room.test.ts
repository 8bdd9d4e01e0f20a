/** I13: no write is begun that might meet the end of the disk within LMDB. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'

import { Room } from '../../../src/stores/lmdb/room.ts'

const PAGE = 4_096
const SIZE = 4 * 1024 * 1024
/** Of a write of a few bytes. */
const COST = 8 * PAGE

/** Of a file that cannot grow, in which so many pages are free. */
async function room(free: number): Promise<Room> {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-room-'))
  writeFileSync(join(directory, 'data.mdb'), new Uint8Array(SIZE))
  const opened = await Room.open(directory, 0, () => ({ end: SIZE - free * PAGE, pageSize: PAGE }))
  onTestFinished(async () => {
    await opened.close()
    rmSync(directory, { recursive: true })
  })
  return opened
}

it('takes what is new while a mebibyte is left beyond it', async () => {
  expect(await (await room(256 + 8)).take(1, false)).toBe(COST)
  const full = await room(256 + 7)
  expect(await full.take(1, false)).toBe(0)
  expect(full.failure).toBeInstanceOf(RangeError)
})

it('takes an end while 64 pages are left beyond it, which nothing may use', async () => {
  expect(await (await room(64 + 8)).take(1, true)).toBe(COST)
  expect(await (await room(64 + 7)).take(1, true)).toBe(0)
})

it('counts what the writes on their way may take', async () => {
  const shared = await room(64 + 16)
  const taken = await Promise.all([shared.take(1, true), shared.take(1, true), shared.take(1, true)])
  expect(taken).toEqual([COST, COST, 0])
  for (const one of taken) shared.giveBack(one)
  expect(await shared.take(1, true)).toBe(COST)
})

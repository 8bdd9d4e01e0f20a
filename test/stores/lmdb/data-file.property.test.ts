/** The check of LMDB's data file, on its own: it is pure, so it can be shown very many damaged files. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { lmdbStore } from 'holdfast/lmdb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import type { Selector } from '../../../src/core/store.ts'
import { parseBootId, readDataFile, type FileFault, type Snapshot } from '../../../src/stores/lmdb/data-file.ts'
import { walkPages } from '../../../src/stores/lmdb/page-walk.ts'
import { record } from '../../../src/testing/store-contract/harness.ts'

const PAGE = 4_096
const FAULTS: unknown[] = ['truncated', 'garbage', 'other-version']
const META_FIELDS = 168

let directory: string
let file: Uint8Array
let bootId: bigint

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-data-file-'))
  const store = lmdbStore(directory)
  await store.open()
  for (let at = 0; at < 300; at++) {
    const body = new Uint8Array(at % 50 === 0 ? 20_000 : 250).fill(at)
    await store.create(`visit-${at}`.padEnd(24, '-') as Selector, record(at, { body }), 3_600_000)
  }
  await store.close()
  file = readFileSync(join(directory, 'data.mdb'))
  bootId = parseBootId(readFileSync('/proc/sys/kernel/random/boot_id', 'latin1'))
})

afterAll(() => rmSync(directory, { recursive: true }))

function look(bytes: Uint8Array, size = bytes.length): Snapshot | FileFault {
  return readDataFile(bytes.subarray(0, 0x20000), size, bootId)
}

async function lookDeeper(bytes: Uint8Array): Promise<FileFault | undefined> {
  const snapshot = look(bytes)
  if (typeof snapshot === 'string') return snapshot
  return walkPages(snapshot, async (position, length) => bytes.slice(position, position + length), 5_000)
}

/** Where the last page ends that can be reached. */
async function endOfUse(): Promise<number> {
  let end = 0
  const read = async (position: number, length: number): Promise<Uint8Array> => {
    end = Math.max(end, position + length)
    return file.slice(position, position + length)
  }
  await walkPages(look(file) as Snapshot, read, Infinity)
  return end
}

/** Whatever it says, LMDB would map nothing outside of what the file claims to be. */
function expectVerdict(verdict: Snapshot | FileFault): void {
  if (typeof verdict === 'string') {
    expect(FAULTS).toContain(verdict)
    return
  }
  expect(verdict.pages).toBeGreaterThanOrEqual(2n)
  for (const root of verdict.roots) expect(root === undefined || (root >= 2n && root < verdict.pages)).toBe(true)
}

describe('the check of the data file', () => {
  it('finds nothing wrong with a file that LMDB wrote', async () => {
    expect(look(file)).toMatchObject({ pageSize: PAGE })
    expect(await lookDeeper(file)).toBeUndefined()
  })

  it('begins after a new start of the machine with what was surely on the disk', () => {
    const [now, later] = [look(file), readDataFile(file, file.length, bootId + 1n)]
    if (typeof now === 'string' || typeof later === 'string') throw new Error('refused')
    expect(later.transaction).toBeLessThanOrEqual(now.transaction)
  })

  it('calls a file truncated wherever it was cut off below its last page in use', async () => {
    const end = await endOfUse()
    for (let size = 1; size < end; size += 997) expect(await lookDeeper(file.subarray(0, size))).toBe('truncated')
    expect(await lookDeeper(file.subarray(0, end - 1))).toBe('truncated')
  })

  it('lets a file pass that only lacks free pages at its end, as LMDB itself may leave it', async () => {
    const end = await endOfUse()
    expect(end).toBeLessThan(file.length)
    expect(await lookDeeper(file.subarray(0, end))).toBeUndefined()
  })

  it('tells a file of another version of LMDB from garbage', () => {
    for (const page of [0, PAGE]) {
      const other = file.slice()
      new DataView(other.buffer).setUint32(page + 28, 999, true)
      expect(look(other)).toBe('other-version')
    }
  })

  it('stands 10 000 files with bits flipped in the meta pages', () => {
    const places = fc.array(fc.tuple(fc.constantFrom(0, PAGE / 2, PAGE), fc.nat(META_FIELDS - 1), fc.nat(7)), {
      minLength: 1,
      maxLength: 4,
    })
    fc.assert(
      fc.property(places, (flips) => {
        const damaged = file.slice(0, 2 * PAGE)
        for (const [page, byte, bit] of flips) damaged[page + 24 + byte] = damaged[page + 24 + byte]! ^ (1 << bit)
        expectVerdict(look(damaged, file.length))
      }),
      { numRuns: 10_000 },
    )
  })

  it('stands 10 000 files with numbers of any size in the meta pages', () => {
    const edits = fc.array(
      fc.tuple(fc.constantFrom(0, PAGE / 2, PAGE), fc.nat(20), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })),
      { minLength: 1, maxLength: 4 },
    )
    fc.assert(
      fc.property(edits, fc.nat(), (numbers, size) => {
        const damaged = file.slice(0, 2 * PAGE)
        const view = new DataView(damaged.buffer)
        for (const [page, field, value] of numbers) view.setBigUint64(page + 24 + field * 8, value, true)
        expectVerdict(look(damaged, size))
      }),
      { numRuns: 10_000 },
    )
  })

  it('stands 10 000 beginnings of anything at all, and calls them garbage', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 512 }), fc.nat(), (bytes, size) => {
        expect(FAULTS).toContain(look(bytes, size))
      }),
      { numRuns: 10_000 },
    )
  })

  it('stands 2 000 files with garbage anywhere in their pages', async () => {
    const spot = fc.tuple(
      fc.nat(file.length / PAGE - 1),
      fc.nat(PAGE - 1),
      fc.uint8Array({ minLength: 1, maxLength: 64 }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(spot, { minLength: 1, maxLength: 3 }), async (spots) => {
        const damaged = file.slice()
        for (const [page, offset, bytes] of spots) damaged.set(bytes.subarray(0, PAGE - offset), page * PAGE + offset)
        expect([...FAULTS, undefined]).toContain(await lookDeeper(damaged))
      }),
      { numRuns: 2_000 },
    )
  })
})

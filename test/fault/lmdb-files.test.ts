/** Files that LMDB must not be shown. They are opened in processes of their own, because what gets through may kill. */
import { spawn } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { lmdbStore } from 'holdfast/lmdb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import type { Selector } from '../../src/core/store.ts'
import { parseBootId, readDataFile, type Snapshot } from '../../src/stores/lmdb/data-file.ts'
import { record, randomBytesFrom } from '../programs/lmdb-records.ts'

const OPENER = fileURLToPath(new URL('../../build/test/programs/lmdb-opener.js', import.meta.url))
const PAGE = 4_096
const BOOT_ID = parseBootId(readFileSync('/proc/sys/kernel/random/boot_id', 'latin1'))

interface Report {
  readonly directory?: string
  readonly outcome?: string
  readonly message?: string
  readonly unhandled?: string
}

let root: string
let sound: string

beforeAll(async () => {
  root = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'holdfast-files-'))
  chmodSync(root, 0o755)
  sound = join(root, 'sound')
  const store = lmdbStore(sound)
  await store.open()
  for (let visit = 0; visit < 300; visit++) {
    const size = visit % 50 === 0 ? 20_000 : 250
    await store.create(`visit-${visit}`.padEnd(24, '-') as Selector, record(visit, size), 3_600_000)
  }
  await store.close()
  // Without the room that the store keeps ready at the end: what is damaged here shall matter.
  const file = join(sound, 'data.mdb')
  const snapshot = readDataFile(readFileSync(file).subarray(0, 0x20000), statSync(file).size, BOOT_ID) as Snapshot
  truncateSync(file, Number(snapshot.pages) * PAGE)
})

afterAll(() => rmSync(root, { recursive: true }))

let copies = 0

/** A copy of the sound store, to be damaged. */
function copy(change: (file: string, directory: string) => void): string {
  copies += 1
  const directory = join(root, `copy-${copies}`)
  cpSync(sound, directory, { recursive: true })
  change(join(directory, 'data.mdb'), directory)
  return directory
}

/** Opens each in one process, which must live on. */
async function openAll(directories: string[], options: { uid?: number; program?: string } = {}): Promise<Report[]> {
  const child = spawn(process.execPath, [options.program ?? OPENER, ...directories], {
    stdio: ['ignore', 'pipe', 'ignore'],
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve) =>
    child.on('close', (...end) => resolve(end)),
  )
  const reports = output
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Report)
  expect({ code, signal, last: code === 0 ? undefined : reports.at(-1) }).toEqual({
    code: 0,
    signal: null,
    last: undefined,
  })
  expect(reports.filter((report) => report.unhandled)).toEqual([])
  return reports.filter((report) => report.outcome !== undefined)
}

async function open(directory: string, options?: { uid?: number; program?: string }): Promise<Report> {
  const [report] = await openAll([directory], options)
  return report!
}

describe('a store whose file is', () => {
  it('missing, with its directory, is made, for this user only', async () => {
    const directory = join(root, 'new', 'deep')
    expect(await open(directory)).toMatchObject({ outcome: 'open' })
    expect(statSync(directory).mode & 0o777).toBe(0o700)
    for (const name of ['data.mdb', 'lock.mdb', 'holdfast.json']) {
      expect([name, statSync(join(directory, name)).mode & 0o777]).toEqual([name, 0o600])
    }
  })

  it('missing though it was in use is refused: nobody is signed out by a slip of the hand', async () => {
    for (const directory of [copy((file) => rmSync(file)), copy((file) => truncateSync(file))]) {
      const { outcome, message } = await open(directory)
      expect(outcome).toBe('ERR_OPTIONS')
      expect(message).toContain(`${directory}/data.mdb is missing or empty`)
    }
  })

  it('unreadable is refused, with its name', async () => {
    // Root reads everything, and so has somebody else try.
    const [closed, who] = process.getuid?.() === 0 ? [0o600, { uid: 65_534 }] : [0o000, {}]
    const [dir, file] = [copy((_, directory) => chmodSync(directory, closed)), copy((data) => chmodSync(data, closed))]
    chmodSync(file, 0o755)
    chmodSync(join(file, 'holdfast.json'), 0o644)
    for (const directory of [dir, file]) {
      const { outcome, message } = await open(directory, who)
      expect(outcome).toBe('ERR_OPTIONS')
      expect(message).toContain(directory)
      expect(message).toContain('EACCES')
    }
    chmodSync(dir, 0o700)
  })

  it('no directory, or has a directory in its place, is refused', async () => {
    const file = join(root, 'a-file')
    writeFileSync(file, 'text')
    const inFile = join(file, 'store')
    const folder = copy((data) => {
      rmSync(data)
      mkdirSync(data)
    })
    for (const directory of [file, inFile, folder]) {
      const { outcome, message } = await open(directory)
      expect(outcome).toBe('ERR_OPTIONS')
      expect(message).toContain(directory)
    }
  })

  it('truncated, at any of 60 lengths, is refused, and none kills the process', async () => {
    const size = statSync(join(sound, 'data.mdb')).size
    const lengths = Array.from({ length: 60 }, (_, at) => 1 + Math.floor((at / 60) * (size - PAGE - 1)))
    const directories = lengths.map((length) => copy((file) => truncateSync(file, length)))
    const reports = await openAll(directories)
    expect(reports).toHaveLength(directories.length)
    for (const { outcome, message, directory } of reports) {
      // Where only free pages are missing at its end, the file is whole.
      if (outcome === 'open') continue
      expect(outcome).toBe('ERR_OPTIONS')
      expect(message).toContain(`${directory}/data.mdb is truncated`)
    }
    expect(reports.filter((report) => report.outcome === 'open').length).toBeLessThan(6)
  })

  it('garbage, in 40 kinds, is refused', async () => {
    const directories = Array.from({ length: 40 }, (_, seed) =>
      copy((file) =>
        writeFileSync(
          file,
          seed === 0 ? 'SQLite format 3\u0000'.padEnd(PAGE * 3, 'x') : randomBytesFrom(seed, seed * 700),
        ),
      ),
    )
    for (const { outcome, message, directory } of await openAll(directories)) {
      expect(outcome).toBe('ERR_OPTIONS')
      expect(message).toContain(`${directory}/data.mdb`)
    }
  })

  it('damaged in its meta pages, in 150 ways, is refused or works, and none kills the process', async () => {
    const directories = Array.from({ length: 150 }, (_, seed) =>
      copy((file) => damage(file, seed, [0, PAGE / 2, PAGE], 192)),
    )
    await expectRefusedOrOpen(directories)
  })

  it('damaged at the head of its pages, in 150 ways, is refused or works, and none kills the process', async () => {
    const pages = Array.from(
      { length: statSync(join(sound, 'data.mdb')).size / PAGE - 2 },
      (_, page) => (page + 2) * PAGE,
    )
    const directories = Array.from({ length: 150 }, (_, seed) => copy((file) => damage(file, seed, pages, 32)))
    await expectRefusedOrOpen(directories)
  })

  it('from a newer version is refused, and left as it was', async () => {
    const description = `${JSON.stringify({ store: 'holdfast', format: 2, ready: true })}\n`
    const directory = copy((_, place) => writeFileSync(join(place, 'holdfast.json'), description))
    const before = readFileSync(join(directory, 'data.mdb'))
    const { outcome, message } = await open(directory)
    expect(outcome).toBe('ERR_OPTIONS')
    expect(message).toContain('was written by a newer Holdfast (format 2; this one knows 1)')
    expect(readFileSync(join(directory, 'data.mdb')).equals(before)).toBe(true)
    expect(readFileSync(join(directory, 'holdfast.json'), 'utf8')).toBe(description)
  })

  it('of another version of LMDB is refused', async () => {
    const directory = copy((file) => {
      const bytes = readFileSync(file)
      for (const page of [0, PAGE]) bytes.writeUInt32LE(1, page + 28)
      writeFileSync(file, bytes)
    })
    expect((await open(directory)).message).toContain('another version of LMDB')
  })

  it('no Holdfast store, or one with its description lost or damaged, is refused', async () => {
    const lost = copy((_, directory) => rmSync(join(directory, 'holdfast.json')))
    expect((await open(lost)).message).toContain('no holdfast.json beside it')
    for (const text of [
      '',
      '{',
      'null',
      '[]',
      '{"format":1}',
      '{"store":"holdfast"}',
      '{"store":"holdfast","format":"1"}',
    ]) {
      const directory = copy((_, place) => writeFileSync(join(place, 'holdfast.json'), text))
      const { outcome, message } = await open(directory)
      expect(outcome).toBe('ERR_OPTIONS')
      expect(message).toContain('does not describe a Holdfast store')
    }
  })
})

it('without the package lmdb, the store says so and what to do', async () => {
  const lonely = join(root, 'lonely')
  mkdirSync(lonely)
  cpSync(fileURLToPath(new URL('../../dist', import.meta.url)), join(lonely, 'dist'), { recursive: true })
  const program = join(lonely, 'opener.mjs')
  const source = readFileSync(OPENER, 'utf8').replace(`'holdfast/lmdb'`, `'./dist/stores/lmdb.js'`)
  writeFileSync(join(lonely, 'package.json'), '{"type":"module"}')
  writeFileSync(program, source)
  const { outcome, message } = await open(join(lonely, 'store'), { program })
  expect(outcome).toBe('ERR_OPTIONS')
  expect(message).toContain('npm install lmdb')
})

async function expectRefusedOrOpen(directories: string[]): Promise<void> {
  const reports = await openAll(directories)
  expect(reports).toHaveLength(directories.length)
  for (const { outcome, message, directory } of reports) {
    expect(['open', 'ERR_OPTIONS', 'ERR_STORE_UNAVAILABLE']).toContain(outcome)
    if (outcome !== 'open') expect(message).toContain(directory)
    expect(existsSync(directory!)).toBe(true)
  }
}

/** Puts random bytes at a random place within so many bytes after one of the offsets. */
function damage(file: string, seed: number, offsets: number[], within: number): void {
  const bytes = readFileSync(file)
  const dice = randomBytesFrom(seed + 1, 16)
  const offset = offsets[dice.readUInt16LE(0) % offsets.length]!
  const length = 1 + (dice[2]! % 8)
  bytes.set(dice.subarray(3, 3 + length), offset + (dice.readUInt16LE(12) % within))
  writeFileSync(file, bytes)
}

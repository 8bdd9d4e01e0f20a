/** A full disk, and a store at its limit: writes fail with a typed error, reads and ends go on, nothing is half-written. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const FILLER = fileURLToPath(new URL('../../build/test/programs/lmdb-filler.js', import.meta.url))

let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-full-'))
})

afterEach(() => rmSync(directory, { recursive: true }))

/** Runs a command where a small file system in memory is mounted, which only that command sees. */
function onSmallDisk(size: string, place: string, command: readonly string[]): string[] {
  const user = process.getuid?.() === 0 ? '-m' : '-rm'
  return [user, 'sh', '-c', `mount -t tmpfs -o size=${size} none "$0" && exec "$@"`, place, ...command]
}

function mayMount(): boolean {
  const place = mkdtempSync(join(tmpdir(), 'holdfast-mount-'))
  try {
    return spawnSync('unshare', onSmallDisk('1m', place, ['true'])).status === 0
  } finally {
    rmSync(place, { recursive: true })
  }
}

interface Report {
  readonly stored: number
  readonly refused: number
  readonly codes: Readonly<Record<string, number>>
  readonly whole: number
  readonly absent: number
  readonly toEnd: number
  readonly ended: number
  readonly markers: number
  readonly barred: boolean
  readonly others: number
  readonly after: number
  readonly unhandled: readonly string[]
}

interface EndReport {
  readonly stored: number
  readonly ends: Readonly<Record<string, number>>
  readonly readable: Readonly<Record<string, number>>
}

function expectSound(report: Report): void {
  expect(report.stored).toBeGreaterThan(400)
  expect(report.refused).toBeGreaterThanOrEqual(100)
  // Every refusal is typed, and certain.
  expect(report.codes).toEqual({ 'ERR_STORE_UNAVAILABLE no': report.refused })
  expect(report.unhandled).toEqual([])
  expect([report.whole, report.absent]).toEqual([report.stored, report.refused])
  expect([report.ended, report.markers, report.barred]).toEqual([report.toEnd, report.toEnd, true])
  expect([report.others, report.after]).toEqual([report.stored - report.toEnd, report.stored - report.toEnd])
}

const canMount = mayMount()
if (!canMount) console.log('No right to mount a file system: the full disk is tried as a full store only.')

describe('a store that is full', () => {
  it.each(canMount ? ['4m', '5m', '7m'] : [])(
    'I3, I6, I13: on a disk of %s keeps what it has, refuses what is new, and ends visits',
    (size) => {
      const output = execFileSync(
        'unshare',
        onSmallDisk(size, directory, [process.execPath, FILLER, join(directory, 'store')]),
      )
      expectSound(JSON.parse(output.toString()) as Report)
    },
  )

  it.each(canMount ? ['6m', '12m'] : [])(
    'I3, I6, I13: on a disk of %s, while a frozen process keeps every page in use, refuses ends before LMDB meets the end of the disk',
    (size) => {
      const ender = FILLER.replace('filler', 'ender')
      const command = [process.execPath, ender, join(directory, 'store')]
      const { stdout, stderr, status } = spawnSync('unshare', onSmallDisk(size, directory, command))
      expect([status, stderr.toString()]).toEqual([0, ''])
      const { stored, ends, readable } = JSON.parse(stdout.toString()) as EndReport
      expect(Object.keys(ends).toSorted()).toEqual(['ERR_STORE_UNAVAILABLE no', 'done'])
      expect(ends['done']).toBeGreaterThan(25)
      expect(readable).toEqual({ done: stored })
    },
  )

  it('I3, I6, I13: at its mapSize keeps what it has, refuses what is new, and ends visits', () => {
    const output = execFileSync(process.execPath, [FILLER, join(directory, 'store'), '2000000'])
    expectSound(JSON.parse(output.toString()) as Report)
  })

  it.each(canMount ? ['512k'] : [])('on a disk of %s, without room for it, says so when it is opened', (size) => {
    const opener = FILLER.replace('filler', 'opener')
    const output = execFileSync(
      'unshare',
      onSmallDisk(size, directory, [process.execPath, opener, join(directory, 'store')]),
    )
    const report = JSON.parse(output.toString().trim().split('\n').at(-1)!) as { outcome: string; message: string }
    expect(report.outcome).toBe('ERR_STORE_UNAVAILABLE')
    expect(report.message).toContain('no space left on device')
  })
})

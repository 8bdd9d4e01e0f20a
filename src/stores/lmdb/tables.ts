/** Opens LMDB: the package, the file, its two tables. */
import type * as LmdbPackage from 'lmdb'
import { OptionsError, StoreUnavailableError } from '../../errors.ts'
import { codeOf, describeFailure } from './failure.ts'
import { openGate, type Gate } from './gate.ts'
import type { Usage } from './room.ts'

type Lmdb = typeof LmdbPackage

/** The open file; `entry.ts` says what is in the tables. */
export interface Tables {
  /** Held by whoever writes. */
  readonly gate: Gate
  readonly root: LmdbPackage.RootDatabase<Uint8Array, Buffer>
  readonly entries: LmdbPackage.Database<Uint8Array, string>
  readonly index: LmdbPackage.Database<Uint8Array, Buffer>
  /** The version of the entry that was read last. */
  readonly lastVersion: () => number
}

/** Keys are strings, written straight into LMDB's buffer. */
const UTF8_KEYS = {
  writeKey(key: string, target: Buffer, position: number): number {
    return position + target.write(key, position)
  },
  readKey(target: Buffer, start: number, end: number): string {
    return target.toString('utf8', start, end)
  },
}

/** What LMDB reports about a file that is damaged, of another version or not to be written: no waiting mends it. */
const LASTING: ReadonlySet<unknown> = new Set([-30796, -30795, -30794, -30793, 1, 13, 30])

/**
 * Opens the file in a directory that has been checked.
 *
 * @throws OptionsError when the package is missing, or LMDB refuses the file
 */
export async function openTables(directory: string, maxSize: number): Promise<Tables> {
  const lmdb = await importLmdb()
  let gate: Gate | undefined
  try {
    gate = openGate(lmdb, directory)
    const tables = gate.through(() => openFile(lmdb, directory, maxSize))
    return { gate, ...tables }
  } catch (error) {
    await gate?.close()
    const message = `LMDB cannot open ${directory}: ${describeFailure(error)}`
    if (LASTING.has(codeOf(error))) throw new OptionsError('store', message, { cause: error })
    throw new StoreUnavailableError(message, { cause: error })
  }
}

function openFile(lmdb: Lmdb, directory: string, maxSize: number): Omit<Tables, 'gate'> {
  const options = {
    path: directory,
    noSubdir: false,
    encoding: 'binary' as const,
    keyEncoding: 'binary' as const,
    mapSize: addressSpace(maxSize),
    // A write is acknowledged when it has been synced, so that no file has to be brought back to what was synced last.
    overlappingSync: false,
    // LMDB would begin each batch with a promise of its own that nobody can catch when the disk is full.
    eventTurnBatching: false,
    maxDbs: 4,
    maxReaders: 1_024,
    permissionsMode: 0o600,
  }
  const root = lmdb.open<Uint8Array, Buffer>(options)
  const keyed = { name: 'entries', encoding: 'binary' as const, useVersions: true, keyEncoder: UTF8_KEYS }
  const entries = root.openDB<Uint8Array, string>(keyed)
  const index = root.openDB<Uint8Array, Buffer>({ name: 'expiry', encoding: 'binary', keyEncoding: 'binary' })
  return { root, entries, index, lastVersion: lmdb.getLastVersion }
}

/** How much of the address space the file gets: it may hold free pages, and room for what is to come, beyond its size. */
export function addressSpace(maxSize: number): number {
  return Math.ceil((2 * maxSize) / 65_536) * 65_536 + 8 * 1024 * 1024
}

/** Bytes of the pages that a table uses. */
export function sizeOf(table: Tables['entries'] | Tables['index']): number {
  const { pageSize, treeBranchPageCount, treeLeafPageCount, overflowPages } = statsOf(table)
  return pageSize * (treeBranchPageCount + treeLeafPageCount + overflowPages)
}

/** What LMDB uses of the file, as of the last commit of any process. */
export function usageOf({ index }: Tables): Usage {
  const { pageSize, lastPageNumber } = statsOf(index)
  return { end: (lastPageNumber + 1) * pageSize, pageSize }
}

interface Stats {
  readonly pageSize: number
  readonly treeBranchPageCount: number
  readonly treeLeafPageCount: number
  readonly overflowPages: number
  readonly lastPageNumber: number
}

/** LMDB's own types leave open what its statistics are. */
function statsOf(table: Tables['entries'] | Tables['index']): Stats {
  table.resetReadTxn()
  return table.getStats() as Stats
}

async function importLmdb(): Promise<Lmdb> {
  try {
    return await import('lmdb')
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    const message = `The embedded store needs the package lmdb, which cannot be loaded (${reason}). Install it: npm install lmdb`
    throw new OptionsError('store', message, { cause: error })
  }
}

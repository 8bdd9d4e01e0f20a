/** Opens LMDB: the package, the file, its two tables. */
import type * as LmdbPackage from 'lmdb'
import { OptionsError, StoreUnavailableError } from '../../errors.ts'
import { codeOf, describeFailure } from './failure.ts'

type Lmdb = typeof LmdbPackage

/** The open file; `entry.ts` says what is in the tables. */
export interface Tables {
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
  try {
    const options = {
      path: directory,
      noSubdir: false,
      encoding: 'binary' as const,
      keyEncoding: 'binary' as const,
      // Address space only; the environment sees to it that the file stays within `maxSize`.
      mapSize: Math.ceil((maxSize * 2) / 65_536) * 65_536,
      maxDbs: 4,
      maxReaders: 1_024,
      permissionsMode: 0o600,
    }
    const root = lmdb.open<Uint8Array, Buffer>(options)
    const keyed = { name: 'entries', encoding: 'binary' as const, useVersions: true, keyEncoder: UTF8_KEYS }
    const entries = root.openDB<Uint8Array, string>(keyed)
    const index = root.openDB<Uint8Array, Buffer>({ name: 'expiry', encoding: 'binary', keyEncoding: 'binary' })
    return { root, entries, index, lastVersion: lmdb.getLastVersion }
  } catch (error) {
    const message = `LMDB cannot open ${directory}: ${describeFailure(error)}`
    if (LASTING.has(codeOf(error))) throw new OptionsError('store', message, { cause: error })
    throw new StoreUnavailableError(message, { cause: error })
  }
}

/** Bytes of the pages that a table uses. */
export function sizeOf(table: Tables['entries'] | Tables['index']): number {
  const stats: object = table.getStats()
  const count = (name: string): number => Number(Object.getOwnPropertyDescriptor(stats, name)?.value ?? 0)
  return count('pageSize') * (count('treeBranchPageCount') + count('treeLeafPageCount') + count('overflowPages'))
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

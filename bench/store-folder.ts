/** A folder for an embedded store, gone when the program ends. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

/** The URL of a fresh LMDB store. */
export function freshLmdb(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-bench-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  return `lmdb:${folder}`
}

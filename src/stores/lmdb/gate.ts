/**
 * The lock that all processes on one file hold while they open it or write to it.
 *
 * LMDB's own lock is not enough, because opening a file does not take it: it puts the shared number of the latest
 * transaction back to what it was when the opening began (lmdb 3.5.6, end of `mdb_env_open2`). The next writer starts
 * there, and what was committed and acknowledged between is overwritten.
 *
 * The gate is the write lock of a second LMDB file, which stays empty: its transactions change nothing, so its own
 * number never moves, and opening it does no harm. The system passes the lock on when its holder dies.
 */
import { join } from 'node:path'

import type * as LmdbPackage from 'lmdb'

export const GATE_FILE = 'gate.mdb'

export interface Gate {
  /** Runs `act` while no other process is within the gate. Blocks until it is free. */
  through<Answer>(act: () => Answer): Answer
  close(): Promise<void>
}

/** Opens the gate of a directory. Throws what LMDB throws. */
export function openGate(lmdb: typeof LmdbPackage, directory: string): Gate {
  const options = {
    path: join(directory, GATE_FILE),
    noSubdir: true,
    encoding: 'binary' as const,
    keyEncoding: 'binary' as const,
    mapSize: 65_536,
    overlappingSync: false,
    eventTurnBatching: false,
    permissionsMode: 0o600,
  }
  const file = lmdb.open<Uint8Array, Buffer>(options)
  return {
    through: (act) => file.transactionSync(act),
    close: () => file.close(),
  }
}

import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lmdbStore } from 'holdfast/lmdb'
import { storeContract } from 'holdfast/testing'
import { describe, it } from 'vitest'

// Each write waits for the disk, which the rules are not about; a file system in memory does not make them wait.
const memory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

// Handles of one process share the file; several processes are in the fault tests.
storeContract(
  'lmdb',
  {
    async start() {
      let now = 1_700_000_000_000
      const directory = await mkdtemp(join(memory, 'holdfast-lmdb-'))
      return {
        connect: () => lmdbStore({ path: join(directory, 'store'), mapSize: 64 * 1024 ** 2, now: () => now }),
        advance(ms) {
          now += ms
        },
        destroy: () => rm(directory, { recursive: true }),
      }
    },
  },
  { describe, it },
)

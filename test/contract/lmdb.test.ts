import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lmdbStore } from 'holdfast/lmdb'
import { storeContract } from 'holdfast/testing'
import { describe, it } from 'vitest'

// Handles of one process share the file; several processes are in the fault tests.
storeContract(
  'lmdb',
  {
    async start() {
      let now = 1_700_000_000_000
      const directory = await mkdtemp(join(tmpdir(), 'holdfast-lmdb-'))
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

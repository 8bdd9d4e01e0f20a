import { storeContract } from 'holdfast/testing'
import { memoryStore } from 'holdfast/memory'
import { describe, it } from 'vitest'

// One process: all servers share the one handle.
storeContract(
  'memory',
  {
    start() {
      let now = 1_700_000_000_000
      const store = memoryStore({ now: () => now })
      return {
        connect: () => store,
        advance(ms) {
          now += ms
        },
        destroy() {},
      }
    },
  },
  { describe, it },
)

/** An outage under load leaves nothing behind: whatever is kept of it has a bound (I13). */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

import { expect, it } from 'vitest'

import { beginVisit } from '../../src/core/sessions.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { faultyStore } from '../../src/testing/faulty-store.ts'
import { Browser, server, testClock } from '../support/core-browser.ts'

const DEADLINE = 100
/** Enough for what V8 keeps by itself, and far below a hundred bytes for each request. */
const ALLOWED = 2_000_000
const WAVES = 40
const WAVE = 2_500

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

function used(): number {
  for (let time = 0; time < 3; time++) collect()
  return process.memoryUsage().heapUsed
}

it.each(['hang', 'refuse'] as const)(
  'a store that is told to %s, and 100 000 requests that read, change and sign out',
  async (fail) => {
    const clock = testClock()
    const store = faultyStore(memoryStore({ now: clock.now }))
    const on = server(store, clock, {
      storeDeadline: `${DEADLINE}ms`,
      serveStale: '5m',
      limits: { ends: 100, copies: 100 },
    })
    await on.ready()
    const users = Array.from({ length: 1000 }, () => new Browser())
    for (const [at, user] of users.entries()) await user.visit(on, (session) => session.signIn(`user ${at}`))
    store.faults = { fail }
    let before = 0
    for (let wave = 0; wave < WAVES; wave++) {
      await Promise.all(Array.from({ length: WAVE }, (_, at) => request(wave * WAVE + at)))
      store.forget()
      if (wave === 3) before = used()
    }
    expect(used() - before).toBeLessThan(ALLOWED)
    expect(on.stats().ends.pending).toBe(100)
    await on.close()

    async function request(at: number): Promise<void> {
      const visit = beginVisit(on, users[at % users.length]!.facts('GET'), {})
      try {
        await visit.open({ signOut: at % 5 === 0 })
        if (at % 5 === 0) await visit.session.signOut()
        else visit.session.data['at'] = at
      } catch {
        // An outage.
      }
      await visit.settle().catch(() => undefined)
      visit.finish()
    }
  },
)

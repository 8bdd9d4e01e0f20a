/** Visitors who come while something happens: each reads its session and changes it, again and again. */
import { setTimeout as wait } from 'node:timers/promises'

import { versionOf } from '../../../src/core/record.ts'
import type { Selector, Store } from '../../../src/core/store.ts'
import { StoreUnavailableError } from '../../../src/errors.ts'
import { counterOf, LONG, newSelector, record } from '../../../src/testing/store-contract/harness.ts'
import { ownTime } from '../../support/own-time.ts'

/** A call that failed, and when. */
export interface Failure {
  readonly error: StoreUnavailableError
  readonly at: number
}

/** What they met. Times in milliseconds. */
export interface Report {
  readonly reads: number
  readonly writes: number
  /** How many acknowledged changes were not there any more. */
  readonly lost: number
  readonly failures: readonly Failure[]
  /** Between one change that went through and the next, of whoever waited longest. */
  readonly longestGap: number
  /** The longest that a call took, whatever came of it; what this process itself was held up for is not counted. */
  readonly slowest: number
}

export interface Traffic {
  /** Settles when each of them has had a change go through since it was called. Rejects after 30 s. */
  flows(): Promise<void>
  /** Ends it, and says what they met. */
  stop(): Promise<Report>
}

/** Begins. Whatever is no failure of a store, and a session that is gone back on, rejects `stop()`. */
export async function startTraffic(store: Store, visitors = 4): Promise<Traffic> {
  const counts = { reads: 0, writes: 0, lost: 0, longestGap: 0, slowest: 0 }
  const failures: Failure[] = []
  const ending = new AbortController()
  const own = ownTime()
  const timed = async <Answer>(call: () => Answer | Promise<Answer>): Promise<Answer | undefined> => {
    const before = own.time()
    try {
      return await call()
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error
      failures.push({ error, at: performance.now() })
      await wait(5)
      return undefined
    } finally {
      counts.slowest = Math.max(counts.slowest, own.time() - before)
    }
  }
  const all = Array.from({ length: visitors }, newSelector).map((selector) => {
    const state = { selector, changedAt: performance.now(), acknowledged: 0 }
    return { state, going: visit(state) }
  })
  async function visit(visitor: Visitor): Promise<void> {
    while (!ending.signal.aborted) {
      if (await turn(store, visitor, timed, counts)) {
        const now = performance.now()
        counts.longestGap = Math.max(counts.longestGap, now - visitor.changedAt)
        visitor.changedAt = now
      }
      await wait(2)
    }
  }
  return {
    async flows() {
      const since = performance.now()
      while (all.some(({ state }) => state.changedAt <= since)) {
        if (performance.now() - since > 30_000)
          throw new Error(`nothing goes through: ${failures.at(-1)?.error.message}`)
        await Promise.race([wait(5), ...all.map(({ going: ended }) => ended)])
      }
    },
    async stop() {
      ending.abort()
      await Promise.all(all.map(({ going: ended }) => ended))
      own.stop()
      return { ...counts, failures }
    },
  }
}

interface Visitor {
  readonly selector: Selector
  changedAt: number
  /** The number of the last change that was acknowledged. */
  acknowledged: number
}

type Timed = <Answer>(call: () => Answer | Promise<Answer>) => Promise<Answer | undefined>

/** Answers whether a change went through. What a fail-over lost is begun anew. */
async function turn(
  store: Store,
  visitor: Visitor,
  timed: Timed,
  counts: { reads: number; writes: number; lost: number },
): Promise<boolean> {
  const loaded = await timed(async () => [await store.load(visitor.selector)])
  if (loaded === undefined) return false
  counts.reads += 1
  const [found] = loaded
  const number = found === undefined ? 0 : counterOf(found)
  counts.lost += Math.max(0, visitor.acknowledged - number)
  const swap = await timed(() =>
    found === undefined
      ? store.create(visitor.selector, record(1), LONG)
      : store.replace(visitor.selector, versionOf(found), record(number + 1), LONG),
  )
  if (swap === undefined) return false
  counts.writes += 1
  visitor.acknowledged = swap.done ? number + 1 : number
  return swap.done
}

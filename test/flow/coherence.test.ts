/**
 * What is read from a near cache, behind HAProxy, on four server processes over one Redis, whatever becomes of the news of
 * changes. `npm run proof:coherence` does the same with thousands of sessions.
 */
import { afterAll, describe, expect, it } from 'vitest'

import { closeConnections } from '../../proof/browser.ts'
import { isWrongRead } from '../../proof/coherence/ledger.ts'
import { QUICK, withoutProtection } from '../../proof/coherence/plans.ts'
import { runTrial } from '../../proof/coherence/trial.ts'

afterAll(closeConnections)

describe('four servers with near caches over one Redis', () => {
  it.each(QUICK.map((trial) => [trial.phases.map(({ channel }) => channel).join(', '), trial] as const))(
    'nobody reads behind what he wrote or saw, nor behind the bound; ends are effective within it (news: %s)',
    async (_channels, trial) => {
      const figures = await runTrial(trial)
      expect(figures.flatMap(({ violations }) => violations)).toEqual([])
      for (const { near, damage } of figures) {
        expect(near.hits).toBeGreaterThan(0)
        expect(damage.news).toBeGreaterThan(0)
      }
    },
  )

  it.each(['floor-off', 'flush-off'] as const)('the proof notices what %s takes out', async (broken) => {
    const [figures] = await runTrial(withoutProtection(broken))
    expect(figures?.violations.some(isWrongRead)).toBe(true)
  })
})

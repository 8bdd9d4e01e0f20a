/** The end of an action, over HTTP, behind HAProxy, on two server processes. `npm run proof:cycles` does the same a thousand times. */
import { afterAll, describe, expect, it } from 'vitest'

import { closeConnections } from '../../proof/browser.ts'
import { runTrial } from '../../proof/cycle/trial.ts'

afterAll(closeConnections)

describe.each(['lmdb', 'redis'] as const)('the end of an action on two servers over one store (%s)', (store) => {
  it('I11: happens once, however often and wherever it is sent, and all get its outcome', async () => {
    const figures = await runTrial({ store, cycles: 100, killing: false })
    expect(figures.violations).toEqual([])
    expect(figures.effects).toBe(100)
    expect(figures.repeated).toBe(figures.submissions - 100)
    // The balancer has given both servers something to do.
    for (const name of ['A', 'B']) expect(figures.servers[name]).toBeGreaterThan(figures.submissions / 5)
  })

  it('I11: happens once at most while servers are killed, and nobody is left without a word', async () => {
    const figures = await runTrial({ store, cycles: 60, killing: true })
    expect(figures.violations).toEqual([])
    expect(figures.effects + figures.doubtNot).toBe(60)
    expect(figures.killed + figures.halted).toBeGreaterThan(0)
  })
})

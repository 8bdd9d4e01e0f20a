/** What `npm run proof -- --quick` does, under a seed that stays. */
import { afterAll, describe, expect, it } from 'vitest'

import { closeConnections } from '../../proof/browser.ts'
import { unexcused } from '../../proof/checker/check.ts'
import { installPeers } from '../../proof/peers.ts'
import { readOptions } from '../../proof/scenario/options.ts'
import { run } from '../../proof/scenario/run.ts'
import type { Kind } from '../../proof/history/history.ts'

const SEED = 20_260
const VISITORS = 40
const KINDS: readonly Kind[] = [
  'read',
  'add',
  'count',
  'mark',
  'sign-in',
  'renew',
  'sign-out',
  'form',
  'submit',
  'begin',
  'finish',
  'replay',
]

const options = readOptions(['--quick'], SEED)
const runs = options === 'help' ? [] : options.runs

afterAll(closeConnections)

describe('visitors behind HAProxy on two servers', () => {
  it.each(
    runs.filter(({ target }) => target === 'holdfast').map((one) => [one.scenario.name, one.store, one] as const),
  )('break no rule while things break: %s on %s', async (_scenario, _store, planned) => {
    const { history, violations } = await run({ ...planned, seed: SEED, visitors: VISITORS })
    expect(unexcused(violations)).toEqual([])
    expect(history.faults.length).toBeGreaterThan(0)
    // They did all that they do, and it worked.
    const done = new Set(history.operations.filter((one) => one.outcome === 'acknowledged').map(({ kind }) => kind))
    expect([...done].toSorted()).toEqual(KINDS.toSorted())
    expect(history.operations.length).toBeGreaterThan(1_000)
  })

  it('find with another library what it is known for', async () => {
    installPeers()
    const [control] = runs.filter(({ target }) => target === 'express-session')
    if (control === undefined) throw new Error('there is no control')
    const { mutant: _none, ...planned } = control
    const { violations } = await run({ ...planned, seed: SEED, visitors: VISITORS })
    const found = new Set(violations.map(({ name }) => name))
    for (const name of ['lost-update', 'effect-twice', 'renewed-id-refused'] as const) expect(found).toContain(name)
  })
})

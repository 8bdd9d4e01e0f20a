/** The end of an action, over HTTP, behind HAProxy, on two server processes. `npm run proof:cycles` does the same a thousand times. */
import { afterAll, describe, expect, it } from 'vitest'

import { type Answer, Browser, closeConnections } from '../../proof/browser.ts'
import { openStage } from '../../proof/cycle/stage.ts'
import { runTrial } from '../../proof/cycle/trial.ts'
import { until } from '../support/asking.ts'

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

  it('I11: is reached over a deploy that restarts both servers before each request', async () => {
    const stage = await openStage(store, 0)
    try {
      const browser = new Browser([stage.origin])
      const afterDeploy = async (ask: () => Promise<Answer>): Promise<Record<string, unknown>> => {
        for (const at of [0, 1]) await stage.replaceServer(at)
        return JSON.parse((await until('the balancer has a server', () => served(ask))).body) as Record<string, unknown>
      }
      const served = async (ask: () => Promise<Answer>): Promise<Answer | false> => {
        const answer = await ask()
        return answer.status === 200 && answer
      }
      const { token } = await afterDeploy(() => browser.get(0, '/begin?name=deployed'))
      const step = await afterDeploy(() => browser.post(0, '/details', { _csrf: String(token), to: 'Bob' }))
      const confirm = (): Promise<Answer> => browser.post(0, '/confirm', { _csrf: String(step['token']) })
      const first = await afterDeploy(confirm)
      expect(first).toMatchObject({ result: { entry: 1 }, repeated: false })
      expect(await afterDeploy(confirm)).toMatchObject({ result: { entry: 1 }, repeated: true })
      expect(await stage.entries()).toHaveLength(1)
    } finally {
      await stage.close()
    }
  })

  it('I11: happens once at most while servers are killed, and nobody is left without a word', async () => {
    const figures = await runTrial({ store, cycles: 60, killing: true })
    expect(figures.violations).toEqual([])
    expect(figures.effects + figures.doubtNot).toBe(60)
    expect(figures.killed + figures.halted).toBeGreaterThan(0)
  })
})

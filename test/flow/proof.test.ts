/** What `npm run proof -- --quick` does, under a seed that stays; and that nothing is left of it. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, describe, expect, it } from 'vitest'

import { closeConnections } from '../../proof/browser.ts'
import { unexcused } from '../../proof/checker/check.ts'
import { importing } from '../../proof/mutants/importing.ts'
import { installPeers, PROJECT } from '../../proof/peers.ts'
import { type Planned, readOptions } from '../../proof/scenario/options.ts'
import { type Finished, run } from '../../proof/scenario/run.ts'
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

async function runOf({ mutant, ...planned }: Planned): Promise<Finished> {
  const taken = mutant === undefined ? {} : { mutant: { name: mutant.name, options: importing(mutant.name) } }
  return run({ ...planned, ...taken, seed: SEED, visitors: VISITORS })
}

describe('visitors behind HAProxy on two servers', () => {
  const own = runs.filter(({ target, mutant }) => target === 'holdfast' && mutant === undefined)
  it.each(own.map((one) => [one.scenario.name, one.store, one] as const))(
    'break no rule while things break: %s on %s',
    async (_scenario, _store, planned) => {
      const { history, violations } = await runOf(planned)
      expect(unexcused(violations)).toEqual([])
      expect(history.faults.length).toBeGreaterThan(0)
      // They did all that they do, and it worked.
      const done = new Set(history.operations.filter((one) => one.outcome === 'acknowledged').map(({ kind }) => kind))
      expect([...done].toSorted()).toEqual(KINDS.toSorted())
      expect(history.operations.length).toBeGreaterThan(500)
    },
  )

  it('find with another library what it is known for', async () => {
    installPeers()
    const [control] = runs.filter(({ target }) => target === 'express-session')
    if (control === undefined) throw new Error('there is no control')
    const { violations } = await runOf(control)
    const found = new Set(violations.map(({ name }) => name))
    for (const name of ['lost-update', 'effect-twice', 'renewed-id-refused'] as const) expect(found).toContain(name)
  })

  const mutants = runs.flatMap((planned) => (planned.mutant === undefined ? [] : [[planned.mutant, planned] as const]))
  it.each(mutants)('find that $name is not as it was', async (mutant, planned) => {
    const { violations } = await runOf(planned)
    const found = unexcused(violations).map(({ name }) => name)
    expect(found.filter((name) => mutant.caughtAs.includes(name))).not.toEqual([])
  })
})

describe('the command', () => {
  it('leaves no process behind when it is interrupted, also while one of its servers stands still', async () => {
    const proof = spawn(process.execPath, [path.join(PROJECT, 'build/proof/main.js'), 'calm', '--store', 'redis'], {
      stdio: 'ignore',
    })
    const children = await startedBy(proof)
    const server = children.find(({ command }) => command.includes('site/server'))
    if (server === undefined) throw new Error('there is no server')
    process.kill(server.pid, 'SIGSTOP')
    proof.kill('SIGINT')
    try {
      const [status] = (await once(proof, 'exit')) as [number | null]
      expect(status).toBe(130)
      await expect.poll(() => children.filter(({ pid }) => isAlive(pid)), { timeout: 10_000 }).toEqual([])
    } finally {
      for (const { pid } of children) if (isAlive(pid)) process.kill(pid, 'SIGKILL')
    }
  })
})

interface Child {
  readonly pid: number
  readonly command: string
}

/** Redis, two servers, and the balancer, which comes last. */
async function startedBy({ pid }: ChildProcess): Promise<readonly Child[]> {
  for (;;) {
    const children = childrenOf(pid ?? 0)
    if (children.some(({ command }) => command.includes('haproxy'))) return children
    await pause(100)
  }
}

function childrenOf(parent: number): Child[] {
  const lines = execFileSync('ps', ['-A', '-o', 'ppid=,pid=,args='], { encoding: 'utf8' }).split('\n')
  return lines.flatMap((line) => {
    const [, of, pid, command = ''] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? []
    return Number(of) === parent ? [{ pid: Number(pid), command }] : []
  })
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    return false
  }
}

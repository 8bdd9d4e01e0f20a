/** What `npm run proof:simulation` finds of our own code with a protection taken out, and how it tells it. */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, it } from 'vitest'

import { mutantNamed } from '../../proof/mutants/mutants.ts'
import { PROJECT } from '../../proof/peers.ts'
import type { Schedule } from '../../proof/simulation/plan.ts'

const PROGRAM = path.join(PROJECT, 'build/proof/simulation.js')

interface Said {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

function simulate(...args: readonly string[]): Promise<Said> {
  return new Promise((resolve) => {
    execFile(process.execPath, [PROGRAM, ...args], (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    )
  })
}

describe('the simulation', () => {
  it.each(['version-ignored', 'previous-kept', 'claim-off'])('finds %s', async (mutant) => {
    const { code, stdout } = await simulate('--mutant', mutant, '--seed', '1', '--seconds', '60')
    const { simulated = [] } = mutantNamed(mutant)
    expect(stdout).toMatch(new RegExp(`^(?:${simulated.join('|')}), seed \\d+: `, 'm'))
    expect(stdout).toMatch(new RegExp(`^${mutant} +I\\d+ +(?:${simulated.join('|')}) `, 'm'))
    expect(code).toBe(0)
  })

  it('says how many schedules held', async () => {
    const { code, stdout } = await simulate('--seed', '1', '--seconds', '2', '--jobs', '1')
    expect(stdout).toMatch(
      /^\d+ schedules with \d+ requests in [\d.]+ s: \d+ a second, from seed 1 on\nEverything held\.$/m,
    )
    expect(code).toBe(0)
  })

  it('carries a schedule out that was kept, and tells what happens', async () => {
    const kept = path.join(PROJECT, 'test/proof/simulation/schedules/cycle-lost.json')
    const { code, stdout } = await simulate('--schedule', kept)
    expect(stdout).toContain('"what":"fail-over","writes":2')
    expect(stdout.trimEnd().endsWith('Everything held.')).toBe(true)
    expect(code).toBe(0)
  })

  it('ends with 1 where a mutant is not found, and keeps what a search found', async () => {
    const none = await simulate('--mutant', 'verifier-stored', '--seconds', '1', '--jobs', '1')
    expect(none.stdout).toMatch(/^verifier-stored +I8 +NO /m)
    expect(none.code).toBe(1)
    const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-simulation-'))
    try {
      const file = path.join(folder, 'kept.json')
      await simulate('--mutant', 'version-ignored', '--seed', '1', '--seconds', '60', '--keep', file)
      const kept = JSON.parse(readFileSync(file, 'utf8')) as Schedule
      expect(kept.deeds.length).toBeGreaterThan(1)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  it('says what is wrong with its options', async () => {
    const { code, stderr } = await simulate('--seconds', 'ten')
    expect(stderr).toMatch(/--seconds is a whole number from 1, and not 'ten'\.[\s\S]*npm run proof:simulation/)
    expect(code).toBe(2)
  })
})

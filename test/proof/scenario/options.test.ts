import { describe, expect, it } from 'vitest'

import { type Options, readOptions, usage } from '../../../proof/scenario/options.ts'
import { MUTANTS } from '../../../proof/mutants/mutants.ts'
import { faultsOf, SCENARIOS } from '../../../proof/scenario/scenarios.ts'
import { ALL_STORES } from '../../../proof/faults/fault.ts'
import { SERVER_FAULTS } from '../../../proof/faults/servers.ts'
import { chance } from '../../../proof/visitors/random.ts'

function read(...args: string[]): Options {
  const options = readOptions(args, 1)
  if (options === 'help') throw new Error('it was asked for something')
  return options
}

const titles = ({ runs }: Options): string[] => runs.map(({ scenario, store }) => `${scenario.name}/${store}`)

describe('npm run proof', () => {
  it('goes through every scenario on every store that it is for, where none is named', () => {
    const all = titles(read())
    expect(all).toContain('kill/lmdb')
    expect(all).toContain('store/cluster')
    expect(all).toContain('store/lmdb')
    expect(all).toHaveLength((SCENARIOS.length - 1) * 4)
  })

  it('takes scenarios, stores, seconds, a seed and visitors', () => {
    const options = read(
      'kill',
      'calm',
      '--store',
      'redis',
      '--store',
      'lmdb',
      '--seconds',
      '9',
      '--seed',
      '5',
      '--visitors',
      '7',
    )
    expect(titles(options)).toEqual(['kill/redis', 'calm/redis', 'kill/lmdb', 'calm/lmdb'])
    expect(options).toMatchObject({ seed: 5, visitors: 7 })
    expect(options.runs.map(({ seconds }) => seconds)).toEqual([9, 9, 9, 9])
  })

  it('has another seed each day', () => {
    expect([readOptions([], 3), readOptions([], 4)]).toMatchObject([{ seed: 3 }, { seed: 4 }])
  })

  it('breaks lines by namespaces where there are several servers of Redis', () => {
    const options = read('chaos', '--namespaces')
    expect(titles(options)).toEqual(['chaos/sentinel', 'chaos/cluster'])
    expect(options.runs.map(({ namespaces }) => namespaces)).toEqual([true, true])
    expect(read('chaos').runs.map(({ namespaces }) => namespaces)).toEqual(Array.from({ length: 4 }, () => false))
    expect(() => read('chaos', '--namespaces', '--store', 'lmdb')).toThrow('sentinel, cluster')
    expect(() => read('--quick', '--namespaces')).toThrow('--quick has its own')
  })

  it('tries controls on Redis', () => {
    expect(titles(read('calm', '--target', 'express-session'))).toEqual(['calm/redis'])
    expect(() => read('--target', 'express-session', '--store', 'lmdb')).toThrow('on Redis')
  })

  it('takes mutants, each with the store, the durability and the faults with which it shows', () => {
    const { runs } = read('--mutants')
    expect(runs.map(({ mutant }) => mutant)).toEqual(MUTANTS.filter(({ shows }) => shows !== undefined))
    for (const { mutant, store, durability } of runs)
      expect({ durability: 'primary', ...mutant?.shows }).toMatchObject({ store, durability })
    const [alone] = read('--mutant', 'claim-off', '--seconds', '9').runs
    expect(alone).toMatchObject({ seconds: 9, target: 'holdfast', mutant: { name: 'claim-off' } })
  })

  it('in a hurry takes less than two minutes and a half of visitors, controls among them', () => {
    const { runs } = read('--quick')
    expect(runs.reduce((sum, { seconds }) => sum + seconds, 0)).toBeLessThan(150)
    expect(runs.map(({ target }) => target)).toContain('express-session')
    expect(runs.some(({ mutant }) => mutant !== undefined)).toBe(true)
  })

  it.each([
    [['clam'], "no scenario 'clam'"],
    [['--store', 'memory'], "no store 'memory'"],
    [['--target', 'koa'], "no target 'koa'"],
    [['--seconds', '0'], '--seconds'],
    [['--seed', 'x'], '--seed'],
    [['--quick', 'calm'], '--quick'],
    [['--quick', '--seconds', '9'], '--quick'],
    [['--quick', '--target=express-session'], '--quick'],
    [['--quick', '--replicated'], '--quick'],
    [['--quick', '--mutants'], '--quick'],
    [['--mutants', 'calm'], 'of its own'],
    [['--mutant', 'claim-off', '--store', 'redis'], 'of its own'],
    [['--mutant', 'claim-of'], "'claim-of' is none of"],
    [['--mutant', 'mac-off'], 'npm run proof:mutants -- --only mac-off'],
    [['--haste'], '--haste'],
  ])('refuses %j', (args, complaint) => {
    expect(() => read(...args)).toThrow(complaint)
  })

  it('says what can be chosen', () => {
    expect(readOptions(['--help'], 1)).toBe('help')
    for (const { name } of SCENARIOS) expect(usage()).toContain(`  ${name}`)
  })
})

describe('plans', () => {
  it.each(SCENARIOS.flatMap((scenario) => scenario.stores.map((store) => [scenario, store] as const)))(
    '$name on %s are the same under the same seed, and leave the end in peace',
    (scenario, store) => {
      const planned = (seed: number): string =>
        JSON.stringify(
          scenario.plan(store, 60, chance(seed)).map((lane) => lane.map(({ at, fault }) => [at, fault.name])),
        )
      expect(planned(1)).toBe(planned(1))
      for (const lane of scenario.plan(store, 60, chance(2)))
        for (const { at, fault } of lane) expect(at + fault.seconds).toBeLessThanOrEqual(56)
    },
  )

  it.each(ALL_STORES)(
    'of every fault of %s have each once, in the time that is taken by default, with a pause between',
    (store) => {
      const [{ seconds, scenario }] = read('every', '--store', store).runs as [Options['runs'][number]]
      const [lane, ...others] = scenario.plan(store, seconds, chance(1))
      const all = [...SERVER_FAULTS.filter(({ stores }) => stores.includes(store)), ...faultsOf(store)]
      expect(lane?.map(({ fault }) => fault.name)).toEqual(all.map(({ name }) => name))
      for (const { after } of lane ?? []) expect(after).toBeGreaterThanOrEqual(4)
      expect(others).toEqual([])
    },
  )

  it('go through all faults that there are', () => {
    const names = (scenario: string): string[] =>
      (SCENARIOS.find(({ name }) => name === scenario)?.plan('redis', 600, chance(1)) ?? [])
        .flat()
        .map(({ fault }) => fault.name)
    expect(new Set(names('servers'))).toEqual(new Set(SERVER_FAULTS.map(({ name }) => name)))
    expect(new Set(names('store'))).toEqual(new Set(faultsOf('redis').map(({ name }) => name)))
    expect(names('every')).toEqual(expect.arrayContaining([...new Set([...names('servers'), ...names('store')])]))
    expect(new Set(names('chaos')).size).toBeGreaterThan(12)
  })
})

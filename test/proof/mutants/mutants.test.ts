/** The mutants of the proof are of the code as it is: a change of the code that they do not follow is seen here. */
import { readFileSync } from 'node:fs'

import { describe, expect, it } from 'vitest'

import { compiled, mutated } from '../../../proof/mutants/mutant.ts'
import { MUTANTS, mutantNamed } from '../../../proof/mutants/mutants.ts'
import { scenarioOf, secondsOf } from '../../../proof/mutants/scenario.ts'
import { chance } from '../../../proof/visitors/random.ts'

const INVARIANTS = Array.from({ length: 13 }, (_, at) => `I${at + 1}`)
const read = (file: string): string => readFileSync(file, 'utf8')

describe.each(MUTANTS.map((mutant) => [mutant.name, mutant] as const))('the mutant %s', (_, mutant) => {
  it('fits the source, in each place exactly once, and what it makes of it parses', () => {
    for (const file of new Set(mutant.replaces.map((one) => one.file))) {
      const made = mutated(mutant, file, read(file))
      expect(made).not.toBe(read(file))
      expect(compiled(file, made)).not.toBe(compiled(file, read(file)))
    }
  })

  it('is caught by a test that exists', () => {
    const { file, title } = mutant.test
    expect(file.startsWith(`test/${mutant.test.project}/`)).toBe(mutant.test.project !== 'unit')
    expect(read(file)).toContain(title)
  })

  it('shows to visitors under faults that there are, who go through all of them, or is caught by its test alone', () => {
    const { shows, caughtAs } = mutant
    expect(caughtAs.length > 0).toBe(shows !== undefined)
    if (shows === undefined) return
    const [lane = []] = scenarioOf(mutant, shows).plan(shows.store, secondsOf(shows), chance(1))
    expect([...new Set(lane.map(({ fault }) => fault.name))]).toEqual([...new Set(shows.faults)])
  })
})

it('there is one for each invariant at least, each under a name of its own', () => {
  expect([...new Set(MUTANTS.map(({ invariant }) => invariant))].toSorted()).toEqual(INVARIANTS.toSorted())
  expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length)
  expect(() => mutantNamed('none')).toThrow("'none' is none of selector-taken, ")
})

it('a fault that its store does not have is an error', () => {
  const shows = { store: 'lmdb', faults: ['Redis slow by 200 ms'] } as const
  expect(() => secondsOf(shows)).toThrow("lmdb has no fault 'Redis slow by 200 ms'")
})

describe('a mutant that is not of the source', () => {
  const mutant = { ...MUTANTS[0]!, name: 'made-up', replaces: [{ file: 'a.ts', text: 'one', by: 'two' }] }

  it('is an error that says what does not fit where', () => {
    expect(() => mutated(mutant, 'a.ts', 'const none = 0')).not.toThrow()
    expect(() => mutated(mutant, 'a.ts', 'const zero = 0')).toThrow(
      'The mutant made-up does not fit a.ts: this stands there 0 times:\none',
    )
    expect(() => mutated(mutant, 'a.ts', 'one one')).toThrow('2 times')
  })

  it('leaves other files alone', () => {
    expect(mutated(mutant, 'b.ts', 'zero')).toBe('zero')
  })

  it('and does not parse is an error too', () => {
    expect(() => compiled('a.ts', 'const = 0')).toThrow(/^a\.ts: /)
  })
})

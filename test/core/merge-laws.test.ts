import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { merge, rebase } from '../../src/core/merge.ts'
import { clone, equal } from '../../src/core/values.ts'
import { disjoint, edit, edited, grove, isTree, type Edit, type Tree } from './edits.ts'
import { objectsIn, spell, storable } from './storable.ts'

const edits = fc.array(edit, { maxLength: 8 })

/** A base, and two changed copies that share many places. */
const threeSides = fc
  .tuple(grove, edits, edits)
  .map(([base, mine, theirs]) => [base, edited(base, mine), edited(base, theirs)] as const)

/** A base, and two lists of changes that touch different places. */
const apart = fc.tuple(grove, fc.array(fc.tuple(edit, fc.boolean()), { maxLength: 12 })).map(([base, drawn]) => {
  const kept = disjoint(
    base,
    drawn.map(([each]) => each),
  )
  const isMine = new Map(drawn)
  return {
    base,
    all: kept,
    mine: kept.filter((each) => isMine.get(each)),
    theirs: kept.filter((each) => !isMine.get(each)),
  }
})

describe('laws of merging', () => {
  test('where only they changed something, theirs; where only I did, mine', () => {
    fc.assert(
      fc.property(grove, edits, (base, changes) => {
        const changed = edited(base, changes)
        const [theirs, mine] = [merge(base, base, changed), merge(base, changed, base)]
        return (
          equal(theirs.value, changed) &&
          equal(mine.value, changed) &&
          theirs.conflicts.length + mine.conflicts.length === 0
        )
      }),
      { numRuns: 10_000 },
    )
  })

  test('the same change on both sides is made once, what both appended twice', () => {
    fc.assert(
      fc.property(grove, edits, (base, changes) => {
        const changed = edited(base, changes)
        const { value, conflicts } = merge(base, changed, changed)
        return equal(value, withTailsTwice(base, changed)) && conflicts.length === 0
      }),
      { numRuns: 10_000 },
    )
  })

  test('I2: changes at different places both survive, whoever comes first', () => {
    fc.assert(
      fc.property(apart, ({ base, all, mine, theirs }) => {
        const wanted = edited(base, all)
        const one = merge(base, edited(base, mine), edited(base, theirs))
        const other = merge(base, edited(base, theirs), edited(base, mine))
        return (
          equal(one.value, wanted) && equal(other.value, wanted) && one.conflicts.length + other.conflicts.length === 0
        )
      }),
      { numRuns: 10_000 },
    )
  })

  test('a conflict is reported exactly where it matters who is the later', () => {
    fc.assert(
      fc.property(threeSides, ([base, mine, theirs]) => {
        const bare = [base, mine, theirs].map(withoutArrays) as [Tree, Tree, Tree]
        const one = merge(...bare)
        const other = merge(bare[0], bare[2], bare[1])
        expect([...one.conflicts].toSorted()).toEqual([...other.conflicts].toSorted())
        return equal(one.value, other.value) === (one.conflicts.length === 0)
      }),
      { numRuns: 10_000 },
    )
  })

  test('nothing is changed, and the result shares no object with what it came from', () => {
    fc.assert(
      fc.property(threeSides, (sides) => {
        const before = sides.map(spell)
        const { value } = merge(...sides)
        const sources = new Set(sides.flatMap(objectsIn))
        return (
          sides.every((side, at) => spell(side) === before[at]) &&
          objectsIn(value).every((object) => !sources.has(object))
        )
      }),
      { numRuns: 10_000 },
    )
  })

  test('what both appended is all there: the base, theirs, mine', () => {
    const list = fc.array(storable, { maxLength: 4 })
    fc.assert(
      fc.property(list, list, list, (base, mine, theirs) => {
        const merged = merge({ l: base }, { l: [...base, ...mine] }, { l: [...base, ...theirs] })
        return equal(merged.value, { l: [...base, ...theirs, ...mine] }) && merged.conflicts.length === 0
      }),
      { numRuns: 10_000 },
    )
  })

  test('any three values merge, and where nobody else changed a value, mine stays', () => {
    fc.assert(
      fc.property(storable, storable, storable, (base, mine, theirs) => {
        const { value } = merge({ x: base }, { x: mine, y: mine }, { x: theirs })
        return equal((value as Tree)['y'], mine)
      }),
      { numRuns: 10_000 },
    )
  })
})

/** Three servers with copies of one session, old ones too. `at`: which; `then`: what it does next. */
type Move = { readonly at: number; readonly then: 'change' | 'append' | 'load' | 'save' | 'save slowly' | 'saved' }

const moves = fc.array(
  fc.record<Move>({
    at: fc.nat(2),
    then: fc.constantFrom('change', 'change', 'append', 'load', 'save', 'save slowly', 'saved'),
  }),
  { maxLength: 40 },
)

test('I2: through any number of rounds on several servers, every change at a place of its own survives', () => {
  fc.assert(
    fc.property(grove, fc.array(edit, { maxLength: 25 }), moves, (drawn, changes, plan) => {
      const base: Tree = { ...drawn, log: [] }
      const model = new Model(base, disjoint(base, changes))
      for (const move of plan) model.make(move)
      model.finish()
      expect(model.conflicts).toEqual([])
      return equal(withoutLog(model.stored), withoutLog(edited(base, model.made))) && model.logIsWhole()
    }),
    { numRuns: 10_000 },
  )
})

class Copy {
  base: Tree
  mine: Tree
  /** What is on its way to the store while changes go on. */
  sent: Tree | undefined
  constructor(stored: Tree) {
    this.base = stored
    this.mine = clone(stored)
  }
}

class Model {
  stored: Tree
  readonly made: Edit[] = []
  readonly conflicts: string[] = []
  readonly #waiting: Edit[]
  readonly #copies: readonly Copy[]
  readonly #logged = [0, 0, 0]

  constructor(base: Tree, changes: Edit[]) {
    this.stored = base
    this.#waiting = changes
    this.#copies = [new Copy(base), new Copy(base), new Copy(base)]
  }

  make({ at, then }: Move): void {
    const copy = this.#copies[at] ?? new Copy(this.stored)
    if (then === 'change') this.#change(copy)
    if (then === 'append')
      (copy.mine['log'] as string[]).push(`${at}:${(this.#logged[at] = (this.#logged[at] ?? 0) + 1)}`)
    if (then === 'load' && copy.sent === undefined && equal(copy.base, copy.mine))
      Object.assign(copy, new Copy(this.stored))
    if (then === 'save slowly') copy.sent ??= clone(copy.mine)
    if (then === 'save') copy.sent ??= clone(copy.mine)
    if (then === 'save' || then === 'saved') this.#save(copy)
  }

  finish(): void {
    for (const at of [0, 1, 2, 0, 1, 2]) this.make({ at, then: 'save' })
  }

  logIsWhole(): boolean {
    const log = this.stored['log'] as string[]
    return this.#logged.every((count, at) => {
      const own = log.filter((line) => line.startsWith(`${at}:`))
      return own.length === count && own.every((line, index) => line === `${at}:${index + 1}`)
    })
  }

  #change(copy: Copy): void {
    const next = this.#waiting.shift()
    if (next === undefined) return
    this.made.push(next)
    copy.mine = edited(copy.mine, [next])
  }

  #save(copy: Copy): void {
    if (copy.sent === undefined) return
    const { value, conflicts } = merge(copy.base, copy.sent, this.stored)
    this.stored = value as Tree
    const rebased = rebase(copy.sent, copy.mine, this.stored)
    this.conflicts.push(...conflicts, ...rebased.conflicts)
    copy.base = this.stored
    copy.mine = rebased.value as Tree
    copy.sent = undefined
  }
}

function withoutLog({ log: _log, ...rest }: Tree): Tree {
  return rest
}

/** Arrays are the one thing whose order depends on who came first without being a conflict. */
function withoutArrays(value: unknown): unknown {
  if (Array.isArray(value)) return `array ${spell(value)}`
  return isTree(value)
    ? Object.fromEntries(Object.entries(value).map(([key, member]) => [key, withoutArrays(member)]))
    : value
}

function withTailsTwice(base: unknown, changed: unknown): unknown {
  if (Array.isArray(base) && Array.isArray(changed) && equal(base, changed.slice(0, base.length)))
    return [...(changed as unknown[]), ...(changed as unknown[]).slice(base.length)]
  if (!isTree(changed) || !(isTree(base) || base === undefined || base === null)) return changed
  const before: Tree = base ?? {}
  return Object.fromEntries(
    Object.entries(changed).map(([key, member]) => [
      key,
      withTailsTwice(Object.hasOwn(before, key) ? before[key] : undefined, member),
    ]),
  )
}

/** Random changes of data at known places, for the laws of merging. */
import fc from 'fast-check'

import { clone } from '../../src/core/values.ts'
import { storable } from './storable.ts'

export type Tree = Record<string, unknown>

export interface Edit {
  readonly path: readonly string[]
  /** Absent: the place is deleted. */
  readonly set?: { readonly value: unknown }
}

const name = fc.constantFrom('a', 'b', 'c', '__proto__', 'constructor')
const path = fc.array(name, { minLength: 1, maxLength: 4 })

/** Mostly small, so that ten thousand cases are soon done. */
const member = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(0, 1, 'x', null, Number.NaN) },
  { weight: 1, arbitrary: storable },
)

/** Data of nested objects, with all kinds of values at their ends. */
export const grove: fc.Arbitrary<Tree> = fc.letrec<{ member: unknown; tree: Tree }>((tie) => ({
  member: fc.oneof({ depthSize: 'small' }, member, tie('tree'), tie('tree')),
  tree: fc.array(fc.tuple(name, tie('member')), { maxLength: 4 }).map((entries) => Object.fromEntries(entries)),
})).tree

const set = member.map((value) => ({ value }))

export const edit: fc.Arbitrary<Edit> = fc.oneof(
  fc.record({ path }),
  fc.record({ path, set }),
  fc.record({ path, set }),
)

/** The data with the changes made, one after the other. A change below something that is no object has no place and is left out. */
export function edited(base: Tree, edits: readonly Edit[]): Tree {
  const result = clone(base)
  for (const {
    path: [...names],
    set: change,
  } of edits) {
    const last = names.pop() ?? ''
    const parent = descend(result, names, change !== undefined)
    if (parent === undefined) continue
    if (change === undefined) delete parent[last]
    else own(parent, last, clone(change.value))
  }
  return result
}

function descend(from: Tree, names: readonly string[], create: boolean): Tree | undefined {
  let at = from
  for (const step of names) {
    if (!Object.hasOwn(at, step)) {
      if (!create) return undefined
      own(at, step, {})
    }
    const next = at[step]
    if (!isTree(next)) return undefined
    at = next
  }
  return at
}

/** Those of the changes that have a place in the data and are, none of them, at or below the place of another. */
export function disjoint(base: Tree, edits: readonly Edit[]): Edit[] {
  const kept: Edit[] = []
  for (const candidate of edits) {
    const apart = kept.every((other) => !begins(other.path, candidate.path) && !begins(candidate.path, other.path))
    if (apart && hasPlace(base, candidate.path)) kept.push(candidate)
  }
  return kept
}

function hasPlace(base: Tree, names: readonly string[]): boolean {
  let at: unknown = base
  for (const step of names.slice(0, -1)) {
    if (!isTree(at)) return false
    if (!Object.hasOwn(at, step)) return true
    at = at[step]
  }
  return isTree(at)
}

function begins(long: readonly string[], short: readonly string[]): boolean {
  return short.every((step, at) => long[at] === step)
}

export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}

/** Assigning would set the prototype where the key is `__proto__`. */
function own(object: Tree, key: string, value: unknown): void {
  Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true })
}

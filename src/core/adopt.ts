/**
 * Makes one tree equal to another in place, so that references into it stay good: a handler that holds
 * `session.data.cart` goes on with the same array after a commit that brought others' changes along.
 */
import { equal } from './values.ts'

type Members = Record<string, unknown>

/**
 * Makes `target` equal to `source`, which nobody else may hold. Objects, arrays, Maps, Sets and Dates that both sides
 * have are kept and changed. What is frozen is replaced, and so is what stands at a second place in `target`, because
 * one object cannot become two values.
 */
export function adopt(target: object, source: object): void {
  adoptMembers(target as Members, source as Members, new Set([target]))
}

function adoptMembers(target: Members, source: Members, met: Set<object>): void {
  for (const key of Object.keys(target)) if (!Object.hasOwn(source, key)) delete target[key]
  for (const key of Object.keys(source)) {
    const [mine, theirs] = [target[key], source[key]]
    if (Object.hasOwn(target, key) && keeps(mine, theirs, met)) continue
    Object.defineProperty(target, key, { value: theirs, writable: true, enumerable: true, configurable: true })
  }
}

/** Whether `mine` could stay, and now equals `theirs`. */
function keeps(mine: unknown, theirs: unknown, met: Set<object>): boolean {
  if (typeof mine !== 'object' || mine === null) return Object.is(mine, theirs)
  if (met.has(mine)) return false
  if (equal(mine, theirs)) return remember(mine, met)
  if (Object.isFrozen(mine) || kind(mine) === undefined || kind(mine) !== kind(theirs)) return false
  met.add(mine)
  change(mine, theirs as object, met)
  return true
}

function change(mine: object, theirs: object, met: Set<object>): void {
  if (mine instanceof Map && theirs instanceof Map) {
    mine.clear()
    for (const [key, value] of theirs) mine.set(key, value)
  } else if (mine instanceof Set && theirs instanceof Set) {
    mine.clear()
    for (const value of theirs) mine.add(value)
  } else if (mine instanceof Date && theirs instanceof Date) {
    mine.setTime(theirs.getTime())
  } else {
    if (Array.isArray(mine) && Array.isArray(theirs) && mine.length > theirs.length) mine.length = theirs.length
    adoptMembers(mine as Members, theirs as Members, met)
  }
}

const KINDS: readonly object[] = [Object.prototype, Array.prototype, Map.prototype, Set.prototype, Date.prototype]

/** The prototype of what can be changed in place; an object without one counts as plain. */
function kind(value: unknown): object | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null ? Object.prototype : KINDS.find((known) => known === prototype)
}

/** Notes an object that stays as it is, with all in it; answers whether none of that was met before. */
function remember(value: object, met: Set<object>): boolean {
  if (met.has(value)) return false
  met.add(value)
  const members: readonly unknown[] =
    value instanceof Map
      ? [...value.keys(), ...value.values()]
      : value instanceof Set
        ? [...value]
        : Object.values(value)
  return (
    ArrayBuffer.isView(value) ||
    members.every((member) => typeof member !== 'object' || member === null || remember(member, met))
  )
}

/**
 * Three-way merging of a session's data: what two requests changed at different places survives from both.
 * A place is a path of plain objects, or the tail of an array; everything else is one unit. Merging knows
 * no relation between places (items and their total): such keys belong into `whole`.
 */
import { formatPath } from './path.ts'
import { clone, equal, isPlainObject } from './values.ts'

/** `conflicts` names the places that both sides changed, each to something else; there `mine`, the later, won. */
export interface Merged {
  readonly value: unknown
  readonly conflicts: readonly string[]
}

export interface MergeOptions {
  /** Top-level keys that merge as one unit. */
  readonly whole?: ReadonlySet<string>
}

type Members = Readonly<Record<string, unknown>>

const NOTHING: Members = Object.freeze({})

/**
 * Brings together what `mine` and `theirs` made of `base`. Absent and `undefined` are the same. The result
 * shares nothing with its sources. Arrays that both sides only appended to keep theirs, then mine, also where
 * both appended the same: two pushes are two changes. Where `base` had no array (absent or `null`), two equal
 * arrays are one change, two different ones are kept one after the other.
 */
export function merge(base: unknown, mine: unknown, theirs: unknown, options: MergeOptions = {}): Merged {
  const conflicts: string[] = []
  const value = mergeAt([], base, mine, theirs, { whole: options.whole ?? new Set(), conflicts })
  return { value: clone(value), conflicts }
}

interface Merging {
  readonly whole: ReadonlySet<string>
  readonly conflicts: string[]
}

function mergeAt(path: readonly string[], base: unknown, mine: unknown, theirs: unknown, merging: Merging): unknown {
  const [top] = path
  if (path.length !== 1 || top === undefined || !merging.whole.has(top)) {
    const from = base ?? NOTHING
    if (isPlainObject(mine) && isPlainObject(theirs) && isPlainObject(from)) return mergeMembers(path, from, mine, theirs, merging)
    const appended = mergeTails(base, mine, theirs)
    if (appended !== undefined) return appended
  }
  if (equal(mine, theirs) || equal(base, theirs)) return mine
  if (equal(base, mine)) return theirs
  merging.conflicts.push(formatPath(path))
  return mine
}

function mergeMembers(path: readonly string[], base: Members, mine: Members, theirs: Members, merging: Merging): Members {
  const result: Record<string, unknown> = {}
  for (const key of new Set([...Object.keys(theirs), ...Object.keys(mine)])) {
    const value = mergeAt([...path, key], own(base, key), own(mine, key), own(theirs, key), merging)
    if (value !== undefined) put(result, key, value)
  }
  return result
}

/** `undefined` where the arrays were not, both of them, only appended to. */
function mergeTails(base: unknown, mine: unknown, theirs: unknown): unknown[] | undefined {
  if (!Array.isArray(mine) || !Array.isArray(theirs)) return undefined
  // Two requests that set the same default at once mean one change.
  if (!Array.isArray(base)) return (base ?? undefined) === undefined && !equal(mine, theirs) ? [...theirs, ...mine] : undefined
  const length = base.length
  const appended = [mine, theirs].every((list) => list.length >= length && base.every((member, at) => equal(member, list[at])))
  return appended ? [...base, ...theirs.slice(length), ...mine.slice(length)] : undefined
}

function own(object: Members, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined
}

/** Assigning would set the prototype where the key is `__proto__`. */
function put(object: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true })
}

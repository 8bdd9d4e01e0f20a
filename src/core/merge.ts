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
  return run(base, mine, theirs, options, mergeTails)
}

/**
 * Makes once more, on `onto`, what turned `from` into `mine`, where `onto` is known to come after `from`: as
 * `merge`, but what was appended to an array goes to its end whatever else it has gained or lost since.
 */
export function rebase(from: unknown, mine: unknown, onto: unknown, options: MergeOptions = {}): Merged {
  return run(from, mine, onto, options, appendTail)
}

/** Merges three arrays where the changes were appended; answers `undefined` where they were not. */
type TailRule = (base: unknown, mine: unknown, theirs: unknown) => readonly unknown[] | undefined

interface Merging {
  readonly whole: ReadonlySet<string>
  readonly conflicts: string[]
  readonly tails: TailRule
}

function run(base: unknown, mine: unknown, theirs: unknown, options: MergeOptions, tails: TailRule): Merged {
  const conflicts: string[] = []
  const value = mergeAt([], base, mine, theirs, { whole: options.whole ?? new Set(), conflicts, tails })
  return { value: clone(value), conflicts }
}

function mergeAt(path: readonly string[], base: unknown, mine: unknown, theirs: unknown, merging: Merging): unknown {
  const [top] = path
  if (top === undefined || !merging.whole.has(top)) {
    const from = base ?? NOTHING
    if (isPlainObject(mine) && isPlainObject(theirs) && isPlainObject(from))
      return mergeMembers(path, from, mine, theirs, merging)
    const appended = merging.tails(base, mine, theirs)
    if (appended !== undefined) return appended
  }
  if (equal(mine, theirs) || equal(base, theirs)) return mine
  if (equal(base, mine)) return theirs
  merging.conflicts.push(formatPath(path))
  return mine
}

function mergeMembers(
  path: readonly string[],
  base: Members,
  mine: Members,
  theirs: Members,
  merging: Merging,
): Members {
  const result: Record<string, unknown> = {}
  for (const key of new Set([...Object.keys(theirs), ...Object.keys(mine)])) {
    const value = mergeAt([...path, key], own(base, key), own(mine, key), own(theirs, key), merging)
    if (value !== undefined) put(result, key, value)
  }
  return result
}

function mergeTails(base: unknown, mine: unknown, theirs: unknown): readonly unknown[] | undefined {
  if (!isList(mine) || !isList(theirs)) return undefined
  // Two requests that set the same default at once mean one change.
  if (base === undefined || base === null) return equal(mine, theirs) ? undefined : [...theirs, ...mine]
  if (!isList(base) || !beginsWith(mine, base) || !beginsWith(theirs, base)) return undefined
  return [...theirs, ...mine.slice(base.length)]
}

function appendTail(base: unknown, mine: unknown, theirs: unknown): readonly unknown[] | undefined {
  if (isList(base) && isList(mine) && isList(theirs) && beginsWith(mine, base))
    return [...theirs, ...mine.slice(base.length)]
  return mergeTails(base, mine, theirs)
}

function beginsWith(list: readonly unknown[], start: readonly unknown[]): boolean {
  return list.length >= start.length && start.every((member, at) => equal(member, list[at]))
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value)
}

function own(object: Members, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined
}

/** Assigning would set the prototype where the key is `__proto__`. */
function put(object: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true })
}

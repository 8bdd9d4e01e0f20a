/** What the codec can keep, and three things to do with it: copy, compare, freeze. */
import { DataError } from '../errors.ts'

/** The kinds of containers and values that a session keeps; `'foreign'` is everything else. */
export type Kind = 'object' | 'array' | 'date' | 'map' | 'set' | 'bytes' | 'foreign'

/** Nesting beyond this is refused everywhere, whatever `limits.depth` says, so that no recursion overflows the stack. */
export const DEEPEST = 512

/** The views of one member list that `strayMember` compares. */
export type Stray = { readonly key: PropertyKey; readonly what: 'a symbol key' | 'not enumerable' | 'an accessor' }

type Members = Record<string, unknown>

const { getPrototypeOf, hasOwn, is } = Object

/** A method that works on one kind of object only, and the member by which that kind's prototype is recognised. */
const BRANDS: readonly { readonly kind: Kind; readonly member: string; readonly method: (value: object) => unknown }[] =
  [
    { kind: 'date', member: 'getTime', method: (value) => (value as Date).getTime() },
    { kind: 'map', member: 'get', method: getterOf(Map.prototype, 'size') },
    { kind: 'set', member: 'add', method: getterOf(Set.prototype, 'size') },
  ]
const arrayTag = getterOf(getPrototypeOf(Uint8Array.prototype) as object, Symbol.toStringTag)

/** The kind of an object, by its prototype and by what it really is inside. Objects of other realms (`vm`, Jest) count like ours; instances of subclasses are foreign, except Buffer, which is bytes. */
export function kindOf(value: object): Kind {
  const prototype: unknown = getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) return 'object'
  if (prototype === Array.prototype) return Array.isArray(value) ? 'array' : 'foreign'
  return kindByBrand(value, prototype as object)
}

/** Whether the value is an object whose members merge one by one: of no class but `Object`. */
export function isPlainObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && kindOf(value) === 'object'
}

/** The first own member that is no ordinary data property, and so would be lost or run. `keys` are the object's `Object.keys`. */
export function strayMember(object: object, keys: readonly string[]): Stray | undefined {
  const [symbol] = Object.getOwnPropertySymbols(object)
  if (symbol !== undefined) return { key: symbol, what: 'a symbol key' }
  for (const key of keys) {
    const member = Object.getOwnPropertyDescriptor(object, key)
    if (member?.get !== undefined || member?.set !== undefined) return { key, what: 'an accessor' }
  }
  const names = Object.getOwnPropertyNames(object)
  if (names.length === keys.length) return undefined
  return { key: names.find((name) => !keys.includes(name)) ?? '', what: 'not enumerable' }
}

/**
 * A deep copy. Objects without prototype become ordinary ones, a Buffer becomes a Uint8Array, a value that
 * is there twice is copied twice. What the codec refuses is handed on as it is, so that encoding the copy
 * still names it; only cycles throw, a `DataError`.
 */
export function clone<T>(value: T): T {
  return copy(value, 0) as T
}

function copy(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (depth > DEEPEST)
    throw new DataError(
      '',
      `The data is nested more than ${DEEPEST} levels deep, or contains itself: a session keeps trees only.`,
    )
  switch (kindOf(value)) {
    case 'object':
      return copyObject(value as Members, depth + 1)
    case 'array':
      return copyArray(value as unknown[], depth + 1)
    case 'date':
      return new Date((value as Date).getTime())
    case 'map':
      return new Map(
        Array.from(value as Map<unknown, unknown>, ([key, member]) => [copy(key, depth + 1), copy(member, depth + 1)]),
      )
    case 'set':
      return new Set(Array.from(value as Set<unknown>, (member) => copy(member, depth + 1)))
    case 'bytes':
      return new Uint8Array(value as Uint8Array)
    case 'foreign':
  }
  return value
}

function copyObject(object: Members, depth: number): Members {
  const keys = Object.keys(object)
  if (strayMember(object, keys) !== undefined) return object
  const result: Members = { ...object }
  for (const key of keys) {
    const member = object[key]
    // Every key is an own data property by now, so this reaches no prototype, not even for `__proto__`.
    if (typeof member === 'object' && member !== null) result[key] = copy(member, depth)
  }
  return result
}

/** A deep copy of what `decode` answered: as `clone`, without a look for what only a program can have put there. */
export function cloneDecoded<T>(value: T): T {
  return copyDecoded(value) as T
}

function copyDecoded(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    const list: unknown[] = value.slice()
    for (let at = 0; at < list.length; at++) {
      const member = list[at]
      if (typeof member === 'object' && member !== null) list[at] = copyDecoded(member)
    }
    return list
  }
  if (getPrototypeOf(value) !== Object.prototype) return clone(value)
  const object: Members = { ...value }
  // What is spread are own data properties, so this reaches no prototype, not even for `__proto__`.
  for (const key of Object.keys(object)) {
    const member = object[key]
    if (typeof member === 'object' && member !== null) object[key] = copyDecoded(member)
  }
  return object
}

function copyArray(list: unknown[], depth: number): unknown[] {
  if (Object.keys(list).length !== list.length) return list
  const result = list.slice()
  for (let at = 0; at < result.length; at++) {
    const member = result[at]
    if (typeof member === 'object' && member !== null) result[at] = copy(member, depth)
  }
  return result
}

/**
 * Whether two values are the same as far as the codec can tell: a member that is `undefined` equals an
 * absent one, the order of an object's members does not count; that of a Map's or Set's does, since it is
 * kept. NaN equals NaN, 0 and -0 differ. What the codec refuses equals only itself.
 */
export function equal(a: unknown, b: unknown): boolean {
  return same(a, b, 0)
}

function same(a: unknown, b: unknown, depth: number): boolean {
  if (is(a, b)) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null || depth > DEEPEST) return false
  const kind = kindOf(a)
  if (kind !== kindOf(b)) return false
  switch (kind) {
    case 'object':
      return sameObjects(a as Members, b as Members, depth + 1)
    case 'array':
      return sameLists(a as unknown[], b as unknown[], depth + 1)
    case 'date':
      return is((a as Date).getTime(), (b as Date).getTime())
    case 'map':
      return (
        (a as Map<unknown, unknown>).size === (b as Map<unknown, unknown>).size &&
        sameLists([...(a as Map<unknown, unknown>)], [...(b as Map<unknown, unknown>)], depth + 1)
      )
    case 'set':
      return (
        (a as Set<unknown>).size === (b as Set<unknown>).size &&
        sameLists([...(a as Set<unknown>)], [...(b as Set<unknown>)], depth + 1)
      )
    case 'bytes':
      return Buffer.compare(a as Uint8Array, b as Uint8Array) === 0
    case 'foreign':
  }
  return false
}

function sameObjects(a: Members, b: Members, depth: number): boolean {
  const left = Object.keys(a)
  const right = Object.keys(b)
  const differs = left.length === right.length ? left.findIndex((key, at) => key !== right[at]) : 0
  if (differs === -1) return left.every((key) => same(a[key], b[key], depth))
  let shared = 0
  for (const key of left) {
    const member = a[key]
    if (member === undefined) continue
    if (!hasOwn(b, key) || !same(member, b[key], depth)) return false
    shared++
  }
  return shared === right.length || shared === right.filter((key) => b[key] !== undefined).length
}

function sameLists(a: readonly unknown[], b: readonly unknown[], depth: number): boolean {
  if (a.length !== b.length) return false
  for (let at = 0; at < a.length; at++) if (!same(a[at], b[at], depth)) return false
  return true
}

/**
 * Makes a value read-only at every depth, in place, and answers it. Maps, Sets and Dates throw from each
 * method that would change them. The bytes of a Uint8Array cannot be frozen; foreign objects are left alone.
 */
export function deepFreeze<T>(value: T): T {
  freeze(value, new Set())
  return value
}

const MAP_WRITERS = ['set', 'delete', 'clear']
const SET_WRITERS = ['add', 'delete', 'clear']
const DATE_WRITERS = Object.getOwnPropertyNames(Date.prototype).filter((name) => name.startsWith('set'))

function freeze(value: unknown, seen: Set<object>): void {
  if (typeof value !== 'object' || value === null || seen.has(value)) return
  seen.add(value)
  switch (kindOf(value)) {
    case 'object':
    case 'array':
      for (const member of Object.values(Object.freeze(value))) freeze(member, seen)
      return
    case 'map':
      for (const entry of value as Map<unknown, unknown>) for (const part of entry) freeze(part, seen)
      return disarm(value, MAP_WRITERS)
    case 'set':
      for (const member of value as Set<unknown>) freeze(member, seen)
      return disarm(value, SET_WRITERS)
    case 'date':
      return disarm(value, DATE_WRITERS)
    case 'bytes':
    case 'foreign':
  }
}

function disarm(value: object, writers: readonly string[]): void {
  if (!Object.isExtensible(value)) return
  for (const name of writers) Object.defineProperty(value, name, { value: refuseToChange })
  Object.freeze(value)
}

function refuseToChange(): never {
  throw new TypeError('This value is read-only: it belongs to session data that can no longer be changed.')
}

function kindByBrand(value: object, prototype: object): Kind {
  const parent: unknown = getPrototypeOf(prototype)
  // The root prototype of another realm.
  if (parent === null) return hasOwn(prototype, 'isPrototypeOf') ? 'object' : 'foreign'
  if (arrayTag(value) === 'Uint8Array') return 'bytes'
  // A subclass stands one step further from the root than the class itself.
  if (getPrototypeOf(parent) !== null) return 'foreign'
  if (Array.isArray(value)) return 'array'
  const brand = BRANDS.find(({ member }) => member in prototype)
  return brand !== undefined && works(brand.method, value) ? brand.kind : 'foreign'
}

function works(method: (value: object) => unknown, value: object): boolean {
  try {
    method(value)
    return true
  } catch {
    return false
  }
}

function getterOf(prototype: object, name: PropertyKey): (value: object) => unknown {
  const member = Object.getOwnPropertyDescriptor(prototype, name)
  return (value): unknown => member?.get?.call(value)
}

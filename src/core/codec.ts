/**
 * How a session's data becomes bytes: JSON, where an object with one key that starts with `$` stands for a
 * typed value.
 *
 * | form | value |
 * |---|---|
 * | `{"$d":ms}` | Date; `null` for an invalid one |
 * | `{"$m":[[key,value]…]}`, `{"$s":[member…]}` | Map, Set, in their order |
 * | `{"$i":"123"}` | bigint |
 * | `{"$b":"base64"}` | Uint8Array |
 * | `{"$n":"NaN"}` | NaN, Infinity, -Infinity (-0 is plain JSON) |
 * | `{"$e":[[key,value]…]}` | an object with a key of one character that JSON escapes |
 * | `{"$o":{…}}` | the application's own object whose only key starts with `$` |
 *
 * A value that is there twice is encoded twice.
 */
import { DataError } from '../errors.ts'
import { Encoder, type EncodeLimits } from './encoder.ts'
import { DEEPEST } from './values.ts'

type Members = Record<string, unknown>

const NUMBERS: Readonly<Record<string, number>> = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  '-Infinity': Number.NEGATIVE_INFINITY,
}
const INTEGER = /^(?:0|-?[1-9]\d*)$/
const LATEST_DATE = 8.64e15
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * The data as bytes; it is not changed. Throws `DataError` with the path of a value that cannot be kept, and
 * `LimitError` for `depth` (containers in containers, the data itself is the first) and `recordSize` (bytes).
 */
export function encode(data: object, limits: EncodeLimits): Uint8Array {
  return new Encoder(limits).encode(data)
}

/** The data of such bytes, as ordinary objects. Throws `DataError` for anything that `encode` does not write, such as the forms of a newer version. */
export function decode(bytes: Uint8Array): Members {
  const parsed = parse(bytes)
  if (typeof parsed.value !== 'object' || parsed.value === null) throw unreadable('it is no object')
  // Too short to be nested too deeply, and no typed values: nothing to look for.
  const value = parsed.typed || bytes.length > 2 * DEEPEST ? revive(parsed.value, 0) : parsed.value
  if (Object.getPrototypeOf(value) !== Object.prototype) throw unreadable('it is no object')
  return value as Members
}

function parse(bytes: Uint8Array): { readonly value: unknown; readonly typed: boolean } {
  try {
    const text = strict.decode(bytes)
    return { value: JSON.parse(text), typed: text.includes('"$') }
  } catch {
    // The parser's own message quotes the data, which belongs into no log: it is no cause.
    throw unreadable('it is no JSON in UTF-8')
  }
}

/** In place: what `JSON.parse` made are own data properties, so that assigning reaches no prototype, not even for `__proto__`. */
function revive(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (depth > DEEPEST) throw unreadable(`it is nested more than ${DEEPEST} levels deep`)
  if (Array.isArray(value)) return reviveList(value, depth + 1)
  const keys = Object.keys(value)
  const [first] = keys
  if (keys.length === 1 && first?.startsWith('$') === true)
    return reviveTyped(first, (value as Members)[first], depth + 1)
  return reviveMembers(value as Members, keys, depth + 1)
}

function reviveList(list: unknown[], depth: number): unknown[] {
  for (let at = 0; at < list.length; at++) {
    const member = list[at]
    if (typeof member === 'object' && member !== null) list[at] = revive(member, depth)
  }
  return list
}

function reviveMembers(object: Members, keys: readonly string[], depth: number): Members {
  for (const key of keys) {
    const member = object[key]
    if (typeof member === 'object' && member !== null) object[key] = revive(member, depth)
  }
  return object
}

function reviveTyped(form: string, content: unknown, depth: number): unknown {
  switch (form) {
    case '$d':
      return reviveDate(content)
    case '$m':
      return new Map(listOf(form, content).map((entry) => reviveEntry(entry, depth)))
    case '$s':
      return new Set(reviveList(listOf(form, content), depth))
    case '$i':
      if (typeof content === 'string' && INTEGER.test(content)) return BigInt(content)
      throw malformed(form)
    case '$b':
      return reviveBytes(content)
    case '$n':
      if (typeof content === 'string' && Object.hasOwn(NUMBERS, content)) return NUMBERS[content]
      throw malformed(form)
    case '$e':
      return reviveEntries(listOf(form, content), depth)
    case '$o':
      return reviveOwn(content, depth)
    default:
      throw unreadable(
        `it has a value of the unknown form ${JSON.stringify(form.slice(0, 16))}; was it written by a newer version of Holdfast?`,
      )
  }
}

function reviveDate(content: unknown): Date {
  if (content === null) return new Date(Number.NaN)
  if (Number.isInteger(content) && Math.abs(content as number) <= LATEST_DATE) return new Date(content as number)
  throw malformed('$d')
}

function reviveEntry(entry: unknown, depth: number): [unknown, unknown] {
  if (!Array.isArray(entry) || entry.length !== 2) throw malformed('$m')
  return [revive(entry[0], depth), revive(entry[1], depth)]
}

function reviveBytes(content: unknown): Uint8Array {
  if (typeof content !== 'string') throw malformed('$b')
  const bytes = Buffer.from(content, 'base64')
  // Node skips what is no base64; what it read must be all there is.
  if (bytes.toString('base64') !== content) throw malformed('$b')
  return new Uint8Array(bytes)
}

function reviveEntries(entries: readonly unknown[], depth: number): Members {
  const object: Members = {}
  for (const entry of entries) {
    if (!Array.isArray(entry) || entry.length !== 2 || typeof entry[0] !== 'string') throw malformed('$e')
    const value = revive(entry[1], depth)
    Object.defineProperty(object, entry[0], { value, writable: true, enumerable: true, configurable: true })
  }
  return object
}

function reviveOwn(content: unknown, depth: number): Members {
  if (typeof content !== 'object' || content === null || Array.isArray(content)) throw malformed('$o')
  const keys = Object.keys(content)
  if (keys.length !== 1 || keys[0]?.startsWith('$') !== true) throw malformed('$o')
  return reviveMembers(content as Members, keys, depth)
}

function listOf(form: string, content: unknown): unknown[] {
  if (Array.isArray(content)) return content
  throw malformed(form)
}

function malformed(form: string): DataError {
  return unreadable(`a value of the form ${form} is malformed`)
}

function unreadable(why: string): DataError {
  return new DataError('', `The stored data of a session cannot be read: ${why}.`)
}

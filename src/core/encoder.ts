/** The writing half of the codec: checks and writes in one walk, so that what was checked is what is written. */
import { DataError, LimitError } from '../errors.ts'
import { formatPath, type Step } from './path.ts'
import { DEEPEST, kindOf, strayMember } from './values.ts'

/** `depth` counts containers, the data itself is the first; `recordSize` counts bytes. */
export interface EncodeLimits {
  readonly depth: number
  readonly recordSize: number
}

type Members = Readonly<Record<string, unknown>>

/** Up to this length a look at each character is quicker than the quoting of `JSON.stringify`. */
const SHORT = 40

/**
 * V8 in Node 24 can read a key of one escaped character as another, which an earlier parse in the same process left
 * behind: after `{"a":1,"\\\\":1}` it reads `{"a":1,"\\n":1}` with the key `\\`. Such keys are written as values.
 */
function isMisread(key: string): boolean {
  return key.length === 1 && JSON.stringify(key).length > 3
}

/** For one walk. */
export class Encoder {
  readonly #limits: EncodeLimits
  readonly #deepest: number
  readonly #path: Step[] = []
  readonly #containers: object[] = []
  /** A lower bound of the bytes so far, so that data which refers to itself many times over ends soon. */
  #size = 0

  constructor(limits: EncodeLimits) {
    this.#limits = limits
    this.#deepest = Math.min(limits.depth, DEEPEST)
  }

  encode(data: object): Uint8Array {
    if (typeof data !== 'object' || data === null || kindOf(data) !== 'object')
      throw new DataError('', `The data of a session is a plain object, not ${describe(data)}.`)
    const bytes = Buffer.from(this.#value(data), 'utf8')
    if (bytes.length > this.#limits.recordSize) throw this.#tooLarge(`${bytes.length} bytes`)
    return bytes
  }

  #value(value: unknown): string {
    switch (typeof value) {
      case 'string':
        this.#count(value.length + 2)
        return quote(value)
      case 'number':
        this.#count(1)
        return Number.isFinite(value) ? (Object.is(value, -0) ? '-0' : String(value)) : `{"$n":"${value}"}`
      case 'boolean':
        this.#count(4)
        return value ? 'true' : 'false'
      case 'bigint':
        return this.#counted(`{"$i":"${value}"}`)
      case 'object':
        return value === null ? 'null' : this.#container(value)
      case 'undefined':
      case 'function':
      case 'symbol':
        throw this.#refuse(value)
    }
  }

  #container(value: object): string {
    const kind = kindOf(value)
    if (kind === 'date') return this.#date(value as Date)
    if (kind === 'bytes') return this.#bytes(value as Uint8Array)
    if (kind === 'foreign') throw this.#refuse(value)
    this.#enter(value)
    const text = this.#members(kind, value)
    this.#containers.pop()
    return text
  }

  #members(kind: 'object' | 'array' | 'map' | 'set', value: object): string {
    switch (kind) {
      case 'object':
        return this.#object(value as Members)
      case 'array':
        return this.#array(value as unknown[])
      case 'map':
        return this.#map(value as Map<unknown, unknown>)
      case 'set':
        return this.#set(value as Set<unknown>)
    }
  }

  #object(object: Members): string {
    const keys = Object.keys(object)
    this.#refuseStray(object, keys)
    if (keys.some(isMisread)) return this.#entries(object, keys)
    let text = ''
    let sole: string | undefined
    for (const key of keys) {
      const value = object[key]
      if (value === undefined) continue
      this.#count(key.length + 3)
      const member = `${quote(key)}:${this.#at(key, value)}`
      sole = text === '' ? key : undefined
      text = text === '' ? member : `${text},${member}`
    }
    return sole?.startsWith('$') === true ? `{"$o":{${text}}}` : `{${text}}`
  }

  /** An object with a key that is not safe as JSON's own key. */
  #entries(object: Members, keys: readonly string[]): string {
    const entries: string[] = []
    for (const key of keys) {
      const value = object[key]
      if (value === undefined) continue
      this.#count(key.length + 5)
      entries.push(`[${quote(key)},${this.#at(key, value)}]`)
    }
    return `{"$e":[${entries.join(',')}]}`
  }

  #array(list: readonly unknown[]): string {
    let text = ''
    for (let at = 0; at < list.length; at++) {
      const member = this.#at(at, list[at])
      text = at === 0 ? member : `${text},${member}`
    }
    // There are no holes any more: more keys than indices are members of another kind.
    const keys = Object.keys(list)
    const extra = keys[list.length]
    if (extra !== undefined) throw this.#misplaced(extra, 'a property of an array besides its elements')
    return `[${text}]`
  }

  #map(map: ReadonlyMap<unknown, unknown>): string {
    this.#refuseExtra(map)
    let text = ''
    let at = 0
    for (const [key, value] of map) {
      const entry = `[${this.#at({ keys: at }, key)},${this.#at(typeof key === 'string' ? { get: key } : { values: at }, value)}]`
      text = at++ === 0 ? entry : `${text},${entry}`
    }
    return `{"$m":[${text}]}`
  }

  #set(set: ReadonlySet<unknown>): string {
    this.#refuseExtra(set)
    let text = ''
    let at = 0
    for (const value of set) {
      const member = this.#at({ values: at }, value)
      text = at++ === 0 ? member : `${text},${member}`
    }
    return `{"$s":[${text}]}`
  }

  #date(date: Date): string {
    this.#refuseExtra(date)
    const time = date.getTime()
    return this.#counted(`{"$d":${Number.isNaN(time) ? 'null' : time}}`)
  }

  #bytes(bytes: Uint8Array): string {
    this.#count(Math.ceil((bytes.length * 4) / 3))
    return `{"$b":"${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')}"}`
  }

  #at(step: Step, value: unknown): string {
    this.#path.push(step)
    const text = this.#value(value)
    this.#path.pop()
    return text
  }

  #enter(container: object): void {
    this.#containers.push(container)
    this.#count(2)
    const { length } = this.#containers
    if (length <= this.#deepest) return
    throw (
      this.#cycle() ??
      new LimitError(
        'depth',
        `${this.#here()} is nested ${length} levels deep; at most ${this.#deepest} are allowed (limits.depth). Keep the data flatter, or raise the limit.`,
      )
    )
  }

  #counted(text: string): string {
    this.#count(text.length)
    return text
  }

  #count(bytes: number): void {
    this.#size += bytes
    if (this.#size > this.#limits.recordSize)
      throw this.#cycle() ?? this.#tooLarge(`at least ${this.#size} bytes up to ${this.#here()}`)
  }

  #tooLarge(found: string): LimitError {
    return new LimitError(
      'recordSize',
      `What is to be stored takes ${found}; at most ${this.#limits.recordSize} are allowed (limits.recordSize). Keep large things elsewhere and a reference here, or raise the limit.`,
    )
  }

  /** Looked for only when a limit is crossed, which every cycle does. */
  #cycle(): DataError | undefined {
    const again = this.#containers.findIndex((container, at) => this.#containers.indexOf(container) < at)
    if (again < 0) return undefined
    const path = formatPath(this.#path.slice(0, again))
    return new DataError(
      path,
      `${path} refers to an object that contains it: a session keeps trees only. Store an id instead of the object.`,
    )
  }

  #refuseStray(object: object, keys: readonly string[]): void {
    const stray = strayMember(object, keys)
    if (stray !== undefined) throw this.#misplaced(stray.key, stray.what)
  }

  #refuseExtra(object: object): void {
    const [extra] = [...Object.keys(object), ...Object.getOwnPropertySymbols(object)]
    if (extra !== undefined) throw this.#misplaced(extra, 'a property of a built-in object')
  }

  #misplaced(key: PropertyKey, what: string): DataError {
    const path = formatPath([...this.#path, String(key)])
    return new DataError(
      path,
      `${path} is ${what}, which would be lost: a session keeps ordinary members only. Make it an ordinary member, or remove it.`,
    )
  }

  #refuse(value: unknown): DataError {
    const path = formatPath(this.#path)
    return new DataError(path, `${path} is ${describe(value)}, which a session cannot keep. ${advice(value)}`)
  }

  #here(): string {
    return formatPath(this.#path) || 'the data itself'
  }
}

function quote(text: string): string {
  if (text.length > SHORT) return JSON.stringify(text)
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    // Control characters, quote, backslash, surrogates.
    if (code < 0x20 || code === 0x22 || code === 0x5c || (code >= 0xd8_00 && code <= 0xdf_ff))
      return JSON.stringify(text)
  }
  return `"${text}"`
}

function describe(value: unknown): string {
  if (value === undefined || value === null) return String(value)
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'symbol') return 'a symbol'
  if (typeof value !== 'object') return `a ${typeof value}`
  const name = className(value)
  return name === undefined ? 'an object with a prototype of its own' : `an instance of ${name}`
}

function className(value: object): string | undefined {
  const prototype = Object.getPrototypeOf(value) as object
  const maker: unknown = Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value
  return typeof maker === 'function' && maker.name !== '' ? maker.name : undefined
}

function advice(value: unknown): string {
  if (value === undefined) return 'Use null, or leave it out.'
  if (typeof value === 'function' || typeof value === 'symbol') return 'Remove it.'
  const name = typeof value === 'object' && value !== null ? className(value) : undefined
  if (name === 'Promise') return 'Await it first.'
  if (name === 'Number' || name === 'String' || name === 'Boolean') return 'Use the bare value: valueOf().'
  return 'Keep plain objects, arrays, strings, numbers, booleans, null, Date, Map, Set, bigint and Uint8Array; turn it into one of them first.'
}

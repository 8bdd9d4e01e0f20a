/** Everything that a session can keep, for property tests, and small ways to look at it. */
import fc from 'fast-check'

export const roomy = { depth: 200, recordSize: 10_000_000 }

/** Names that have a meaning of their own somewhere: to JavaScript, to JSON, to the codec. */
const pitfalls = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'toJSON',
  'hasOwnProperty',
  'then',
  '',
  '0',
  '$',
  '$d',
  '$m',
  '$s',
  '$i',
  '$b',
  '$n',
  '$o',
  '$x',
  'a',
  'b',
  'c',
]

const rawString = fc
  .array(fc.integer({ min: 0, max: 0xff_ff }), { maxLength: 8 })
  .map((units) => String.fromCharCode(...units))

export const text: fc.Arbitrary<string> = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  rawString,
  fc.constantFrom('"$', '\ud800', '\udfff\ud800', '\u0000', '\u2028', 'é', '"', '\\', '{"$d":1}'),
)

const key = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...pitfalls) }, { weight: 1, arbitrary: text })

const leaf: fc.Arbitrary<unknown> = fc.oneof(
  text,
  fc.double(),
  fc.integer(),
  fc.constantFrom(
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    -0,
    0,
    5e-324,
    Number.MAX_VALUE,
    true,
    false,
    null,
  ),
  fc.bigInt(),
  fc.date({ noInvalidDate: false }),
  fc.uint8Array({ maxLength: 12 }),
)

function objectOf(member: fc.Arbitrary<unknown>): fc.Arbitrary<Record<string, unknown>> {
  return fc.array(fc.tuple(key, member), { maxLength: 4 }).map((entries) => Object.fromEntries(entries))
}

const { tree, data } = fc.letrec<{ tree: unknown; data: Record<string, unknown> }>((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.array(tie('tree'), { maxLength: 4 }),
    tie('data'),
    fc.array(fc.tuple(tie('tree'), tie('tree')), { maxLength: 3 }).map((entries) => new Map(entries)),
    fc.array(tie('tree'), { maxLength: 3 }).map((members) => new Set(members)),
  ),
  data: objectOf(tie('tree')),
}))

/** Any value that a session can keep. */
export const storable: fc.Arbitrary<unknown> = tree

/** Data as a session has it: a plain object of such values. */
export const storableData: fc.Arbitrary<Record<string, unknown>> = data

/** Every object inside a value, itself included. */
export function objectsIn(value: unknown): object[] {
  if (typeof value !== 'object' || value === null) return []
  if (value instanceof Map) return [value, ...[...value].flat().flatMap(objectsIn)]
  if (value instanceof Set) return [value, ...[...value].flatMap(objectsIn)]
  if (value instanceof Date || value instanceof Uint8Array) return [value]
  return [value, ...Object.values(value).flatMap(objectsIn)]
}

/** Says all there is to a value, so that two are the same exactly where their texts are; the order of an object's members aside. */
export function spell(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value !== 'object' || value === null) return Object.is(value, -0) ? '-0' : String(value)
  const maker = (Object.getPrototypeOf(value) as { constructor: { name: string } }).constructor.name
  return `${maker}(${spellInside(value)})`
}

function spellInside(value: object): string {
  if (value instanceof Date) return String(value.getTime())
  if (value instanceof Uint8Array) return value.join()
  if (value instanceof Map) return [...value].map((entry) => entry.map(spell).join('=>')).join()
  if (value instanceof Set || Array.isArray(value)) return [...value].map(spell).join()
  const members = Object.entries(value).filter(([, member]) => member !== undefined)
  return members
    .map(([name, member]) => `${JSON.stringify(name)}:${spell(member)}`)
    .toSorted()
    .join()
}

/** The fields of a form that a body parser has read, as they were sent. */

import { isFormData } from './presented.ts'

type Field = readonly [name: string, value: string]

/** Deeper than any parser nests by itself. */
const DEPTH_MOST = 32

/**
 * Undoes what parsers make of a form: lists of a name that stood several times, and the objects and lists that qs makes of
 * `a[b]=1` and `a[]=1`. `undefined` where there is anything that is no text: what is left out silently would be missed.
 */
export function formFields(form: object): Field[] | undefined {
  const fields: Field[] = []
  for (const [name, value] of isFormData(form) ? form : Object.entries(form))
    if (!add(fields, name, value, 0)) return undefined
  return fields
}

function add(fields: Field[], name: string, value: unknown, depth: number): boolean {
  if (typeof value === 'string') return fields.push([name, value]) > 0
  if (typeof value !== 'object' || value === null || depth > DEPTH_MOST) return false
  if (!Array.isArray(value)) {
    return (
      isPlain(value) && Object.entries(value).every(([key, inner]) => add(fields, `${name}[${key}]`, inner, depth + 1))
    )
  }
  const texts = value.every((inner) => typeof inner === 'string')
  // A parser without brackets makes a list only of a name that stood twice.
  const nameAt = (at: number): string => (!texts ? `${name}[${at}]` : value.length > 1 ? name : `${name}[]`)
  return value.every((inner, at) => add(fields, nameAt(at), inner, depth + 1))
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** Finds the token that a request brings: in a header, else in the body; never in the URL, which ends up in logs. */
import { headerOf, type RequestFacts } from '../core/request.ts'
import { UNPARSED } from '../core/visit.ts'

/** The header that scripts send a token in. */
export const TOKEN_HEADER = 'x-csrf-token'
/** The field that forms send a token in. */
export const TOKEN_FIELD = '_csrf'

/** What a request brings as its token. */
export interface Presented {
  /** `undefined` where there is none. Where it stands more than once, or is no text, a text that is never valid. */
  readonly token: string | undefined
  /** The headers promise a form or JSON, and nobody has parsed it: a token in it could not be seen. */
  readonly unparsed: boolean
  readonly repeated: boolean
}

const NEVER_VALID = ','
const FORM = /^\s*(?:multipart\/form-data|application\/x-www-form-urlencoded)\s*(?:;|$)/i
const JSON_TYPE = /^\s*(?:application\/(?:[\w.+-]+\+)?json|text\/json)\s*(?:;|$)/i

/** The token of a request. An empty header or field is none; the header goes before the field. */
export function presentedToken(facts: RequestFacts, body: unknown): Presented {
  const header = headerOf(facts, TOKEN_HEADER)
  if (header !== undefined && header !== '') return { token: header, unparsed: false, repeated: header.includes(',') }
  const field = fieldOf(body)
  if (field === undefined || field === '')
    return { token: undefined, unparsed: isUnparsed(facts, body), repeated: false }
  if (typeof field === 'string') return { token: field, unparsed: false, repeated: false }
  return { token: NEVER_VALID, unparsed: false, repeated: Array.isArray(field) }
}

function fieldOf(body: unknown): unknown {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return undefined
  if (!isFormData(body)) return valueOf(Object.getOwnPropertyDescriptor(body, TOKEN_FIELD)?.value)
  const [field, ...others] = body.getAll(TOKEN_FIELD)
  return others.length === 0 ? field : [field, ...others]
}

/** @fastify/multipart can make an object of every field: `{ type: 'field', value }`. */
function valueOf(field: unknown): unknown {
  const part = typeof field === 'object' && field !== null ? (field as { type?: unknown; value?: unknown }) : {}
  return part.type === 'field' && typeof part.value === 'string' ? part.value : field
}

/** Whether a form was parsed into what the web has for forms. */
export function isFormData(body: object): body is URLSearchParams | FormData {
  return body instanceof URLSearchParams || body instanceof FormData
}

function isUnparsed(facts: RequestFacts, body: unknown): boolean {
  const type = headerOf(facts, 'content-type') ?? ''
  if (headerOf(facts, 'content-length') === '0') return false
  if (FORM.test(type)) return !isParsedForm(body)
  return JSON_TYPE.test(type) && (body === UNPARSED || body === undefined || ArrayBuffer.isView(body))
}

function isParsedForm(body: unknown): boolean {
  if (typeof body !== 'object' || body === null || ArrayBuffer.isView(body)) return false
  if (isFormData(body)) return !body.keys().next().done
  // Express 4's parsers leave `{}` behind on a body of a type that is not theirs.
  return Object.keys(body).length > 0
}

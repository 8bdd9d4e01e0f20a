/** The answer to a declared callback of another site: the page that submits its fields again from here. */
import type { Settings } from '../core/options.ts'
import type { RequestFacts } from '../core/request.ts'
import { matchCallback, RESUBMISSION_HEADERS, RESUBMITTED, resubmissionPage } from '../csrf/callback.ts'
import { formFields } from '../csrf/form-fields.ts'
import { TOKEN_FIELD } from '../csrf/presented.ts'
import { CsrfError, type HoldfastError, LimitError } from '../errors.ts'
import type { Answer } from './answer.ts'

/** More than any form has that a person fills in, or a protocol. */
const FIELDS_MOST = 1000

/**
 * The answer if the request is such a callback. `url`: path and query; `body`: the parsed form. What cannot be passed on
 * whole is logged, and left to be refused as another site's. Throws `LimitError` for what is too long.
 */
export function answerToCallback(
  facts: RequestFacts,
  settings: Settings,
  url: string,
  body: unknown,
): Answer | undefined {
  if (settings.callbacks.length === 0 || matchCallback(facts, settings) === undefined) return undefined
  return resubmission(facts, settings, url, body)
}

const PAGES = new WeakMap<HoldfastError, Answer>()

/** The error that says so, where there is nobody to answer at once. */
export function passedOn(page: Answer): CsrfError {
  const error = new CsrfError(
    'origin-refused',
    'A declared callback of another site: answerWith() answers it with the page that submits it again from here.',
  )
  PAGES.set(error, page)
  return error
}

/** The page that belongs to such an error. */
export function pageOf(error: HoldfastError): Answer | undefined {
  return PAGES.get(error)
}

/** The same for a request that is known to be such a callback. */
export function resubmission(facts: RequestFacts, settings: Settings, url: string, body: unknown): Answer | undefined {
  const fields = fieldsOf(facts, body)
  if (typeof fields === 'string') {
    const { method, path } = facts
    settings.log.warn({ method, path }, `A callback was not passed on, but refused: ${fields}`)
    return undefined
  }
  refuseTooLong(fields, settings.limits.callback)
  return { status: 200, headers: RESUBMISSION_HEADERS, body: resubmissionPage(url, fields) }
}

/** The fields, or why they cannot be passed on. */
function fieldsOf({ headers }: RequestFacts, body: unknown): readonly (readonly [string, string])[] | string {
  if (!/^\s*application\/x-www-form-urlencoded\s*(?:;|$)/i.test(String(headers['content-type'] ?? '')))
    return 'only forms in application/x-www-form-urlencoded are, no files and no JSON.'
  if (typeof body !== 'object' || body === null || Array.isArray(body) || ArrayBuffer.isView(body))
    return 'its body was not parsed. Mount Holdfast after the body parsers; with attach(), pass the body.'
  const fields = formFields(body)
  if (fields === undefined) return 'it has a field that is no text.'
  return fields.some(([name, value]) => name === TOKEN_FIELD && value === RESUBMITTED)
    ? 'it was passed on already, and what came of that is again of another origin. Is it shown in a sandboxed frame, or does a proxy change the host? Set origin to what browsers call this application.'
    : fields
}

function refuseTooLong(fields: readonly (readonly [string, string])[], most: number): void {
  const size = fields.reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(value), 0)
  if (size <= most && fields.length <= FIELDS_MOST) return
  throw new LimitError(
    'callback',
    `A callback with ${fields.length} fields of ${size} bytes was not passed on: limits.callback allows ${most} bytes, and ${FIELDS_MOST} fields are the most.`,
  )
}

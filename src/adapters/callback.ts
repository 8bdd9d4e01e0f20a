/** The answer to a declared callback of another site: the page that submits its fields again from here. */
import type { Callback } from '../types.ts'
import type { RequestFacts } from '../core/request.ts'
import { matchCallback, RESUBMISSION_HEADERS, resubmissionPage } from '../csrf/callback.ts'
import { REASONS } from '../csrf/reasons.ts'
import { CsrfError } from '../errors.ts'
import { type Answer, answerFor } from './answer.ts'

/** The answer if the request is such a callback. `url`: path and query; `body`: the parsed form. */
export function answerToCallback(
  facts: RequestFacts,
  callbacks: readonly Callback[],
  url: string,
  body: unknown,
): Answer | undefined {
  return matchCallback(facts, callbacks) === undefined ? undefined : resubmission(facts, url, body)
}

/** The page for a request that is known to be such a callback. */
export function resubmission(facts: RequestFacts, url: string, body: unknown): Answer {
  if (typeof body !== 'object' || body === null) {
    const accept = facts.headers['accept']
    return answerFor(
      new CsrfError('body-not-parsed', REASONS['body-not-parsed'].developer),
      typeof accept === 'string' ? accept : undefined,
    )
  }
  return { status: 200, headers: RESUBMISSION_HEADERS, body: resubmissionPage(url, fieldsOf(body)) }
}

/** The fields of a parsed form; a field that stood several times is a list. */
function fieldsOf(form: object): [string, string][] {
  return Object.entries(form).flatMap(([name, value]: [string, unknown]) =>
    (Array.isArray(value) ? value : [value])
      .filter((one) => typeof one === 'string')
      .map((one): [string, string] => [name, one]),
  )
}

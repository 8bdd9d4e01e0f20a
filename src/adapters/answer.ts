/** What a visitor, or a program, gets where Holdfast itself has to answer: a small page, or a problem (RFC 9457). */
import { createHash } from 'node:crypto'
import { STATUS_CODES } from 'node:http'
import { escapeHtml } from '../csrf/field.ts'
import { REASONS } from '../csrf/reasons.ts'
import {
  CommitUnknownError,
  CsrfError,
  EndPendingError,
  type HoldfastError,
  LimitError,
  SessionEndedError,
  StoreUnavailableError,
  UnconfirmedError,
} from '../errors.ts'

/** An answer, ready to be sent. Header names are in lower case; the length of the body is left to whoever sends it. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

interface Wording {
  readonly title: string
  /** What happened. */
  readonly detail: string
  /** What the visitor can do. */
  readonly advice: string
}

/** What an answer depends on besides its error. */
export interface AnswerOptions {
  /**
   * Whether a refused script of our own pages gets a new CSRF token with the problem, to try again with. Not where another
   * origin may read the answer (`Access-Control-Allow-Origin`). Default `false`.
   */
  readonly fresh?: boolean | undefined
}

/** The answer to a request that ended with this error: a page where the client prefers HTML, else problem+json. */
export function answerFor(
  error: HoldfastError,
  accept: string | undefined,
  { fresh = false }: AnswerOptions = {},
): Answer {
  const html = prefersHtml(accept)
  const wording = wordingOf(error)
  return {
    status: error.status,
    headers: {
      ...error.headers,
      'content-type': html ? 'text/html; charset=utf-8' : 'application/problem+json',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      ...(html ? { 'content-security-policy': CSP } : {}),
    },
    body: html ? pageOf(error, wording) : problemOf(error, wording, fresh),
  }
}

function wordingOf(error: HoldfastError): Wording {
  if (error instanceof CsrfError) {
    const [detail, advice] = sentences(REASONS[error.reason].visitor)
    return { title: 'This was not carried out', detail, advice }
  }
  if (error instanceof StoreUnavailableError) {
    return {
      title: 'Please try again in a moment',
      detail:
        error.applied === 'no'
          ? 'Your session cannot be reached at the moment. You have not been signed out, and nothing was lost that was saved before.'
          : 'Your session cannot be reached at the moment. You have not been signed out. Your last change may have been saved or not.',
      advice: 'Wait a few seconds, then load the page again.',
    }
  }
  if (error instanceof CommitUnknownError) {
    return {
      title: 'Please look before you try again',
      detail: 'Your last change may have been saved or not: the answer did not arrive. You have not been signed out.',
      advice: 'Load the page again and see whether the change is there before you repeat it.',
    }
  }
  if (error instanceof UnconfirmedError) {
    return {
      title: 'Please look before you try again',
      detail: 'Your last change was saved, but not yet as safely as it should be. You have not been signed out.',
      advice: 'Load the page again and see whether the change is there before you repeat it.',
    }
  }
  if (error instanceof EndPendingError) return ENDINGS[error.reason]
  if (error instanceof SessionEndedError) {
    return { title: 'Your session is over', detail: 'You are no longer signed in.', advice: 'Please sign in again.' }
  }
  if (error instanceof LimitError && error.status === 503) {
    return {
      title: 'Please try again in a moment',
      detail:
        error.limit === 'ends'
          ? 'The end of a session could not be saved: it may still be open.'
          : 'Too many changes of your session came at once, and this one was not saved. You have not been signed out.',
      advice: 'Wait a few seconds, then try again.',
    }
  }
  if (error.status === 413) {
    return {
      title: 'This was too long',
      detail: 'What another website sent with you was too long to be taken over, so nothing was carried out.',
      advice: 'Go back and try again. If it happens again, please tell the operator of this site the code below.',
    }
  }
  return {
    title: STATUS_CODES[error.status] ?? 'Error',
    detail: 'Something went wrong on our side, and this was not carried out.',
    advice: 'If it happens again, please tell the operator of this site the code below.',
  }
}

const ENDINGS: Readonly<Record<EndPendingError['reason'], Wording>> = {
  'signed-out': {
    title: 'You are signed out in this browser',
    detail: 'This browser has forgotten your session. It could not be closed everywhere yet, which follows by itself.',
    advice: 'To be sure, sign in and out again in a few minutes.',
  },
  revoked: {
    title: 'The session is not closed everywhere yet',
    detail: 'It could not be closed everywhere at the moment, which follows by itself.',
    advice: 'To be sure, end it again in a few minutes.',
  },
}

/** The first sentence says what happened, the rest what to do. */
function sentences(text: string): [string, string] {
  const end = text.indexOf('. ')
  return end < 0 ? [text, ''] : [text.slice(0, end + 1), text.slice(end + 2)]
}

function problemOf(error: HoldfastError, wording: Wording, fresh: boolean): string {
  const { status } = error
  const token = fresh && error instanceof CsrfError ? error.token : undefined
  return JSON.stringify({
    type: 'about:blank',
    title: STATUS_CODES[status] ?? 'Error',
    status,
    detail: `${wording.detail} ${wording.advice}`.trim(),
    code: error.code,
    ...(error instanceof CsrfError || error instanceof SessionEndedError ? { reason: error.reason } : {}),
    ...(error instanceof StoreUnavailableError ? { applied: error.applied } : {}),
    ...(error.handle === undefined ? {} : { handle: error.handle }),
    ...(token === undefined ? {} : { token }),
  })
}

const STYLE =
  ':root{color-scheme:light dark}body{font:1.125rem/1.6 system-ui,sans-serif;max-width:34rem;margin:4rem auto;padding:0 1.25rem}' +
  'h1{font-size:1.75rem;line-height:1.25}code{font-size:.9em}.code{opacity:.75}'
const CSP = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'self'",
].join('; ')

function pageOf(error: HoldfastError, { title, detail, advice }: Wording): string {
  const code =
    error instanceof CsrfError || error instanceof SessionEndedError ? `${error.code} ${error.reason}` : error.code
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
<main>
<h1>${escapeHtml(title)}</h1>
<p>${escapeHtml(detail)}</p>
${advice === '' ? '' : `<p>${escapeHtml(advice)}</p>\n`}<p class="code">Code: <code>${escapeHtml(code)}</code></p>
</main>
</html>
`
}

/** Whether HTML is asked for more than JSON. A client that says nothing, or takes anything, is a program. */
function prefersHtml(accept: string | undefined): boolean {
  return (
    accept !== undefined &&
    quality(accept, ['text/html', 'application/xhtml+xml']) >
      quality(accept, ['application/json', 'application/problem+json'])
  )
}

/** The highest weight that these media types are listed with by name (RFC 9110, section 12.5.1). */
function quality(accept: string, types: readonly string[]): number {
  let highest = 0
  for (const item of accept.toLowerCase().split(',')) {
    const [type = '', ...parameters] = item.split(';').map((part) => part.trim())
    if (!types.includes(type)) continue
    const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2)
    highest = Math.max(highest, weight === undefined ? 1 : Number(weight) || 0)
  }
  return highest
}

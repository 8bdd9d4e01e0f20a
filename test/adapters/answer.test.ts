import { createHash } from 'node:crypto'

import { describe, expect, it } from 'vitest'

import { answerFor } from '../../src/adapters/answer.ts'
import { REASONS } from '../../src/csrf/reasons.ts'
import {
  CommitUnknownError,
  CsrfError,
  type CsrfReason,
  DataError,
  EndPendingError,
  type HoldfastError,
  LimitError,
  SessionEndedError,
  StoreUnavailableError,
  UnconfirmedError,
} from '../../src/errors.ts'

const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'

const errors: readonly (readonly [string, HoldfastError, number])[] = [
  ['a store that is down', new StoreUnavailableError('secret detail', { retryAfter: 7, handle: 'handle-1' }), 503],
  ['an unknown outcome', new CommitUnknownError('secret detail'), 503],
  ['a change that is not confirmed', new UnconfirmedError('secret detail'), 503],
  ['a sign-out that the store did not take', new EndPendingError('signed-out', 'secret detail'), 503],
  ['a revocation that the store did not take', new EndPendingError('revoked', 'secret detail'), 503],
  ['too many ends that the store did not take', new LimitError('ends', 'secret detail'), 503],
  ['a session that is over', new SessionEndedError('revoked', 'secret detail'), 401],
  ['a forgery', new CsrfError('origin-refused', 'secret detail'), 403],
  ['data that cannot be kept', new DataError('cart[0]', 'secret detail'), 500],
  ['a response too long to hold', new LimitError('heldBody', 'secret detail'), 500],
  ['a session too large to keep', new LimitError('recordSize', 'secret detail'), 500],
  ['too many changes at once', new LimitError('queuedCommits', 'secret detail'), 503],
]

describe.each(errors)('the answer to %s', (_name, error, status) => {
  it("has the error's own status, which is what an application gets that wants the errors itself", () => {
    expect(error.status).toBe(status)
    expect(answerFor(error, undefined).status).toBe(status)
    if (status === 503) expect(error.headers['retry-after']).toMatch(/^[0-9]+$/)
  })

  it('is a problem for programs (RFC 9457)', () => {
    const answer = answerFor(error, 'application/json')
    expect(answer.status).toBe(status)
    expect(answer.headers['content-type']).toBe('application/problem+json')
    const problem = JSON.parse(answer.body) as Record<string, unknown>
    expect(problem).toMatchObject({ type: 'about:blank', status, code: error.code })
    expect(problem['title']).toEqual(expect.any(String))
    expect(problem['detail']).toEqual(expect.any(String))
  })

  it('is a page for people, in a language, with a heading, in light and dark', () => {
    const { body, headers } = answerFor(error, BROWSER)
    expect(headers['content-type']).toBe('text/html; charset=utf-8')
    expect(body).toMatch(/<html lang="en">/)
    expect(body.match(/<h1>/g)).toHaveLength(1)
    expect(body).toContain('<main>')
    expect(body).toContain('color-scheme:light dark')
    expect(body).toContain(error.code)
  })

  it('loads nothing from elsewhere, and its policy says so', () => {
    const { body, headers } = answerFor(error, BROWSER)
    expect(body).not.toMatch(/(?:src|href)=|url\(|<script/)
    const style = /<style>(.*)<\/style>/.exec(body)?.[1] ?? ''
    const hash = createHash('sha256').update(style).digest('base64')
    expect(headers['content-security-policy']).toContain(`style-src 'sha256-${hash}'`)
  })

  it.each(['application/json', BROWSER])('is not kept, and tells nothing of the inside (%s)', (accept) => {
    const { body, headers } = answerFor(error, accept)
    expect(headers['cache-control']).toBe('no-store')
    expect(body).not.toContain('secret detail')
  })
})

describe('503', () => {
  it('says when to try again, that nobody was signed out, and names the session', () => {
    const error = new StoreUnavailableError('down', { retryAfter: 7, handle: 'handle-1' })
    const answer = answerFor(error, undefined)
    expect(answer.headers['retry-after']).toBe('7')
    expect(JSON.parse(answer.body)).toMatchObject({ handle: 'handle-1' })
    expect(answerFor(error, BROWSER).body).toMatch(/You have not been signed out/)
  })

  it('does not promise what is not known', () => {
    const error = new StoreUnavailableError('down', { applied: 'unknown' })
    expect(answerFor(error, BROWSER).body).toMatch(/may have been saved or not/)
    expect(JSON.parse(answerFor(error, undefined).body)).toMatchObject({ applied: 'unknown' })
    expect(JSON.parse(answerFor(new StoreUnavailableError('down'), undefined).body)).toMatchObject({ applied: 'no' })
  })
})

describe('an end that the store did not take', () => {
  it('is told as it is: signed out in this browser, and not everywhere yet', () => {
    const { body } = answerFor(new EndPendingError('signed-out', ''), BROWSER)
    expect(body).toMatch(/signed out in this browser/)
    expect(body).toMatch(/could not be closed everywhere yet/)
    expect(body).not.toMatch(/have not been signed out/)
  })
})

describe('403', () => {
  it.each(Object.keys(REASONS) as CsrfReason[])(
    'tells the visitor what to do about %s, and gives the code',
    (reason) => {
      const error = new CsrfError(reason, 'for the developer')
      const page = answerFor(error, BROWSER).body
      const problem = JSON.parse(answerFor(error, undefined).body) as { reason: string; detail: string }
      expect(page).toContain(`ERR_CSRF ${reason}`)
      expect(problem.reason).toBe(reason)
      expect(problem.detail).toBe(REASONS[reason].visitor)
    },
  )
})

describe('what the client accepts', () => {
  it.each([
    [undefined, 'problem'],
    ['*/*', 'problem'],
    ['', 'problem'],
    ['application/json', 'problem'],
    ['application/json, text/html', 'problem'],
    ['application/json;q=0.5, text/html', 'page'],
    ['text/html;q=0.4, application/problem+json;q=0.5', 'problem'],
    ['text/html', 'page'],
    ['TEXT/HTML;Level=1', 'page'],
    ['text/html;q=0', 'problem'],
    ['text/html;q=garbage', 'problem'],
    [BROWSER, 'page'],
  ])('%s: a %s', (accept, expected) => {
    const { headers } = answerFor(new CsrfError('no-evidence', ''), accept)
    expect(headers['content-type']?.startsWith('text/html') ? 'page' : 'problem').toBe(expected)
  })
})

describe('the new token of a refusal', () => {
  const error = new CsrfError('token-stale', 'for developers', { fresh: () => 'a-new-token' })

  it('goes only into a problem, and only where it is said that it may', () => {
    expect(JSON.parse(answerFor(error, undefined, { fresh: true }).body)).toMatchObject({ token: 'a-new-token' })
    expect(answerFor(error, undefined).body).not.toContain('a-new-token')
    expect(answerFor(error, 'text/html', { fresh: true }).body).not.toContain('a-new-token')
  })
})

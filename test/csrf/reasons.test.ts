import { describe, expect, test } from 'vitest'

import { REASONS } from '../../src/csrf/reasons.ts'
import type { CsrfReason } from '../../src/errors.ts'

const CLOSED: readonly CsrfReason[] = [
  'token-missing',
  'token-forged',
  'token-stale',
  'token-other-session',
  'wrong-path',
  'origin-refused',
  'no-evidence',
  'body-not-parsed',
  'session-ended',
]

test('the list of reasons is closed', () => {
  expect(Object.keys(REASONS)).toEqual(CLOSED)
})

describe.each(CLOSED)('%s', (reason) => {
  const { visitor, developer } = REASONS[reason]

  test('tells the visitor what to do, in plain words', () => {
    expect(visitor).toMatch(/^[A-Z].*\.$/)
    expect(visitor).not.toMatch(/csrf|cookie|header|token\(|origin|forg/i)
  })

  test('tells the developer which line or option to change', () => {
    expect(developer).toMatch(/^[A-Z].*: .*\.$/)
    expect(developer).toMatch(/csrf\.|trustedOrigins|checkLater|secret|idleTimeout/)
  })
})

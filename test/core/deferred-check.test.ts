import { describe, expect, it } from 'vitest'

import { beginVisit } from '../../src/core/sessions.ts'
import { UNPARSED } from '../../src/core/visit.ts'
import type { Session } from '../../src/types.ts'
import { Browser, deployment, type TestData } from '../support/core-browser.ts'

const CHANGES: Record<string, (session: Session<TestData>) => Promise<unknown>> = {
  'update()': (session) => session.update((data) => (data['n'] = 1)),
  'commit()': (session) => {
    session.data['n'] = 1
    return session.commit()
  },
  'signIn()': (session) => session.signIn('u2'),
  'signOut()': (session) => session.signOut(),
  "regenerateId({ previous: 'refused' })": (session) => session.regenerateId({ previous: 'refused' }),
}

describe('before a check that was left for later', () => {
  it.each(Object.keys(CHANGES))('%s is refused, and works after it', async (name) => {
    const { servers } = await deployment()
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    const visit = beginVisit(servers[1]!, browser.facts('POST', { 'sec-fetch-site': 'same-origin' }), {})
    await visit.open()
    visit.defer()
    const change = CHANGES[name]!
    await expect(change(visit.session)).rejects.toMatchObject({ code: 'ERR_CSRF', reason: 'body-not-parsed' })
    expect(await browser.copy().visit(servers[0]!, (session) => [session.userId, session.data])).toEqual(['u1', {}])
    visit.check(UNPARSED)
    await change(visit.session)
  })
})

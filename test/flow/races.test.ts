/** The races that break sessions behind a load balancer, over HTTP, against two server processes. `npm run proof:races` prints the same beside express-session. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { closeConnections } from '../../proof/browser.ts'
import { installPeers } from '../../proof/peers.ts'
import { formsAcross, formsAcrossRenewal, formsAfterSignOut } from '../../proof/race/forms.ts'
import { lostAnswers } from '../../proof/race/lost-answer.ts'
import type { Race } from '../../proof/race/race.ts'
import { parallelRenewals, renewalOrders } from '../../proof/race/renewals.ts'
import { signInBeside } from '../../proof/race/sign-in.ts'
import { signOutBeside, signOutInFlight } from '../../proof/race/sign-out.ts'
import { parallelIncrements, parallelKeys } from '../../proof/race/updates.ts'
import { nameOf, onSite, openSite, type Site, type Target } from '../../proof/site.ts'

const TARGETS: readonly (Target & { readonly kind: 'holdfast' })[] = [
  { kind: 'holdfast', adapter: 'express', store: 'lmdb' },
  { kind: 'holdfast', adapter: 'fastify', store: 'lmdb' },
  { kind: 'holdfast', adapter: 'express', store: 'redis' },
  { kind: 'holdfast', adapter: 'fastify', store: 'redis' },
  { kind: 'holdfast', adapter: 'fastify', store: 'sentinel' },
  { kind: 'holdfast', adapter: 'fastify', store: 'cluster' },
]

/** What each race is to show, by the options that its servers need. */
const RULES: readonly { readonly when: string; readonly rules: readonly (readonly [string, Race, number])[] }[] = [
  {
    when: 'with the default options',
    rules: [
      ['I2: 20 parallel requests that each add a key under one object lose none, 20 times', parallelKeys, 400],
      ['I2: 20 × 20 parallel increments count exactly 400', parallelIncrements, 400],
      [
        'I3: a request in flight while the visitor signs out elsewhere does not bring the session back',
        signOutInFlight,
        50,
      ],
      ['I3: nor does one in flight on the same server', signOutBeside, 50],
      [
        'I4: a sign-in beside other requests, in every order, ends signed in, and the id from before reaches nothing',
        signInBeside,
        288,
      ],
    ],
  },
  {
    when: 'with a short grace time',
    rules: [
      ['I4: three parallel renewals of the id log nobody out', parallelRenewals, 150],
      [
        'I4: three renewals, their answers in each of the six orders, stay signed in, also after the grace time',
        renewalOrders,
        24,
      ],
      ['I4, I5: an answer lost after the commit and a retry double nothing and log nobody out', lostAnswers, 100],
    ],
  },
  {
    when: 'where every form needs its token',
    rules: [
      ['500 forms opened on one server and submitted on the other are accepted', formsAcross, 500],
      ['500 forms submitted after the id was renewed are accepted', formsAcrossRenewal, 500],
      ['500 forms submitted after the sign-out are refused', formsAfterSignOut, 500],
    ],
  },
]

afterAll(closeConnections)

describe.each(TARGETS.map((target) => [nameOf(target), target] as const))('two servers on %s', (_name, target) => {
  describe.each(RULES.map(({ when, rules }) => [when, rules] as const))('%s', (_when, rules) => {
    let site: Site
    beforeAll(async () => {
      site = await openSite(target, rules[0]?.[1].options)
    })
    afterAll(() => site.close())

    it.each(rules)('%s', async (_rule, race, of) => {
      expect(await race.run(site, 'full')).toEqual({ wrong: 0, of })
    })
  })
})

describe('two servers on the drop-in for express-session', () => {
  const own = { kind: 'express-session', by: 'drop-in', keeping: 'holdfast' } as const

  it.each([
    ['I2: with our own store no key is lost that 20 parallel requests add', own, parallelKeys, 60],
    ['I3: with our own store nothing brings a session back, wherever it was ended', own, signOutInFlight, 8],
    ['I3: with our own store nothing brings a session back that was ended on the same server', own, signOutBeside, 8],
    [
      'I3: with a plain store nothing brings a session back that was ended on the same server',
      { ...own, keeping: 'connect-redis' } as const,
      signOutBeside,
      8,
    ],
  ])('%s', async (_rule, target, race, of) => {
    if (target.keeping === 'connect-redis') installPeers()
    expect(await onSite(target, race.options, (site) => race.run(site, 'quick'))).toEqual({ wrong: 0, of })
  })
})

/** A rolling change of secrets over two servers logs nobody out and takes nobody's cookie away. */
import { memoryStore } from 'holdfast/memory'
import type { Secrets } from 'holdfast'
import { afterAll, describe, expect, it } from 'vitest'

import { closeConnections, type Browser } from '../../proof/browser.ts'
import { jsonOf, tokenOf, who, type Who } from '../../proof/race/race.ts'
import { ADAPTERS, serve, type Servers } from './servers.ts'

const OLD = 'the old secret of the tests, 32 bytes and more'
const NEW = 'the new secret of the tests, 32 bytes and more'

/** What the two servers have, step by step: never do both change at once. */
const STEPS: readonly (readonly [string, Secrets, Secrets])[] = [
  ['old only', OLD, OLD],
  ['one verifies the new', { sign: OLD, verify: [NEW] }, OLD],
  ['both verify the new', { sign: OLD, verify: [NEW] }, { sign: OLD, verify: [NEW] }],
  ['one signs with the new', { sign: NEW, verify: [OLD] }, { sign: OLD, verify: [NEW] }],
  ['both sign with the new', { sign: NEW, verify: [OLD] }, { sign: NEW, verify: [OLD] }],
]

afterAll(closeConnections)

describe.each(ADAPTERS)('on %s', (adapter) => {
  it('I4: a session, a guest and an open form of each step live on, on both servers, at every later step', async () => {
    const store = memoryStore()
    const opened: Servers[] = []
    const begun: { readonly user: string; readonly cookies: Browser['cookies']; readonly token: string }[] = []
    for (const [step, first, second] of STEPS) {
      const servers = await serve(adapter, [
        { store, secret: first, csrf: 'strict' },
        { store, secret: second, csrf: 'strict' },
      ])
      opened.push(servers)
      for (const one of [0, 1]) {
        const user = `${step} ${one}`
        const browser = servers.browser()
        const entry = tokenOf(await browser.get(one, '/form'))
        jsonOf(await browser.post(one, `/sign-in?user=${encodeURIComponent(user)}`, { _csrf: entry }))
        begun.push({ user, cookies: browser.cookies, token: tokenOf(await browser.get(one, '/form')) })
      }
      for (const { user, cookies, token } of begun) {
        for (const server of [0, 1]) {
          const asked = await servers.browser().send(server, 'GET', '/who', { cookies })
          expect([step, user, (jsonOf(asked) as Who).user]).toEqual([step, user, user])
          const submitted = await servers.browser().send(server, 'POST', '/submit', { cookies, form: { _csrf: token } })
          expect([step, user, submitted.status]).toEqual([step, user, 200])
        }
      }
    }
    await Promise.all(opened.map((servers) => servers.close()))
  })

  it('I4: an id renewed under the new secret is reached from the id of the old one, and the other way round', async () => {
    const store = memoryStore()
    const servers = await serve(adapter, [
      { store, graceTimeout: '200ms', secret: { sign: NEW, verify: [OLD] } },
      { store, graceTimeout: '200ms', secret: { sign: OLD, verify: [NEW] } },
    ])
    for (const one of [0, 1]) {
      const browser = servers.browser()
      jsonOf(await browser.post(one, '/sign-in?user=ada'))
      const before = browser.copy()
      await new Promise((resolve) => setTimeout(resolve, 250))
      jsonOf(await browser.post(1 - one, '/renew'))
      expect(browser.cookies.get('sid')).not.toBe(before.cookies.get('sid'))
      expect((await who(before, one)).user).toBe('ada')
      expect((await who(before, 1 - one)).user).toBe('ada')
      expect((await who(browser, one)).user).toBe('ada')
    }
    await servers.close()
  })

  it('a cookie of a secret that a server does not know is neither set nor cleared there, and works where it is known', async () => {
    const store = memoryStore()
    const servers = await serve(adapter, [
      { store, secret: NEW },
      { store, secret: { sign: OLD, verify: [NEW] } },
    ])
    const browser = servers.browser()
    jsonOf(await browser.post(0, '/sign-in?user=new'))
    const stranger = servers.browser()
    jsonOf(await stranger.post(1, '/sign-in?user=old'))
    const answer = await stranger.send(0, 'GET', '/form')
    expect([answer.status, answer.setCookies]).toEqual([200, []])
    expect((await who(stranger, 1)).user).toBe('old')
    expect((await who(browser, 1)).user).toBe('new')
    await servers.close()
  })
})

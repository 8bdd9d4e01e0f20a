/** Whose form it is: tokens over sign-in, sign-out and other people's sessions, on whichever server they land. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { closeConnections, type Answer, type Browser } from '../../proof/browser.ts'
import { grownOld, jsonOf, signedIn, tokenOf, who, WITH_SHORT_GRACE } from '../../proof/race/race.ts'
import { nameOf, openSite, type Site, type Target } from '../../proof/site.ts'

const TARGETS: readonly Target[] = [
  { kind: 'holdfast', adapter: 'express', store: 'lmdb' },
  { kind: 'holdfast', adapter: 'fastify', store: 'redis' },
]

/** Plain HTTP with `Referrer-Policy: no-referrer`: a browser's own form without evidence of where it comes from. */
const NO_EVIDENCE = { origin: 'null', 'sec-fetch-site': undefined }

afterAll(closeConnections)

describe.each(TARGETS.map((target) => [nameOf(target), target] as const))('two processes on %s', (_name, target) => {
  let site: Site
  beforeAll(async () => {
    site = await openSite(target, WITH_SHORT_GRACE)
  })
  afterAll(() => site.close())

  const form = async (browser: Browser): Promise<string> => tokenOf(await browser.get(0, '/form'))
  const submit = (browser: Browser, token: string | undefined): Promise<Answer> =>
    browser.send(1, 'POST', '/submit', { form: token === undefined ? {} : { _csrf: token }, headers: NO_EVIDENCE })

  it('a form without evidence needs its token, whoever is signed in', async () => {
    const browser = await signedIn(site, 'forgetful')
    expect((await submit(browser, undefined)).status).toBe(403)
    expect((await submit(browser, await form(browser))).status).toBe(200)
  })

  it('a visitor’s form lives on over the first stored value and a renewal of the guest’s id', async () => {
    const browser = site.browser()
    const token = await form(browser)
    jsonOf(await browser.post(0, '/key?key=first'))
    expect((await submit(browser, token)).status).toBe(200)
    await who(browser, 1)
    await grownOld()
    await grownOld()
    const before = browser.cookies.get('gid')
    jsonOf(await browser.post(1, '/renew'))
    expect(browser.cookies.get('gid')).not.toBe(before)
    expect((await submit(browser, token)).status).toBe(200)
  })

  it('the token of one signed-in user is refused in the session of another', async () => {
    const thief = await signedIn(site, 'thief')
    const victim = await signedIn(site, 'victim')
    expect((await submit(victim, await form(thief))).status).toBe(403)
    expect((await victim.send(1, 'POST', '/submit', { form: { _csrf: await form(thief) } })).status).toBe(403)
  })

  it('the token of a stranger, a guest or a visitor is refused in a signed-in session without evidence', async () => {
    const victim = await signedIn(site, 'target')
    const guest = site.browser()
    await guest.post(0, '/key?key=one')
    for (const stranger of [site.browser(), guest])
      expect((await submit(victim, await form(stranger))).status).toBe(403)
  })

  it('a form from before sign-in is no evidence after it', async () => {
    const browser = site.browser()
    const token = await form(browser)
    jsonOf(await browser.post(1, '/sign-in?user=entered'))
    expect((await submit(browser, token)).status).toBe(403)
  })

  it('a form from before sign-out is refused after it, also where the page proves its origin', async () => {
    const browser = await signedIn(site, 'leaver')
    const kept = browser.copy()
    const token = await form(browser)
    jsonOf(await browser.post(1, '/sign-out'))
    for (const sender of [browser, kept]) {
      expect((await sender.send(0, 'POST', '/submit', { form: { _csrf: token } })).status).toBe(403)
    }
  })

  it('another site’s page is refused with and without a token', async () => {
    const browser = await signedIn(site, 'framed')
    const headers = { origin: 'https://elsewhere.example', 'sec-fetch-site': 'cross-site' }
    for (const fields of [{}, { _csrf: await form(browser) }]) {
      expect((await browser.send(1, 'POST', '/submit', { form: fields, headers })).status).toBe(403)
    }
  })

  it('a request without evidence and without a token signs nobody in', async () => {
    const answer = await site.browser().send(0, 'POST', '/sign-in?user=mallory', { form: {}, headers: NO_EVIDENCE })
    expect([answer.status, answer.setCookies]).toEqual([403, []])
  })
})

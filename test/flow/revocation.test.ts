/** I3 and I12: ends reach every server. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { closeConnections, type Browser } from '../../proof/browser.ts'
import { grownOld, inLanes, jsonOf, signedIn, upTo, who, WITH_SHORT_GRACE, type Who } from '../../proof/race/race.ts'
import { nameOf, openSite, type Site, type Target } from '../../proof/site.ts'

const TARGETS: readonly Target[] = [
  { kind: 'holdfast', adapter: 'express', store: 'lmdb' },
  { kind: 'holdfast', adapter: 'fastify', store: 'redis' },
]

afterAll(closeConnections)

/** How often a server asks for the deployment's epoch, in milliseconds. */
const BEAT = 5_000

async function usersOf(browsers: readonly Browser[]): Promise<Who['user'][]> {
  const asked = await Promise.all(browsers.flatMap((browser) => [0, 1].map((server) => who(browser.copy(), server))))
  return asked.map(({ user }) => user)
}

async function listed(site: Site, server: number, user: string): Promise<number | null> {
  const { sessions } = jsonOf(await site.browser().get(server, `/sessions?user=${user}`)) as { sessions: number | null }
  return sessions
}

describe.each(TARGETS.map((target) => [nameOf(target), target] as const))('two processes on %s', (_name, target) => {
  let site: Site
  beforeAll(async () => {
    site = await openSite(target, WITH_SHORT_GRACE)
  })
  afterAll(() => site.close())

  it('I12: a user’s sessions, begun on both servers, are listed on both', async () => {
    await Promise.all(upTo(6).map((at) => signedIn(site, 'lister', at % 2)))
    expect([await listed(site, 0, 'lister'), await listed(site, 1, 'lister')]).toEqual([6, 6])
  })

  it('I12: a renewal leaves one entry in the list', async () => {
    const browser = await signedIn(site, 'renewer')
    const ids = new Set([browser.cookies.get('sid')])
    for (const server of [1, 0]) {
      await grownOld()
      jsonOf(await browser.post(server, '/renew'))
      ids.add(browser.cookies.get('sid'))
      await who(browser, server)
    }
    expect(ids.size).toBe(3)
    expect(await listed(site, 0, 'renewer')).toBe(1)
  })

  it('I12: revokeUser on one server ends every session of the user on both, and nobody else’s', async () => {
    const browsers = await Promise.all(upTo(6).map((at) => signedIn(site, 'revoked', at % 2)))
    const other = await signedIn(site, 'spared')
    jsonOf(await site.browser().post(1, '/revoke-user?user=revoked'))
    expect(await usersOf(browsers)).toEqual(upTo(12).map(() => null))
    expect(await usersOf([other])).toEqual(['spared', 'spared'])
    expect(await listed(site, 0, 'revoked')).toBe(0)
  })

  it('I12: revokeUser ends the sessions that are being renewed at that moment, 30 times', async () => {
    await inLanes(30, 10, async (round) => {
      const user = `renewing${round}`
      const browsers = await Promise.all(upTo(3).map((at) => signedIn(site, user, at % 2)))
      await grownOld()
      const renewals = browsers.map(async (browser, at) => {
        const answer = await browser.send(at % 2, 'POST', `/renew?wait=${(round + at) % 6}`, { form: {} })
        browser.take(answer)
      })
      await new Promise((resolve) => setTimeout(resolve, round % 5))
      jsonOf(await site.browser().post(round % 2, `/revoke-user?user=${user}`))
      await Promise.all(renewals)
      expect(await usersOf(browsers)).toEqual(upTo(6).map(() => null))
    })
  })

  it('I12: a sign-in after revokeUser is not touched by it', async () => {
    await signedIn(site, 'returning')
    jsonOf(await site.browser().post(0, '/revoke-user?user=returning'))
    expect(await usersOf([await signedIn(site, 'returning', 1)])).toEqual(['returning', 'returning'])
  })

  it('I3: signing out everywhere ends the user’s sessions on all servers', async () => {
    const browsers = await Promise.all(upTo(4).map((at) => signedIn(site, 'everywhere', at % 2)))
    jsonOf(await (browsers[0] as Browser).copy().post(1, '/sign-out-everywhere'))
    expect(await usersOf(browsers)).toEqual(upTo(8).map(() => null))
  })

  it('I12: revokeAll ends every session at once on its own server, and within five seconds on the other', async () => {
    const browsers = await Promise.all(upTo(4).map((at) => signedIn(site, `all${at}`, at % 2)))
    const begun = performance.now()
    jsonOf(await site.browser().post(0, '/revoke-all'))
    for (const browser of browsers) expect((await who(browser.copy(), 0)).user).toBeNull()
    const [first] = browsers as [Browser]
    while ((await who(first.copy(), 1)).user !== null) {
      expect(performance.now() - begun).toBeLessThan(BEAT + 1_000)
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    expect(await usersOf(browsers)).toEqual(upTo(8).map(() => null))
    expect(await usersOf([await signedIn(site, 'afterwards', 1)])).toEqual(['afterwards', 'afterwards'])
  })

  it('I3: a request in flight while its user is revoked elsewhere brings nothing back', async () => {
    const browser = await signedIn(site, 'late', 0)
    const inFlight = browser.send(0, 'POST', '/last?last=late&wait=80', { form: {} })
    await new Promise((resolve) => setTimeout(resolve, 25))
    jsonOf(await site.browser().post(1, '/revoke-user?user=late'))
    browser.take(await inFlight)
    expect(await usersOf([browser])).toEqual([null, null])
    expect(await listed(site, 1, 'late')).toBe(0)
  })
})

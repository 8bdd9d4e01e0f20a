/** `maxPerUser` over HTTP: a user signs in on two servers at the same time, and has no more sessions than allowed. */
import { afterAll, describe, expect, it } from 'vitest'

import { closeConnections, type Answer, type Browser } from '../../proof/browser.ts'
import { inLanes, jsonOf, upTo, who } from '../../proof/race/race.ts'
import { nameOf, onSite, type Site, type Target } from '../../proof/site.ts'

const TARGETS: readonly Target[] = [
  { kind: 'holdfast', adapter: 'express', store: 'redis' },
  { kind: 'holdfast', adapter: 'fastify', store: 'lmdb' },
]
const MOST = 3
const AT_ONCE = 8
const ROUNDS = 12

afterAll(closeConnections)

/** Everybody signs in at once, each in a browser of their own, on both servers in turn. */
async function rush(site: Site, user: string): Promise<{ browsers: Browser[]; answers: Answer[] }> {
  const browsers = upTo(AT_ONCE).map(() => site.browser())
  const answers = await Promise.all(
    browsers.map(async (browser, at) =>
      browser.take(await browser.send(at % 2, 'POST', `/sign-in?user=${user}`, { form: {} })),
    ),
  )
  return { browsers, answers }
}

async function signedIn(browsers: readonly Browser[], server: number): Promise<number> {
  const users = await Promise.all(browsers.map(async (browser) => (await who(browser.copy(), server)).user))
  return users.filter((user) => user !== null).length
}

async function listed(site: Site, server: number, user: string): Promise<unknown> {
  return jsonOf(await site.browser().get(server, `/sessions?user=${user}`))
}

describe.each(TARGETS.map((target) => [nameOf(target), target] as const))('two processes on %s', (_name, target) => {
  it(`the newest ${MOST} of ${AT_ONCE} sign-ins at once stay, ${ROUNDS} times`, async () => {
    await onSite(target, { maxPerUser: MOST }, async (site) => {
      await inLanes(ROUNDS, 2, async (round) => {
        const user = `rush${round}`
        const { browsers } = await rush(site, user)
        for (const server of [0, 1]) {
          expect(await signedIn(browsers, server)).toBe(MOST)
          expect(await listed(site, server, user)).toEqual({ sessions: MOST })
        }
        await rush(site, user)
        expect(await signedIn(browsers, 0)).toBe(0)
      })
    })
  })

  it(`exactly ${MOST} of ${AT_ONCE} sign-ins at once are let in where the others are refused, ${ROUNDS} times`, async () => {
    await onSite(target, { maxPerUser: { most: MOST, then: 'refuse' } }, async (site) => {
      await inLanes(ROUNDS, 2, async (round) => {
        const user = `rush${round}`
        const { browsers, answers } = await rush(site, user)
        const statuses = answers.map(({ status }) => status).toSorted((left, right) => left - right)
        expect(statuses).toEqual([...upTo(MOST).map(() => 200), ...upTo(AT_ONCE - MOST).map(() => 409)])
        for (const { status, setCookies } of answers) expect(setCookies.length > 0).toBe(status === 200)
        for (const server of [0, 1]) expect(await signedIn(browsers, server)).toBe(MOST)

        const inside = browsers.filter((_, at) => answers[at]?.status === 200)
        const [outside] = browsers.filter((_, at) => answers[at]?.status === 409) as [Browser]
        jsonOf(await (inside[0] as Browser).post(round % 2, '/sign-out'))
        jsonOf(await outside.post(1 - (round % 2), `/sign-in?user=${user}`))
        expect(await listed(site, 0, user)).toEqual({ sessions: MOST })
      })
    })
  })
})

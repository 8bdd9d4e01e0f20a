/** I4: a request that a sign-in on the other server has overtaken can neither write into the signed-in session nor undo it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { closeConnections, type Answer, type Browser } from '../../proof/browser.ts'
import { jsonOf, signedIn, who } from '../../proof/race/race.ts'
import { nameOf, openSite, type Site, type Target } from '../../proof/site.ts'

const TARGETS: readonly Target[] = [
  { kind: 'holdfast', adapter: 'express', store: 'redis' },
  { kind: 'holdfast', adapter: 'fastify', store: 'lmdb' },
]

afterAll(closeConnections)

describe.each(TARGETS.map((target) => [nameOf(target), target] as const))('two processes on %s', (_name, target) => {
  let site: Site
  beforeAll(async () => {
    site = await openSite(target)
  })
  afterAll(() => site.close())

  const beginnings: readonly (readonly [string, () => Promise<Browser>])[] = [
    [
      'guest',
      async () => {
        const browser = site.browser()
        jsonOf(await browser.post(0, '/key?key=before'))
        return browser
      },
    ],
    ['user who signs in as another', () => signedIn(site, 'somebody')],
    ['user who signs in again', () => signedIn(site, 'ada')],
  ]

  it.each(beginnings)(
    'I4: what a %s stores too late is dropped, and its answer brings no cookie',
    async (_who, begin) => {
      const browser = await begin()
      const late = await overtaken(browser, '/key?key=late&wait=80')
      expect(late.status).toBe(200)
      expect(late.setCookies).toEqual([])
      browser.take(late)
      for (const server of [0, 1]) {
        const { user, keys = {} } = await who(browser, server)
        expect([user, keys]).toEqual(['ada', expect.not.objectContaining({ late: true })])
      }
    },
  )

  it('I4: an update that comes too late says so, and counts nothing', async () => {
    const browser = await signedIn(site, 'somebody')
    const late = await overtaken(browser, '/count?wait=80')
    expect(late.status).toBe(401)
    expect((await who(browser, 1)).count).toBeUndefined()
  })

  it('I4: a sign-out that comes too late ends nothing but what it knew', async () => {
    const browser = await signedIn(site, 'somebody')
    const late = await overtaken(browser, '/sign-out?wait=80')
    expect(late.status).toBe(200)
    for (const server of [0, 1]) expect((await who(browser.copy(), server)).user).toBe('ada')
  })
})

/** Sends the request to one server, and while it is under way signs in on the other. The answer is not taken. */
async function overtaken(browser: Browser, path: string): Promise<Answer> {
  const late = browser.send(1, 'POST', path, { form: {} })
  await new Promise((resolve) => setTimeout(resolve, 25))
  jsonOf(await browser.post(0, '/sign-in?user=ada'))
  return late
}

/** Forms opened on one server and submitted on the other. */
import type { Browser } from '../browser.ts'
import type { Site } from '../site.ts'
import {
  grownOld,
  inLanes,
  jsonOf,
  signedIn,
  tallyOf,
  WITH_SHORT_GRACE,
  type Race,
  type Size,
  tokenOf,
} from './race.ts'

/** Forms per race; each visitor opens ten. */
function formsOf(size: Size): { forms: number; visitors: number; each: number } {
  const visitors = size === 'full' ? 50 : 5
  return { forms: visitors * 10, visitors, each: 10 }
}

/** What happens between opening and submitting. */
type Meanwhile = (browser: Browser, server: number, token: string) => Promise<void>

function formRace(name: string, wrong: string, expected: 200 | 403, meanwhile: Meanwhile): Race {
  return {
    name,
    wrong,
    options: { ...WITH_SHORT_GRACE, csrf: 'strict' },
    unlike: 'It has no CSRF tokens; the application keeps one in the session.',
    run: async (site, size) => {
      const { forms, visitors, each } = formsOf(size)
      const results = await inLanes(visitors, 25, (visitor) => openAndSubmit(site, visitor, each, expected, meanwhile))
      return tallyOf(forms, results.flat())
    },
  }
}

async function openAndSubmit(
  site: Site,
  visitor: number,
  each: number,
  expected: number,
  meanwhile: Meanwhile,
): Promise<string[]> {
  const opened = visitor % 2
  const browser = await signedInStrictly(site, `writer${visitor}`, opened)
  const tokens: string[] = []
  for (let form = 0; form < each; form++) tokens.push(tokenOf(await browser.get(opened, '/form')))
  const kept = browser.copy()
  await meanwhile(browser, 1 - opened, tokens[0] as string)
  const complaints: string[] = []
  for (const [at, token] of tokens.entries()) {
    // After a sign-out half are sent by the browser, half by one that kept its cookies.
    const sender = expected === 403 && at % 2 === 1 ? kept : browser
    const answer = await sender.send(1 - opened, 'POST', '/submit', { form: { _csrf: token } })
    if (answer.status !== expected)
      complaints.push(`visitor ${visitor}, form ${at}: ${answer.status} ${answer.body.slice(0, 120)}`)
  }
  return complaints
}

/** Signs in where every unsafe request needs a token. */
async function signedInStrictly(site: Site, user: string, server: number): Promise<Browser> {
  if (site.kind === 'express-session') return signedIn(site, user, server)
  const browser = site.browser()
  const token = tokenOf(await browser.get(server, '/form'))
  jsonOf(await browser.post(server, `/sign-in?user=${user}`, { _csrf: token }))
  return browser
}

export const formsAcross: Race = formRace(
  'forms opened on one server, submitted on the other',
  'refused',
  200,
  async () => undefined,
)

export const formsAcrossRenewal: Race = formRace(
  'the same, the id renewed meanwhile',
  'refused',
  200,
  async (browser, server, token) => {
    await grownOld()
    const before = [...browser.cookies.values()]
    jsonOf(await browser.post(server, '/renew', { _csrf: token }))
    if ([...browser.cookies.values()].join() === before.join()) throw new Error('the id was not renewed')
  },
)

export const formsAfterSignOut: Race = formRace(
  'the same, signed out meanwhile',
  'accepted',
  403,
  async (browser, server, token) => void jsonOf(await browser.post(server, '/sign-out', { _csrf: token })),
)

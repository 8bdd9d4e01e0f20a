/** An answer is lost after the commit, and the browser tries again: nothing is there twice, nobody is logged out. */
import { startLink } from '../../test/support/link.ts'
import { send, type Answer, type Browser } from '../browser.ts'
import type { Site } from '../site.ts'
import {
  inLanes,
  jsonOf,
  signedIn,
  signedInBefore,
  tallyOf,
  who,
  WITH_SHORT_GRACE,
  type Race,
  type Who,
} from './race.ts'

/** One thing to try, lose the answer of, and try again. Answers what is wrong. */
interface Trial {
  readonly name: string
  begin(site: Site, user: string): Promise<Browser>
  readonly path: (user: string) => string
  judge(asked: Who, user: string, browser: Browser): Promise<string | undefined> | string | undefined
}

function signedInAs(asked: Who, user: string): string | undefined {
  return asked.user === user ? undefined : `${asked.user ?? 'nobody'} signed in`
}

const TRIALS: readonly Trial[] = [
  {
    name: 'an item added',
    begin: signedIn,
    path: () => '/item?item=book',
    judge: (asked, user) =>
      signedInAs(asked, user) ??
      (asked.items?.join() === 'book' ? undefined : `items: ${asked.items?.join() ?? 'none'}`),
  },
  {
    name: 'the id renewed',
    begin: signedInBefore,
    path: () => '/renew',
    judge: async (asked, user, browser) => signedInAs(asked, user) ?? (await onlyOne(browser, user)),
  },
  {
    name: 'a visitor’s first item',
    begin: async (site) => {
      const browser = site.browser()
      await browser.get(0, '/form')
      return browser
    },
    path: () => '/item?item=book',
    judge: (asked) => (asked.items?.join() === 'book' ? undefined : `items: ${asked.items?.join() ?? 'none'}`),
  },
  {
    name: 'a guest’s sign-in',
    begin: async (site) => {
      const browser = site.browser()
      await browser.post(0, '/item?item=book')
      return browser
    },
    path: (user) => `/sign-in?user=${user}`,
    judge: signedInAs,
  },
]

async function onlyOne(browser: Browser, user: string): Promise<string | undefined> {
  const { sessions } = jsonOf(await browser.get(0, `/sessions?user=${user}`)) as { sessions: number | null }
  return sessions === null || sessions === 1 ? undefined : `${sessions} sessions of one sign-in`
}

/** The connection is cut when the answer sets out; the browser tries again on the other server. */
export const lostAnswers: Race = {
  name: 'an answer lost after the commit, then a retry',
  wrong: 'doubled or logged out',
  options: WITH_SHORT_GRACE,
  unlike: 'Whether a session is there twice cannot be asked: it has no list of a user’s sessions.',
  run: async (site, size) => {
    const rounds = TRIALS.length * (size === 'full' ? 25 : 3)
    const results = await inLanes(rounds, 25, (round) =>
      loseAndRetry(site, TRIALS[round % TRIALS.length] as Trial, round),
    )
    return tallyOf(rounds, results)
  },
}

async function loseAndRetry(site: Site, trial: Trial, round: number): Promise<string | undefined> {
  const user = `unlucky${round}`
  const browser = await trial.begin(site, user)
  const path = trial.path(user)
  const link = await startLink({ to: Number(new URL(site.servers[0]).port) })
  link.loseAnswers()
  const asked = send(`http://127.0.0.1:${link.port}`, { method: 'POST', path, form: {}, cookies: browser.cookies })
  const cut = await asked.then(
    () => false,
    () => true,
  )
  const lost = Buffer.concat(link.lost).toString('latin1')
  await link.stop()
  if (!cut || !lost.startsWith('HTTP/1.1 200'))
    return `${trial.name}: the answer was not lost after a success: ${lost.slice(0, 60)}`
  const retried = await browser.post(1, path)
  if (retried.status !== 200) return `${trial.name}: the retry was answered ${retried.status}`
  for (const server of [0, 1]) {
    const complaint = await trial.judge(await who(browser, server), user, browser)
    if (complaint !== undefined) return `${trial.name}: ${complaint}`
  }
  if (path === '/renew' && !isSameRenewal(lost, retried)) return `${trial.name}: the retry renewed it a second time`
  return undefined
}

/** The id that was lost and the id of the retry are one: renewing twice leads to the same. The companion cookie carries no id here. */
function isSameRenewal(lost: string, retried: Answer): boolean {
  const ids = retried.setCookies.filter((line) => !line.startsWith('visit='))
  const valueOf = (line: string): string => line.slice(0, line.indexOf(';'))
  return ids.length > 0 && ids.every((line) => lost.includes(valueOf(line)))
}

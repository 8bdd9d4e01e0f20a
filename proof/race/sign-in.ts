/** I4: whatever runs beside a sign-in, in whatever order, the browser ends signed in, and the id from before reaches nothing. */
import { applied, type Answer, type Browser, type Cookies } from '../browser.ts'
import type { Site } from '../site.ts'
import { inLanes, permutations, tallyOf, upTo, who, type Race, type Size } from './race.ts'

/** The pause between two handlers, so that they change the session in the order that is wanted. */
const STEP = 30

/** What the browser was before: unknown; a visitor with a form open; a guest with something stored; signed in as somebody else. */
const BEGINNINGS = ['unknown', 'visitor', 'guest', 'another'] as const
type Beginning = (typeof BEGINNINGS)[number]

/** What runs beside the sign-in. None of these renews, signs in or signs out. */
const BESIDE = [
  ['POST /key?key=beside', 'GET /form'],
  ['POST /count?', 'GET /who?'],
] as const

/** A sign-in with two other requests, in every order of their changes and every order of their answers. */
export const signInBeside: Race = {
  name: 'a sign-in beside other requests, in every order',
  wrong: 'not signed in, or reachable by the old id',
  options: {},
  run: async (site, size) => {
    const cases = casesOf(size)
    const results = await inLanes(cases.length, 12, (round) => play(site, cases[round] as Case, round))
    return tallyOf(cases.length, results)
  },
}

interface Case {
  readonly beginning: Beginning
  readonly beside: readonly [string, string]
  /** Which of the three requests changes the session first, second, third; 0 is the sign-in. */
  readonly changes: readonly number[]
  /** In which order the answers arrive. */
  readonly answers: readonly number[]
}

function casesOf(size: Size): Case[] {
  const orders = permutations([0, 1, 2])
  const all = BEGINNINGS.flatMap((beginning) =>
    BESIDE.flatMap((beside) =>
      orders.flatMap((changes) => orders.map((answers): Case => ({ beginning, beside, changes, answers }))),
    ),
  )
  return size === 'full' ? all : all.filter((_, at) => at % 12 === 0)
}

async function play(
  site: Site,
  { beginning, beside, changes, answers }: Case,
  round: number,
): Promise<string | undefined> {
  const user = `entrant${round}`
  const browser = await begun(site, beginning)
  const before = browser.cookies
  const requests = [`POST /sign-in?user=${user}`, ...beside]
  const arrived = await Promise.all(
    requests.map((line, at) => sendLine(browser, (round + at) % 2, line, changes.indexOf(at) * STEP)),
  )
  const name = `${beginning}, beside ${beside.join(' and ')}, changes ${changes.join('')}, answers ${answers.join('')}`
  const refused = arrived.find((answer) => !isTrue(answer))
  if (refused !== undefined) return `${name}: answered ${refused.status} ${refused.body.slice(0, 80)}`
  const lost = await takeInOrder(browser, arrived, answers, user)
  if (lost !== undefined) return `${name}: ${lost}`
  if (beginning === 'another' && (await who(browser, 0)).keys !== undefined)
    return `${name}: another user’s data came along`
  return (await reachedFrom(site, olderIds(before, arrived, answers), user))
    ? `${name}: an id from before reaches the signed-in session`
    : undefined
}

async function begun(site: Site, beginning: Beginning): Promise<Browser> {
  const browser = site.browser()
  if (beginning !== 'unknown') await browser.get(0, '/form')
  if (beginning === 'another') await browser.post(0, '/sign-in?user=somebody')
  if (beginning === 'guest' || beginning === 'another') await browser.post(1, '/key?key=first')
  return browser
}

function sendLine(browser: Browser, server: number, line: string, wait: number): Promise<Answer> {
  const [method = '', path = ''] = line.split(' ')
  const target = `${path}${path.includes('?') ? '&' : '?'}wait=${wait}`
  return browser.send(server, method, target, method === 'POST' ? { form: {} } : {})
}

/** An answer that says what became of its request: done, or that its session is over, which is what `update` has to say then. */
function isTrue(answer: Answer): boolean {
  return answer.status === 200 || (answer.status === 401 && answer.body.includes('The session is over'))
}

/** From the sign-in's answer on, the browser is signed in at every moment. */
async function takeInOrder(
  browser: Browser,
  arrived: readonly Answer[],
  answers: readonly number[],
  user: string,
): Promise<string | undefined> {
  let entered = false
  for (const at of answers) {
    browser.take(arrived[at] as Answer)
    entered ||= at === 0
    if (!entered) continue
    for (const server of [0, 1]) {
      const asked = await who(browser, server)
      if (asked.user !== user)
        return `${asked.user ?? 'nobody'} signed in after answer ${at}, asked on server ${server}`
    }
  }
  return undefined
}

/** Every jar that a browser could have held without the sign-in's answer. */
function olderIds(before: Cookies, arrived: readonly Answer[], answers: readonly number[]): Cookies[] {
  const others = answers.filter((at) => at !== 0).map((at) => arrived[at] as Answer)
  return upTo(others.length + 1).map((count) => appliedAll(before, others.slice(0, count)))
}

async function reachedFrom(site: Site, jars: readonly Cookies[], user: string): Promise<boolean> {
  for (const cookies of jars) {
    for (const server of [0, 1]) {
      const answer = await site.browser().send(server, 'GET', '/who', { cookies })
      if (answer.body.includes(`"${user}"`)) return true
    }
  }
  return false
}

function appliedAll(cookies: Cookies, answers: readonly Answer[]): Cookies {
  return answers.reduce((jar, answer) => applied(jar, answer.setCookies), cookies)
}

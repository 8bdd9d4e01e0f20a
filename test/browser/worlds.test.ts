/** The page in a real browser: the same visit in the three worlds, and what a killed server does to each. */
import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'

import { launchChromium, Visitor, type Told } from './chromium.ts'
import { startDemonstration, type Demonstration } from './demonstration.ts'
import { Visit } from './visit.ts'

let demonstration: Demonstration
let browser: Browser
const visitors: Visitor[] = []

beforeAll(async () => {
  ;[demonstration, browser] = await Promise.all([startDemonstration(), launchChromium()])
})

afterAll(async () => {
  await Visit.closeBrowser()
  await browser.close()
  await demonstration.stop()
})

afterEach(async () => {
  const gone = visitors.splice(0)
  await Promise.all(gone.map((visitor) => visitor.leave()))
  const complaints = gone.flatMap((visitor) => visitor.complaints)
  if (complaints.length > 0) throw new Error(`The page's script complained: ${complaints.join('; ')}`)
})

async function arrive(world: string, options = {}): Promise<Visitor> {
  const visitor = await Visitor.arrive(browser, `${demonstration.url}/${world}/`, options)
  visitors.push(visitor)
  return visitor
}

/** From the sign-in page to the receipt. Answers what each page said. */
async function transfer(visitor: Visitor): Promise<Told[]> {
  const told = [await visitor.told()]
  await visitor.signIn()
  told.push(await visitor.told())
  for (const button of ['Continue', 'Continue', /^Transfer/]) {
    await visitor.press(button)
    told.push(await visitor.told())
  }
  return told
}

function other(server: string | undefined): string {
  return server === 'A' ? 'B' : 'A'
}

/** Every page comes from the other server than the one before, which made its form. */
function expectAlternation(told: readonly Told[]): void {
  for (const [at, { madeBy, answeredBy }] of told.entries()) {
    if (at === 0) continue
    const before = told[at - 1]?.answeredBy
    expect({ at, madeBy, answeredBy }).toEqual({ at, madeBy: before, answeredBy: other(before) })
  }
}

describe('the shared world', () => {
  it('brings a transfer to its end though each step lands on the other server', async () => {
    const visitor = await arrive('shared')
    expectAlternation(await transfer(visitor))
    expect(await visitor.heading()).toBe('Done')
    expect(await visitor.text()).toContain('3 of 3 forms went to the other server.')
  })

  it('keeps one session, whichever server answers, and counts what was changed in it', async () => {
    const visitor = await arrive('shared')
    await visitor.signIn()
    const before = await visitor.facts()
    for (const button of ['Continue', 'Continue', /^Transfer/]) await visitor.press(button)
    const after = await visitor.facts()
    expect(after).toMatchObject({ 'CSRF token': 'accepted', Session: before['Session'] })
    expect(Number(after['Version'])).toBe(Number(before['Version']) + 1)
    expect(after['Commit']).toMatch(/^saved/)
  })

  it('tells what each call to the store is for, and no two calls of a sign-in for the same', async () => {
    const visitor = await arrive('shared')
    await visitor.signIn()
    const trips = await visitor.page.locator('.trips li').allInnerTexts()
    expect(trips).toContain('enroll enter it in the user’s list')
    expect(trips).toContain('enroll look whether the user was revoked meanwhile')
    expect(new Set(trips).size).toBe(trips.length)
  })

  it('tells what the store did for the transfer: nothing for its beginning, little for its steps, a claim for its end', async () => {
    const visitor = await arrive('shared')
    await visitor.signIn()
    expect((await visitor.facts())['Cycle']).toMatch(/^\S{24}, begun; nothing of it is stored yet$/)
    expect((await visitor.facts())['Store']).not.toContain('cycle')
    const trips = async (): Promise<string[]> => (await visitor.page.locator('.trips li').allInnerTexts()).toSorted()
    await visitor.press('Continue')
    expect(await trips()).toEqual(
      expect.arrayContaining(['create store it with its first step', 'enroll enter it in the list of open cycles']),
    )
    await visitor.press('Continue')
    expect(await trips()).toEqual(
      expect.arrayContaining(['load read the cycle: found', 'replace write its step, if unchanged since it was read']),
    )
    await visitor.press(/^Transfer/)
    expect(await trips()).toEqual([
      'load read the session: found',
      'patch claim its end, for one request only',
      'replace write the outcome in place of the claim',
      'replace write, if unchanged since it was read',
      'withdraw take it off the list of open cycles',
    ])
  })

  it('tells that a sign-out has ended the session', async () => {
    const visitor = await arrive('shared')
    await visitor.signIn()
    await visitor.press('Sign out')
    expect(await visitor.facts()).toMatchObject({
      'CSRF token': 'accepted',
      Session: 'ended by this step',
      Store: expect.stringContaining('end put the mark of its end in its place') as string,
      Commit: 'ended: the session is over; nothing brings it back',
    })
    await visitor.page.goto(`${demonstration.url}/shared/`)
    expect(await visitor.facts()).toMatchObject({
      Cycle: 'none begun',
      Session: 'nothing stored yet',
      Version: '–',
      Store: 'no trip',
      Commit: 'unchanged: the session’s data are as they were',
      Conflicts: '0',
    })
  })

  it('sends nothing but the page itself through the alternation', async () => {
    const visitor = await arrive('shared')
    await transfer(visitor)
    const pages = visitor.requests.filter((path) => !path.startsWith('/control/'))
    expect(pages).toEqual(['/shared/', '/shared/sign-in', '/shared/amount', '/shared/details', '/shared/confirm'])
  })

  it('refuses every form of a session that was signed out, on both servers', async () => {
    const visitor = await arrive('shared')
    await visitor.signIn()
    const fields = await visitor.fields()
    await visitor.press('Sign out')
    expect(await visitor.heading()).toBe('Sign in')
    for (const server of ['one', 'the other']) {
      const answer = await visitor.page.request.post(`${demonstration.url}/shared/amount`, { form: fields })
      expect({ server, status: answer.status() }).toEqual({ server, status: 403 })
    }
  })
})

describe('the memory world', () => {
  it('refuses the first form, and the page says why', async () => {
    const visitor = await arrive('memory')
    await visitor.signIn()
    const maker = (await visitor.told()).answeredBy
    await visitor.press('Continue')
    expect(await visitor.told()).toEqual({ madeBy: maker, answeredBy: other(maker), refused: true })
    const text = await visitor.text()
    expect(text).toContain('Your form was refused, and server ')
    expect(text).toContain(
      `Server ${maker} made this form, and keeps your session and the transfer that you began in its own memory.`,
    )
    expect(text).toContain(`server ${other(maker)}, which has never heard of either`)
    expect(text).toContain(
      `Server ${other(maker)} finds nothing in its memory and can only take the session for one that is over.`,
    )
    expect(await visitor.facts()).toMatchObject({
      'CSRF token': 'refused: of a session not known here',
      Cycle: 'not known to this server',
      Session: 'not known to this server',
    })
  })

  it('refuses it again after the form was opened again', async () => {
    const visitor = await arrive('memory')
    await visitor.signIn()
    await visitor.press('Continue')
    await visitor.follow('Open a form again')
    expect(await visitor.heading()).toBe('Amount')
    await visitor.press('Continue')
    expect((await visitor.told()).refused).toBe(true)
  })
})

describe('the sticky world', () => {
  it('works while nothing happens, because every step lands on one server', async () => {
    const visitor = await arrive('sticky')
    const servers = new Set((await transfer(visitor)).map(({ answeredBy }) => answeredBy))
    expect(await visitor.heading()).toBe('Done')
    expect(servers.size).toBe(1)
  })
})

describe.concurrent('the shared world, when a server dies', () => {
  it('goes on while a server is dead, and when it is back', async () => {
    await using visit = await Visit.begin()
    const visitor = await visit.arrive('shared')
    await visitor.signIn()
    await visitor.press('Continue')
    const maker = String((await visitor.told()).answeredBy)
    await visitor.kill(maker)
    await visitor.press('Continue')
    expect(await visitor.told()).toEqual({ madeBy: maker, answeredBy: other(maker), refused: false })
    await visitor.isBack(maker)
    await visitor.press(/^Transfer/)
    expect(await visitor.heading()).toBe('Done')
    await visitor.follow('Make another transfer')
    const answered = [(await visitor.told()).answeredBy]
    await visitor.press('Continue')
    answered.push((await visitor.told()).answeredBy)
    expect(new Set(answered)).toEqual(new Set(['A', 'B']))
  })

  it('goes on when the server is killed whose turn it would have been', async () => {
    await using visit = await Visit.begin()
    const visitor = await visit.arrive('shared')
    await visitor.signIn()
    const maker = (await visitor.told()).answeredBy
    await visitor.kill(other(maker))
    await visitor.press('Continue')
    expect(await visitor.told()).toEqual({ madeBy: maker, answeredBy: maker, refused: false })
  })
})

describe.concurrent('the sticky world, when a server dies', () => {
  it('signs the visitor out once that server is killed', async () => {
    await using visit = await Visit.begin()
    const visitor = await visit.arrive('sticky')
    await visitor.signIn()
    await visitor.press('Continue')
    const pinned = String((await visitor.told()).answeredBy)
    await visitor.kill(pinned)
    await visitor.press('Continue')
    expect(await visitor.told()).toEqual({ madeBy: pinned, answeredBy: other(pinned), refused: true })
    expect(await visitor.text()).toContain('you are signed out')
    await visitor.follow('Sign in again')
    expect(await visitor.heading()).toBe('Sign in')
  })

  it('signs the visitor out also when the server has come back meanwhile', async () => {
    await using visit = await Visit.begin()
    const visitor = await visit.arrive('sticky')
    await visitor.signIn()
    const pinned = String((await visitor.told()).answeredBy)
    await visitor.kill(pinned)
    await visitor.isBack(pinned)
    // The balancer looks every 100 ms.
    await visitor.page.waitForTimeout(300)
    await visitor.press('Continue')
    expect(await visitor.told()).toEqual({ madeBy: pinned, answeredBy: pinned, refused: true })
    const text = await visitor.text()
    expect(text).toContain(
      `Server ${pinned} made this form, and kept your session in its own memory, where it is no more`,
    )
  })
})

describe('the switch', () => {
  it('leads to the other worlds, each of which is a visit of its own', async () => {
    const visitor = await arrive('shared')
    await visitor.signIn('in the shared world')
    await visitor.follow(/^Memory/)
    expect(await visitor.heading()).toBe('Sign in')
    await visitor.signIn('in the memory world')
    await visitor.follow(/^Shared/)
    expect(await visitor.page.locator('.account').innerText()).toContain('in the shared world')
    const cookies = (await visitor.page.context().cookies()).map(({ name }) => name)
    expect(cookies).toEqual(expect.arrayContaining(['shared-sid', 'memory-sid']))
  })
})

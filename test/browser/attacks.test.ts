/** A visitor who is signed in at a shop opens a page of somebody else: whatever that page does, nothing is done in the visitor's name. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

import type { CsrfMode } from 'holdfast'
import type { BrowserContext } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'

import { ACTS, attackOn, openAttacker } from './attacker.ts'
import { launchProfile } from './chromium.ts'
import { OTHERS } from './outside.ts'
import { type Done, type Manner, openShop, signIn, SILENCES } from './shop.ts'

let browser: BrowserContext
const profile = mkdtempSync(path.join(tmpdir(), 'holdfast-attacks-'))

beforeAll(async () => {
  browser = await launchProfile(profile)
  browser.setDefaultTimeout(15_000)
})
afterEach(async () => {
  await Promise.all(browser.pages().map((page) => page.close()))
  await browser.clearCookies()
})
afterAll(async () => {
  await browser.close()
  rmSync(profile, { recursive: true, force: true })
})

interface Outcome {
  /** Beside what signed in before the attack. */
  readonly done: readonly Done[]
  /** What the attackers could read. */
  readonly loot: readonly string[]
  /** As whom the shop knows the visitor afterwards. */
  readonly who: string
}

const PLACES = Object.entries(OTHERS)

/** Runs these acts from every place at once, on a visitor who is signed in. */
async function attack(manner: Manner, mode: CsrfMode, acts = Object.keys(ACTS)): Promise<Outcome> {
  await using shop = await openShop(manner, mode)
  const attackers = await Promise.all(PLACES.map(([, host]) => openAttacker(manner.scheme, host)))
  try {
    const token = await shop.tokenOf('attacker')
    const own = await browser.newPage()
    await signIn(own, shop, 'visitor')
    const before = shop.done.length
    const loots = attackers.map(async (attacker, at) => {
      const page = await browser.newPage()
      await page.goto(attackOn(shop.origin, attacker, PLACES[at]?.[0] ?? '', token, acts))
      return page.evaluate<string[]>('over')
    })
    await shop.answered(PLACES.flatMap(([where]) => acts.map((act) => `${where}: ${act}`)))
    const loot = (await Promise.all(loots)).flat()
    const done = shop.done.slice(before)
    await own.goto(shop.origin)
    return { done, loot, who: await own.locator('#who').innerText() }
  } finally {
    await Promise.all(attackers.map((attacker) => attacker.close()))
  }
}

const LAX: Manner = { scheme: 'https', browser: 'of today', sameSite: 'lax' }
const MANNERS: Readonly<Record<string, Manner>> = {
  'HTTPS, a browser of today': LAX,
  ...Object.fromEntries(
    (Object.keys(SILENCES) as Manner['browser'][]).map((age) => [
      `HTTPS, a browser ${age} that sends every cookie everywhere`,
      { ...LAX, browser: age, sameSite: 'none' } as const,
    ]),
  ),
  'plain HTTP, a browser of today': { ...LAX, scheme: 'http' },
  'plain HTTP, a browser without Fetch Metadata, Origin and Referer': {
    ...LAX,
    scheme: 'http',
    browser: 'without Fetch Metadata, Origin and Referer',
  },
}

describe.each(Object.entries(MANNERS))('%s: somebody else’s page, wherever it is,', (_name, manner) => {
  it('in auto does nothing in the name of a visitor, and reads nothing', async () => {
    const { done, loot, who } = await attack(manner, 'auto')
    // What comes without a cookie may be done, in nobody's name.
    expect(done.filter(({ user }) => user !== undefined)).toEqual([])
    expect({ loot, who }).toEqual({ loot: [], who: 'visitor' })
  })

  it('in strict does nothing at all', async () => {
    expect(await attack(manner, 'strict')).toEqual({ done: [], loot: [], who: 'visitor' })
  })
})

describe('without the check', () => {
  const acts = Object.entries(ACTS).flatMap(([name, { signsIn }]) => (signsIn === true ? [] : [name]))
  const harmful = acts.filter((act) => ACTS[act]?.heldBack === undefined).toSorted()
  const doneFrom = (where: keyof typeof OTHERS, { done }: Outcome): string[] =>
    done
      .flatMap(({ act, user }) => (user === 'visitor' && act.startsWith(where) ? act.slice(where.length + 2) : []))
      .toSorted()

  it('every act that is not held back otherwise is done, from everywhere: these tests do attack', async () => {
    const outcome = await attack({ ...LAX, sameSite: 'none' }, 'report', acts)
    for (const where of Object.keys(OTHERS) as (keyof typeof OTHERS)[])
      expect({ where, done: doneFrom(where, outcome) }).toEqual({ where, done: harmful })
  })

  it('SameSite=Lax alone stops another site’s forms, but no link, no sibling and no other port', async () => {
    const outcome = await attack(LAX, 'report', acts)
    expect(doneFrom('another site', outcome)).toEqual([
      'a form by GET that overrides its method',
      'a link that overrides its method',
    ])
    const ofTheSite = harmful.filter((act) => !act.endsWith('without an origin'))
    expect(doneFrom('a sibling subdomain', outcome)).toEqual(ofTheSite)
    expect(doneFrom('another port of the same host', outcome)).toEqual(ofTheSite)
  })

  it.each(['a form of a sign-in', 'a form of a sign-in with a genuine token of somebody else'])(
    '%s signs the visitor in as somebody else',
    async (act) => {
      expect(await attack(LAX, 'report', [act])).toMatchObject({ who: 'attacker' })
    },
  )
})

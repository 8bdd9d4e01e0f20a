/** What a shop's own page does is done, in the visitor's name, whatever the browser tells and however the page came back. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

import type { CsrfMode } from 'holdfast'
import type { BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'

import { until } from '../support/asking.ts'
import { launchProfile } from './chromium.ts'
import { type Manner, openShop, type Shop, signIn } from './shop.ts'

let browser: BrowserContext
const folders: string[] = []

function newFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-own-'))
  folders.push(folder)
  return folder
}

beforeAll(async () => {
  browser = await launchProfile(newFolder())
  browser.setDefaultTimeout(15_000)
})
afterEach(async () => {
  await Promise.all(browser.pages().map((page) => page.close()))
  await browser.clearCookies()
})
afterAll(async () => {
  await browser.close()
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

/** Everything that the page does with its token, each in its own way. Runs in the page. */
const ACTS = `
  const post = (act) => ['/transfer?act=' + act, { method: 'POST', body: new URLSearchParams({ to: 'me' }) }]
  const inWindow = (id, target = '_blank') => {
    const form = document.getElementById(id)
    Object.assign(form, { target, rel: 'opener' })
    form.submit()
  }
  for (const id of ['transfer', 'bound', 'upload', 'override']) inWindow(id)
  const frame = Object.assign(document.createElement('iframe'), { name: 'frame' })
  document.body.append(frame)
  document.getElementById('framed').target = 'frame'
  document.getElementById('framed').submit()
  navigator.sendBeacon('/transfer?act=beacon', new URLSearchParams({ _csrf: helper.token() }))
  void Promise.all([
    helper.fetch(...post('fetch')),
    helper.fetch('/transfer?act=delete', { method: 'DELETE' }),
    helper.fetch('/api?act=json', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }),
    fetch('/transfer?act=header', { method: 'POST', headers: { 'x-csrf-token': helper.token() } }),
  ])`
const WITH_TOKEN = 'beacon bound delete fetch framed header json override transfer upload'.split(' ')

/** What has no token: it needs none in auto where the browser shows where it comes from. Runs in the page. */
const WITHOUT_TOKEN = `
  Object.assign(document.getElementById('bare'), { target: '_blank' }).submit()
  void fetch('/transfer?act=plain', { method: 'POST' })
  new WebSocket('/live?act=socket')`

const WEB: Manner = { scheme: 'https', browser: 'of today', sameSite: 'lax' }
const MUTE = 'without Fetch Metadata, Origin and Referer'
/** With what passes in auto without a token. */
const MANNERS: Readonly<Record<string, readonly [Manner, ...string[]]>> = {
  'HTTPS, a browser of today': [WEB, 'bare', 'plain', 'socket'],
  'HTTPS, a browser without Fetch Metadata': [{ ...WEB, browser: 'without Fetch Metadata' }, 'bare', 'plain', 'socket'],
  // A socket's handshake has no Referer.
  'HTTPS, a browser without Fetch Metadata and Origin': [
    { ...WEB, browser: 'without Fetch Metadata and Origin' },
    'bare',
    'plain',
  ],
  [`HTTPS, a browser ${MUTE}`]: [{ ...WEB, browser: MUTE }],
  'plain HTTP, a browser of today': [{ ...WEB, scheme: 'http' }, 'bare', 'plain', 'socket'],
  // Its forms say Origin: null.
  'plain HTTP, a page with Referrer-Policy: no-referrer': [
    { ...WEB, scheme: 'http', referrerPolicy: 'no-referrer' },
    'plain',
    'socket',
  ],
  [`plain HTTP, a browser ${MUTE}`]: [{ ...WEB, scheme: 'http', browser: MUTE }],
}
const MODES = ['auto', 'strict'] as const

/** What a browser writes down to restore its tabs from. */
function notes(profile: string): string {
  const folder = path.join(profile, 'Default', 'Sessions')
  return readdirSync(folder)
    .map((name) => readFileSync(path.join(folder, name), 'latin1'))
    .join()
}

/** What was done since the visitor signed in. */
async function doneBy(acts: string, names: readonly string[], page: Page, shop: Shop): Promise<unknown[]> {
  const before = shop.done.length
  await page.goto(shop.origin)
  await page.evaluate(acts)
  await shop.answered(names)
  return shop.done.slice(before).toSorted((one, other) => one.act.localeCompare(other.act))
}
const byVisitor = (acts: readonly string[]): unknown[] => acts.map((act) => ({ act, user: 'visitor' }))

describe.each(Object.entries(MANNERS))('%s', (_name, [manner, ...needless]) => {
  const run = async (mode: CsrfMode, acts: string, names: readonly string[]): Promise<unknown[]> => {
    await using shop = await openShop(manner, mode)
    const page = await browser.newPage()
    await signIn(page, shop, 'visitor')
    return await doneBy(acts, names, page, shop)
  }

  it.each(MODES)('in %s all that our page does with its token is done', async (mode) => {
    expect(await run(mode, ACTS, WITH_TOKEN)).toEqual(byVisitor(WITH_TOKEN))
  })

  it(`in auto ${needless.join(', ') || 'nothing'} is done without a token, in strict a socket at most`, async () => {
    const names = ['bare', 'plain', 'socket']
    expect(await run('auto', WITHOUT_TOKEN, names)).toEqual(byVisitor(needless))
    expect(await run('strict', WITHOUT_TOKEN, names)).toEqual(byVisitor(needless.filter((act) => act === 'socket')))
  })
})

describe.each(MODES)('in %s', (mode) => {
  const send = async (page: Page): Promise<string> => {
    await Promise.all([page.waitForEvent('load'), page.locator('#transfer button').click()])
    return page.locator('body').innerText()
  }

  it('a page that comes back from the back-forward cache goes on', async () => {
    await using shop = await openShop(WEB, mode)
    const page = await browser.newPage()
    await signIn(page, shop, 'visitor')
    await page.goto(`${shop.origin}/elsewhere`)
    await page.goBack({ waitUntil: 'commit' })
    await page.waitForFunction('persisted')
    expect(await send(page)).toBe('done as visitor')
  })

  it('a tab that the browser restores at its next start goes on', async () => {
    await using shop = await openShop(WEB, mode)
    const folder = newFolder()
    const restore = { session: { restore_on_startup: 1 } }
    const first = await launchProfile(folder, restore)
    await signIn(await first.newPage(), shop, 'visitor')
    await until('the browser has written down its tabs', async () => notes(folder).includes(shop.origin))
    await first.close()
    const second = await launchProfile(folder, restore)
    try {
      const page = await until('the tab is back', async () =>
        second.pages().find((one) => one.url().startsWith(shop.origin)),
      )
      await page.waitForLoadState()
      expect(await send(page)).toBe('done as visitor')
    } finally {
      await second.close()
    }
  })

  it('a page from before the sign-in in another tab goes on, in strict by its script alone', async () => {
    await using shop = await openShop(WEB, mode)
    const [page, other] = [await browser.newPage(), await browser.newPage()]
    await page.goto(shop.origin)
    await signIn(other, shop, 'visitor')
    expect(await page.evaluate(`helper.fetch('/transfer', { method: 'POST' }).then((answer) => answer.text())`)).toBe(
      'done as visitor',
    )
    expect(await send(page)).toContain(mode === 'auto' ? 'done as visitor' : 'token-stale')
  })

  it('a stranger’s tab that has lost its cookies goes on, in strict by its script alone', async () => {
    await using shop = await openShop(WEB, mode)
    const page = await browser.newPage()
    await page.goto(shop.origin)
    await browser.clearCookies()
    expect(await page.evaluate(`helper.fetch('/transfer', { method: 'POST' }).then((answer) => answer.text())`)).toBe(
      'done as nobody',
    )
    await browser.clearCookies()
    expect(await send(page)).toContain(mode === 'auto' ? 'done as nobody' : 'token-stale')
  })
})

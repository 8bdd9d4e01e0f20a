/** A transfer that cannot go on: every code has a page of its own, sound as all pages are, with a way on that leads on. */
import { mkdirSync, rmdirSync } from 'node:fs'
import path from 'node:path'

import { CycleError, type CycleErrorCode } from 'holdfast/cycle'
import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'

import { html } from '../../examples/transfer/pages/html.ts'
import { troublePage } from '../../examples/transfer/pages/troubles.ts'
import type { View } from '../../examples/transfer/pages/view.ts'
import { WORLDS } from '../../examples/transfer/worlds.ts'
import { auditPage } from './audit.ts'
import { launchChromium, Visitor } from './chromium.ts'
import { ledgerOf, startDemonstration, type Demonstration } from './demonstration.ts'

let demonstration: Demonstration
let browser: Browser
let visitor: Visitor

beforeAll(async () => {
  ;[demonstration, browser] = await Promise.all([startDemonstration(), launchChromium()])
})

afterAll(async () => {
  await browser.close()
  await demonstration.stop()
})

afterEach(async () => {
  const { complaints } = visitor
  await visitor.leave()
  if (complaints.length > 0) throw new Error(`The page's script complained: ${complaints.join('; ')}`)
})

async function arrive(world = 'shared'): Promise<void> {
  visitor = await Visitor.arrive(browser, `${demonstration.url}/${world}/`)
  await visitor.signIn()
}

/** The page has this title and status, names this code, and is sound. */
async function expectTrouble(title: string, code: CycleErrorCode): Promise<void> {
  expect({ title: await visitor.heading(), code: await visitor.page.locator('.notice code').innerText() }).toEqual({
    title,
    code,
  })
  expect(await visitor.page.evaluate(auditPage)).toEqual([])
}

function addressOf(step: string): string {
  const { origin, search } = new URL(visitor.page.url())
  return `${origin}/shared/${step}${search}`
}

describe('a step', () => {
  it('that is not next leads to the one that is', async () => {
    await arrive()
    await visitor.press('Continue')
    await visitor.send(addressOf('confirm'), await visitor.fields())
    await expectTrouble('Not yet', 'ERR_CYCLE_STEP')
    await visitor.follow('Show the step that is next')
    expect(await visitor.heading()).toBe('Details')
  })

  it('that was taken already may be taken again, and what comes after it follows', async () => {
    await arrive()
    await visitor.press('Continue')
    await visitor.press('Continue')
    await visitor.follow('Change something')
    await visitor.page.getByLabel('Amount in euros').fill('31')
    await visitor.press('Continue')
    expect(await visitor.heading()).toBe('Details')
    await visitor.press('Continue')
    await visitor.press('Transfer €31.00')
    expect(await visitor.heading()).toBe('Done')
  })

  it('after the end leads to the receipt', async () => {
    await arrive()
    const amount = { ...(await visitor.fields()), amount: '99' }
    for (const button of ['Continue', 'Continue', /^Transfer/]) await visitor.press(button)
    await visitor.send(addressOf('amount'), amount)
    await expectTrouble('Over already', 'ERR_CYCLE_FINISHED')
    await visitor.follow('See what became of it')
    expect(await visitor.page.locator('.summary').innerText()).toContain('€25.00')
  })

  it('while the end runs is told to wait, and the page goes on to the receipt by itself', async () => {
    await arrive()
    await visitor.press('Continue')
    const details = await visitor.fields()
    await visitor.press('Continue')
    await visitor.page.getByLabel('Take three seconds over it').check()
    const end = await visitor.fields()
    const address = addressOf('confirm')
    const running = visitor.page.request.post(address, { form: end })
    for (;;) {
      const seen = await visitor.page.request.get(address)
      if ((await seen.text()).includes('Being carried out')) break
    }
    const answer = visitor.page.waitForResponse((response) => response.url().includes('/details'))
    await visitor.send(addressOf('details'), details)
    const busy = await answer
    expect({ status: busy.status(), after: await busy.headerValue('retry-after') }).toEqual({ status: 503, after: '2' })
    await expectTrouble('Being carried out', 'ERR_CYCLE_BUSY')
    await visitor.page.locator('#step-title', { hasText: 'Done' }).waitFor()
    expect((await running).status()).toBe(200)
  })
})

describe('a transfer', () => {
  it('that this visit does not have leads to a new one', async () => {
    await arrive()
    const mine = visitor.page.url()
    const stranger = await Visitor.arrive(browser, demonstration.url)
    await stranger.signIn('stranger')
    await stranger.page.goto(mine)
    expect(await stranger.heading()).toBe('Unknown')
    expect(await stranger.page.evaluate(auditPage)).toEqual([])
    await stranger.follow('Begin a new transfer')
    expect(await stranger.heading()).toBe('Amount')
    await stranger.leave()
  })

  it('that the bank refuses can be changed and sent again', async () => {
    await arrive()
    await visitor.page.getByLabel('From').selectOption('Savings account')
    await visitor.page.getByLabel('Amount in euros').fill('500.01')
    for (const button of ['Continue', 'Continue', /^Transfer/]) await visitor.press(button)
    await expectTrouble('Not carried out', 'ERR_CYCLE_REOPENED')
    expect(await visitor.text()).toContain('your savings account has no more than €500.00')
    await visitor.follow('Change the amount')
    await visitor.page.getByLabel('Amount in euros').fill('500')
    for (const button of ['Continue', 'Continue', /^Transfer/]) await visitor.press(button)
    expect(await visitor.heading()).toBe('Done')
    expect(await visitor.ledger()).toContainEqual(expect.stringContaining('€500.00'))
  })

  it('whose end failed is not tried again', async () => {
    const ledger = path.join(demonstration.folder, 'ledger-sticky.jsonl')
    mkdirSync(ledger)
    await arrive('sticky')
    for (const button of ['Continue', 'Continue', /^Transfer/]) await visitor.press(button)
    expect(await visitor.heading()).toBe('Something broke')
    expect(await visitor.page.evaluate(auditPage)).toEqual([])
    rmdirSync(ledger)
    await visitor.follow('See what became of it')
    await visitor.press('Ask for the outcome')
    await expectTrouble('Failed', 'ERR_CYCLE_FAILED')
    expect(await visitor.text()).toContain('The ledger has nothing under it')
    expect(ledgerOf(demonstration, 'sticky')).toEqual([])
  })

  it('too many: the visitor drops one of the open ones, and goes on', async () => {
    await arrive()
    for (let count = 0; count < 20; count++) {
      const amount = { ...(await visitor.fields()), amount: String(100 + count) }
      await visitor.page.request.post(addressOf('amount'), { form: amount })
      await visitor.page.goto(`${demonstration.url}/shared/`)
    }
    await visitor.press('Continue')
    await expectTrouble('Too many', 'ERR_CYCLE_LIMIT')
    const here = visitor.page.url()
    const open = visitor.page.locator('tbody tr')
    expect(await open.count()).toBe(20)
    const dropped = await open.first().getByRole('link').getAttribute('href')
    await Promise.all([visitor.page.waitForEvent('load'), open.first().getByRole('button', { name: 'Drop' }).click()])
    await visitor.page.goto(here)
    await visitor.press('Continue')
    expect(await visitor.heading()).toBe('Details')
    await visitor.page.goto(`${demonstration.url}${dropped}`)
    await expectTrouble('Dropped', 'ERR_CYCLE_ENDED')
  })
})

it('every code has a page with a way on', () => {
  const work = { trips: [], outcome: 'unchanged', conflicts: 0 } as const
  const servers = { A: { state: 'up', pid: 1 }, B: { state: 'up', pid: 2 } } as const
  const session = { status: 'live', handle: 'handle', version: 1, userId: 'visitor' } as const
  const view: View = {
    world: WORLDS.shared,
    server: 'A',
    madeBy: 'B',
    surroundings: { servers, balancer: 'balancer' },
    session,
    token: 'accepted',
    work,
    csrf: html``,
  }
  const codes: Record<CycleErrorCode, number> = {
    ERR_CYCLE_UNKNOWN: 404,
    ERR_CYCLE_FOREIGN: 403,
    ERR_CYCLE_ENDED: 410,
    ERR_CYCLE_EXPIRED: 410,
    ERR_CYCLE_FINISHED: 409,
    ERR_CYCLE_STEP: 409,
    ERR_CYCLE_STATE: 422,
    ERR_CYCLE_LIMIT: 409,
    ERR_CYCLE_BUSY: 503,
    ERR_CYCLE_REOPENED: 409,
    ERR_CYCLE_FAILED: 409,
    ERR_CYCLE_IN_DOUBT: 409,
  }
  const pages = Object.keys(codes).map((code) => {
    const error = new CycleError(code as CycleErrorCode, 'what happened')
    const { status, body } = troublePage(view, { error, id: 'x'.repeat(24), entries: [], open: [] })
    return [code, /class="button" href="\/shared\//.test(body.text) ? status : 'no way on']
  })
  expect(Object.fromEntries(pages)).toEqual(codes)
})

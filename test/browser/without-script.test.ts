/** The page for those without JavaScript, and for those without a mouse. */
import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'

import { launchChromium, Visitor } from './chromium.ts'
import { startDemonstration, type Demonstration } from './demonstration.ts'

let demonstration: Demonstration
let browser: Browser
let visitor: Visitor

beforeAll(async () => {
  ;[demonstration, browser] = await Promise.all([startDemonstration('--balancer', 'built-in'), launchChromium()])
})

afterAll(async () => {
  await browser.close()
  await demonstration.stop()
})

afterEach(() => visitor.leave())

describe('without JavaScript', () => {
  const options = { javaScriptEnabled: false }

  it('the transfer, the switch, signing in and signing out work', async () => {
    visitor = await Visitor.arrive(browser, demonstration.url, options)
    await visitor.signIn()
    await visitor.press('Continue')
    await visitor.press('Continue')
    await visitor.press(/^Transfer/)
    expect(await visitor.heading()).toBe('Done')
    await visitor.press('Sign out')
    expect(await visitor.text()).toContain('You are signed out.')
    await visitor.follow(/^Sticky/)
    expect(new URL(visitor.page.url()).pathname).toBe('/sticky/')
  })

  it('killing a server leads back to the same step, which shows the server dead', async () => {
    visitor = await Visitor.arrive(browser, demonstration.url, options)
    await visitor.signIn()
    await visitor.press('Continue')
    const { answeredBy } = await visitor.told()
    await visitor.press('Kill this server')
    expect(await visitor.heading()).toBe('Details')
    expect(await visitor.node(String(answeredBy)).innerText()).toContain('killed; back in seconds')
    expect((await visitor.told()).answeredBy).not.toBe(answeredBy)
    await visitor.press('Continue')
    expect(await visitor.heading()).toBe('Confirmation')
    await demonstration.says(`Server ${answeredBy} is back`)
  })

  it('sending a step again, as a reload does, changes nothing', async () => {
    visitor = await Visitor.arrive(browser, demonstration.url, options)
    await visitor.signIn('who-reloads')
    await visitor.press('Continue')
    await visitor.page.reload()
    expect(await visitor.heading()).toBe('Details')
    await visitor.press('Continue')
    await visitor.press(/^Transfer/)
    await visitor.page.reload()
    expect(await visitor.text()).toContain('You sent this form before, and it was not carried out again.')
    expect(await visitor.ledger()).toHaveLength(1)
  })
})

describe('with the keyboard alone', () => {
  it('the transfer can be made, and the focus is seen at every stop', async () => {
    visitor = await Visitor.arrive(browser, demonstration.url)
    const { keyboard } = visitor.page
    await keyboard.press('Tab')
    expect(await visitor.focused()).toMatchObject({ text: 'Skip to the form', seen: true })
    await keyboard.press('Enter')
    await keyboard.press('Tab')
    await keyboard.type('visitor')
    await submit()
    for (const stops of [3, 3]) {
      await skipToForm()
      for (let stop = 0; stop < stops; stop++) {
        await keyboard.press('Tab')
        expect((await visitor.focused()).seen).toBe(true)
      }
      await submit()
    }
    await skipToForm()
    await keyboard.press('Tab')
    await keyboard.press('Tab')
    expect((await visitor.focused()).text).toMatch(/^Transfer/)
    await submit()
    expect(await visitor.heading()).toBe('Done')
  })

  it('a server can be killed, and the focus stays where it was', async () => {
    visitor = await Visitor.arrive(browser, demonstration.url)
    const { answeredBy } = await visitor.told()
    const button = visitor.page.getByRole('button', { name: 'Kill this server' })
    await button.focus()
    await visitor.page.keyboard.press('Enter')
    await visitor.page
      .getByRole('status')
      .filter({ hasText: `Server ${answeredBy} is dead.` })
      .waitFor()
    expect((await visitor.focused()).text).toBe('Kill this server')
    await visitor.page.getByRole('status').filter({ hasText: 'is back' }).waitFor()
  })
})

async function skipToForm(): Promise<void> {
  await visitor.page.keyboard.press('Tab')
  await visitor.page.keyboard.press('Enter')
}

async function submit(): Promise<void> {
  await Promise.all([visitor.page.waitForEvent('load'), visitor.page.keyboard.press('Enter')])
}

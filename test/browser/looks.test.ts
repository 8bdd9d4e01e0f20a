/** Every page of the visit, light and dark, on a large screen and on a small one. */
import type { Browser, BrowserContextOptions } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { auditPage } from './audit.ts'
import { launchChromium, Visitor } from './chromium.ts'
import { startDemonstration, type Demonstration } from './demonstration.ts'

let demonstration: Demonstration
let browser: Browser

beforeAll(async () => {
  ;[demonstration, browser] = await Promise.all([startDemonstration(), launchChromium()])
})

afterAll(async () => {
  await browser.close()
  await demonstration.stop()
})

const screens: Array<{ name: string; options: BrowserContextOptions }> = (['light', 'dark'] as const).flatMap(
  (colorScheme) =>
    [1440, 360].map((width) => ({
      name: `${colorScheme}, ${width} px`,
      options: { colorScheme, viewport: { width, height: 800 } },
    })),
)

describe.each(screens)('the pages are sound: $name', ({ options }) => {
  it('from signing in to the receipt, refusals and mistakes included', async () => {
    const visitor = await Visitor.arrive(browser, demonstration.url, options)
    const found: Record<string, string[]> = {}
    const audit = async (page: string): Promise<void> => {
      found[page] = await visitor.page.evaluate(auditPage)
    }
    await audit('sign-in')
    await visitor.signIn('a-visitor-with-a-name-of-forty-characters')
    await audit('entry')
    await visitor.page.getByLabel('Amount in euros').fill('much')
    await visitor.press('Continue')
    await audit('entry with a mistake')
    await visitor.page.getByLabel('Amount in euros').fill('12,50')
    for (const [button, page] of [
      ['Continue', 'details'],
      ['Continue', 'confirm'],
      [/^Transfer/, 'done'],
    ] as const) {
      await visitor.press(button)
      await audit(page)
    }
    await visitor.follow(/^Memory/)
    await visitor.signIn()
    await visitor.press('Continue')
    await audit('refused')
    expect(Object.fromEntries(Object.entries(found).filter(([, problems]) => problems.length > 0))).toEqual({})
    await visitor.leave()
  })
})

it('a dead server can be told without seeing colours', async () => {
  const visitor = await Visitor.arrive(browser, demonstration.url)
  await visitor.kill('A')
  expect(await visitor.page.evaluate(auditPage)).toEqual([])
  expect(await visitor.node('A').innerText()).toContain('killed')
  await visitor.leave()
})

it('a mistake is named beside its field, which takes the focus', async () => {
  const visitor = await Visitor.arrive(browser, `${demonstration.url}/shared/`)
  await visitor.press('Sign in')
  const field = visitor.page.getByRole('textbox', { name: 'Your name' })
  expect(await field.getAttribute('aria-invalid')).toBe('true')
  expect(
    await visitor.page.locator(`#${(await field.getAttribute('aria-describedby'))?.split(' ')[0]}`).innerText(),
  ).toBe('Enter a name of 1 to 40 characters.')
  expect(
    await field.evaluate(
      (input: unknown) => input === (globalThis as { document?: { activeElement: unknown } }).document?.activeElement,
    ),
  ).toBe(true)
  await visitor.leave()
})

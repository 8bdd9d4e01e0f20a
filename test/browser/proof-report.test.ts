/** The proof's report, light and dark, on a large screen and on a small one. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'

import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'

import { writeReport } from '../../proof/report/write.ts'
import { brokenStory, reportOf, shownOf } from '../proof/report/told.ts'
import { auditPage } from './audit.ts'
import { launchChromium, Visitor } from './chromium.ts'

let browser: Browser
const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-report-'))

beforeAll(async () => {
  const own = shownOf(brokenStory())
  const control = shownOf(brokenStory('x', { target: 'express-session' }), { faulty: true })
  writeReport(folder, reportOf(own, control))
  browser = await launchChromium()
})
afterAll(async () => {
  await browser.close()
  rmSync(folder, { recursive: true, force: true })
})

const screens = (['light', 'dark'] as const).flatMap((colorScheme) =>
  [1440, 360].map((width) => ({ colorScheme, viewport: { width, height: 800 } })),
)

it.each(screens)('is sound with all that is folded opened: $colorScheme, $viewport.width px', async (options) => {
  const visitor = await Visitor.arrive(browser, pathToFileURL(path.join(folder, 'index.html')).href, options)
  for (const summary of await visitor.page.locator('summary').all()) await summary.press('Enter')
  await visitor.page.getByText('item: v1.0').first().waitFor()
  expect(await visitor.page.evaluate(auditPage)).toEqual([])
  expect(visitor.complaints).toEqual([])
  expect(visitor.requests).toHaveLength(1)
  await visitor.leave()
})

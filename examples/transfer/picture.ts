/**
 * Takes the pictures of the README, light and dark: `node tools/run.mjs --needs=chromium examples/transfer/picture`.
 * They show the confirmation of a real visit: its form was made by one server and received by the other.
 */
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import { chromium, type Browser } from 'playwright-core'

import { Demonstration } from './launcher/demonstration.ts'
import { repack } from './repack.ts'

const folder = new URL('../../../docs/pictures/', import.meta.url)

const demonstration = await Demonstration.prepare(0)
await demonstration.startServers()
await demonstration.startBalancer({ world: 'shared', port: 0, balancer: 'best' })
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update'],
})
for (const scheme of ['light', 'dark'] as const) {
  const file = fileURLToPath(new URL(`transfer-${scheme}.png`, folder))
  await takePicture(browser, scheme, file)
  console.log(file)
}
await browser.close()
await demonstration.stop()

async function takePicture(from: Browser, colorScheme: 'light' | 'dark', path: string): Promise<void> {
  const page = await from.newPage({ colorScheme, viewport: { width: 1024, height: 800 } })
  await page.goto(`http://localhost:${demonstration.port}/shared/`)
  await page.getByLabel('Your name').fill('visitor')
  for (const button of ['Sign in', 'Continue', 'Continue']) {
    await Promise.all([page.waitForEvent('load'), page.getByRole('button', { name: button }).click()])
  }
  writeFileSync(path, repack(await page.screenshot({ fullPage: true })))
  await page.close()
}

/** A rolling deploy from express-session to Holdfast, and back. `npm run proof:adoption` does the same with two thousand visitors. */
import { afterAll, beforeAll, expect, it } from 'vitest'

import { runDeploy } from '../../proof/adoption/deploy.ts'
import { closeConnections } from '../../proof/browser.ts'
import { installPeers } from '../../proof/peers.ts'

beforeAll(() => installPeers())
afterAll(closeConnections)

it('logs nobody out, loses no cart, and shows nobody what is another’s, while old and new servers serve the same visitors', async () => {
  const { wrong, by, examples } = await runDeploy({ visitors: 60, mirror: true })
  expect(examples).toEqual([])
  expect(Object.values(wrong).every((count) => count === 0)).toBe(true)
  expect(Math.min(by.old, by.new)).toBeGreaterThan(60)
})

import { expect, it } from 'vitest'

import { LimitError } from '../../src/errors.ts'
import { Browser, deployment } from '../support/core-browser.ts'

it('what update() makes too large throws there, and leaves the session as it was', async () => {
  const { servers } = await deployment({}, 1)
  const browser = new Browser()
  await browser.visit(servers[0]!, (session) => void (session.data['note'] = 'short'), 'POST')
  const seen = await browser.visit(
    servers[0]!,
    async (session) => {
      const update = session.update((data) => void (data['note'] = 'x'.repeat(70_000)))
      await expect(update).rejects.toMatchObject({ limit: 'recordSize', status: 500 })
      return session.data
    },
    'POST',
  )
  expect(seen).toEqual({ note: 'short' })
  expect(await browser.visit(servers[0]!, (session) => session.data)).toEqual({ note: 'short' })
})

it('only what passes by itself asks to come again', () => {
  expect(new LimitError('recordSize', '').headers).toEqual({})
  expect(new LimitError('queuedCommits', '').headers).toEqual({ 'retry-after': '1' })
})

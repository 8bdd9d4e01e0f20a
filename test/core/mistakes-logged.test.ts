import { expect, it } from 'vitest'

import { Browser, deployment } from '../support/core-browser.ts'

it.each([
  ['ERR_DATA', { at: 'cart[1]' }, { cart: [1, () => undefined] }],
  ['ERR_LIMIT', { limit: 'recordSize' }, { cart: ['x'.repeat(70_000)] }],
])('data that cannot be saved are logged with their place: %s', async (code, where, data) => {
  const lines: object[] = []
  const log = { warn: () => undefined, error: (details: object) => void lines.push(details) }
  const { servers } = await deployment({ log }, 1)
  const request = new Browser().request(servers[0]!, (session) => void Object.assign(session.data, data), 'POST')
  await expect(request).rejects.toMatchObject({ code })
  expect(lines).toEqual([{ code, ...where, handle: undefined, method: 'POST', path: '/' }])
})

/** What an answer says of what was asked: done, not done, or nobody knows. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

import { afterAll, beforeAll, expect, it } from 'vitest'

import { closeConnections } from '../../../proof/browser.ts'
import { Recorder } from '../../../proof/history/recorder.ts'
import { HANDLE } from '../../../proof/site/settings.ts'
import { Asking } from '../../../proof/visitors/asking.ts'

let server: Server
let answer: { readonly status: number; readonly body: object; readonly handle?: string }

beforeAll(async () => {
  server = createServer((_request, response) => {
    const { status, body, handle } = answer
    response
      .writeHead(status, { 'content-type': 'application/json', ...(handle !== undefined && { [HANDLE]: handle }) })
      .end(JSON.stringify(body))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
})

afterAll(() => {
  closeConnections()
  server.closeAllConnections()
  server.close()
})

it.each([
  [200, {}, 'acknowledged'],
  // Of the application, and of the adapter in its place.
  [503, { server: 'A', code: 'ERR_STORE_UNAVAILABLE', applied: 'no' }, 'refused'],
  [503, { code: 'ERR_STORE_UNAVAILABLE' }, 'refused'],
  [503, { server: 'A', code: 'ERR_COMMIT_UNKNOWN', applied: 'no' }, 'unknown'],
  [503, { code: 'ERR_COMMIT_UNKNOWN' }, 'unknown'],
  [503, { server: 'A', code: 'ERR_UNCONFIRMED', applied: 'no' }, 'unknown'],
  [503, { code: 'ERR_UNCONFIRMED' }, 'unknown'],
  [401, { server: 'A', code: 'ERR_SESSION_ENDED' }, 'refused'],
  [502, {}, 'unknown'],
])('%i with %j: %s', async (status, body, outcome) => {
  answer = { status, body }
  const { port } = server.address() as AddressInfo
  const asking = new Asking('v0', `http://127.0.0.1:${port}`, new Recorder(), () => 1)
  const { operation } = await asking.ask(
    { kind: 'count', asked: {}, visit: 'v0-1' },
    { method: 'POST', path: '/count' },
  )
  expect(operation).toMatchObject({ outcome, status })
})

it.each([
  ['that it is told with the answer', null, 'later', 'later'],
  ['that it shows', 'shown', 'later', 'shown'],
  ['none, where it has none', null, undefined, null],
])('a session has the name %s', async (_what, shown, told, name) => {
  const seen = { user: null, owner: 'v0-1', handle: shown, cart: [], count: 1, mark: 0 }
  answer = { status: 200, body: { server: 'A', seen }, ...(told !== undefined && { handle: told }) }
  const { port } = server.address() as AddressInfo
  const asking = new Asking('v0', `http://127.0.0.1:${port}`, new Recorder(), () => 1)
  const { operation } = await asking.ask({ kind: 'read', asked: {}, visit: 'v0-1' }, { method: 'GET', path: '/read' })
  expect(operation.seen?.handle).toBe(name)
})

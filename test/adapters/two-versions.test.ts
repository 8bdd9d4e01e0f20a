/** A rolling deploy over HTTP: servers with two versions of an application, and a visitor who lands on either. */
import { createServer } from 'node:http'

import express from 'express'
import type { RequestHandler } from 'express'
import { createSessions, type Options, type Session } from 'holdfast'
import { holdfast } from 'holdfast/express'
import { memoryStore } from 'holdfast/memory'
import { expect, it, onTestFinished } from 'vitest'

import { ask, cookiesOf, type Reply } from '../../src/testing/adapter-contract/client.ts'
import { listen } from './harness/listen.ts'

type Cart = Record<string, unknown>

const SECRET = 'a secret of the tests of two versions, for no other use'
const PAGE = { 'sec-fetch-site': 'same-origin' }

const store = memoryStore()

async function start(shape: Partial<Options<Cart>>, add: (session: Session<Cart>) => void): Promise<number> {
  const sessions = createSessions<Cart>({ secret: SECRET, store, ...shape })
  await sessions.ready()
  const app = express()
  app.use(holdfast(sessions))
  const act: RequestHandler = (request, response) => {
    const session = sessions.of(request)
    if (request.method === 'POST') add(session)
    response.json({ status: session.status, ...session.data })
  }
  app.all('/', act)
  const server = await listen(createServer(app))
  onTestFinished(async () => {
    await server.close()
    await sessions.close()
  })
  return server.port
}

it('serves a visitor on both: the new one brings data up, the old one reads what it does not know, and changes none of it', async () => {
  const old = await start({}, ({ data }) => void (data['apples'] = Number(data['apples'] ?? 0) + 1))
  const migrate = (data: object): Cart => ({ fruits: { apple: (data as { apples?: number }).apples ?? 0 } })
  const now = await start({ version: 2, migrate }, ({ data }) => {
    const fruits = (data['fruits'] ?? {}) as Record<string, number>
    data['fruits'] = { ...fruits, pear: (fruits['pear'] ?? 0) + 1 }
  })
  const jar = new Map<string, string>()
  const visit = async (port: number, method: string): Promise<Reply> => {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ')
    const reply = await ask(port, { method, headers: { ...PAGE, ...(cookie === '' ? {} : { cookie }) } })
    for (const pair of cookiesOf(reply).split('; ').filter(Boolean)) {
      const equals = pair.indexOf('=')
      jar.set(pair.slice(0, equals), pair.slice(equals + 1))
    }
    return reply
  }
  await visit(old, 'POST')
  await visit(old, 'POST')
  expect(JSON.parse((await visit(now, 'GET')).body)).toEqual({ status: 'live', fruits: { apple: 2 } })
  expect((await visit(old, 'POST')).status).toBe(200)
  expect((await visit(now, 'POST')).status).toBe(200)
  expect(JSON.parse((await visit(old, 'GET')).body)).toEqual({ status: 'stale', fruits: { apple: 3, pear: 1 } })
  const refused = await visit(old, 'POST')
  expect({ status: refused.status, again: refused.headers.get('retry-after') }).toEqual({
    status: 503,
    again: ['1'],
  })
  expect(JSON.parse((await visit(now, 'GET')).body)).toEqual({ status: 'live', fruits: { apple: 3, pear: 1 } })
})

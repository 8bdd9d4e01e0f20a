/** Sessions of express-session that are taken over, and kept up to date for old servers, through the adapters. */
import express from 'express'
import { createSessions, type Sessions } from 'holdfast'
import { fromExpressSession } from 'holdfast/adopt'
import { memoryStore } from 'holdfast/memory'
import { describe, expect, it, onTestFinished } from 'vitest'

import { signed } from '../../src/compat/express-session/signature.ts'
import { ask, cookiesOf, type Reply } from '../../src/testing/adapter-contract/client.ts'
import type { AdapterHarness, ContractData, ContractRoute } from '../../src/testing/index.ts'
import { expressHarness } from './harness/express.ts'
import { fastifyHarness } from './harness/fastify.ts'
import { nodeHarness } from './harness/node.ts'

const OLD_SECRET = 'of the servers of before'
const PAGE = { 'sec-fetch-site': 'same-origin' }

const HARNESSES: Readonly<Record<string, AdapterHarness>> = {
  express: expressHarness(express),
  fastify: fastifyHarness,
  'node:http': nodeHarness,
}

interface Old {
  readonly records: Map<string, string>
  readonly port: number
  /** One request; the jar takes what the answer brings. */
  visit(method: string, path: string): Promise<Reply>
  readonly jar: Map<string, string>
}

const shown = ({ session }: Parameters<ContractRoute['handler']>[0]): string =>
  JSON.stringify({ user: session?.userId, ...session?.data })

const ROUTES: readonly ContractRoute[] = [
  { method: 'GET', path: '/', handler: (exchange) => exchange.send(200, shown(exchange)) },
  {
    method: 'POST',
    path: '/add',
    handler: (exchange) => {
      if (exchange.session !== undefined) exchange.session.data.count = (exchange.session.data.count ?? 0) + 1
      return exchange.send(200, shown(exchange))
    },
  },
  {
    method: 'POST',
    path: '/sign-out',
    handler: async (exchange) => {
      await exchange.session?.signOut()
      return exchange.send(200, shown(exchange))
    },
  },
]

async function start(harness: AdapterHarness, mirror: boolean): Promise<Old> {
  const records = new Map([['old-id', JSON.stringify({ cookie: { originalMaxAge: null }, user: 'ada', count: 1 })]])
  const store = {
    get: (id: string, done: (error?: never, found?: never) => void) =>
      done(undefined, JSON.parse(records.get(id) ?? 'null') as never),
    set: (id: string, session: object, done: () => void) => {
      records.set(id, JSON.stringify(session))
      done()
    },
    destroy: (id: string, done: () => void) => {
      records.delete(id)
      done()
    },
  }
  const source = { secret: OLD_SECRET, store, ...(mirror ? { mirror } : {}) }
  const sessions: Sessions<ContractData> = createSessions<ContractData>({
    secret: 'a secret of the tests of adoption, for no other use',
    store: memoryStore(),
    adopt: [
      fromExpressSession({
        ...source,
        map: ({ user, count }) => ({ data: { count: count as number }, user: user as string }),
        unmap: ({ data, user }) => ({ ...data, user }),
      }),
    ],
  })
  await sessions.ready()
  const { port, close } = await harness.serve([sessions], ROUTES, { errors: 'answer' })
  onTestFinished(async () => {
    await close()
    await sessions.close()
  })
  const jar = new Map([['connect.sid', encodeURIComponent(signed('old-id', OLD_SECRET))]])
  const visit = async (method: string, path: string): Promise<Reply> => {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ')
    const reply = await ask(port, { method, path, headers: { ...PAGE, ...(cookie === '' ? {} : { cookie }) } })
    for (const line of reply.headers.get('set-cookie') ?? [])
      if (/Max-Age=0/.test(line)) jar.delete(line.slice(0, line.indexOf('=')))
    for (const pair of cookiesOf(reply).split('; ').filter(Boolean)) {
      const equals = pair.indexOf('=')
      if (equals < pair.length - 1) jar.set(pair.slice(0, equals), pair.slice(equals + 1))
    }
    return reply
  }
  return { records, port, visit, jar }
}

describe.each(Object.entries(HARNESSES))('an old session on %s', (_name, harness) => {
  it('is adopted with the first answer, which ends it and clears its cookie', async () => {
    const { visit, records, jar } = await start(harness, false)
    expect(JSON.parse((await visit('GET', '/')).body)).toEqual({ user: 'ada', count: 1 })
    expect([...jar.keys()]).toEqual(['sid'])
    expect(records.size).toBe(0)
    expect(JSON.parse((await visit('POST', '/add')).body)).toEqual({ user: 'ada', count: 2 })
  })

  it('is kept up to date where it is mirrored, before the answer leaves, and ends with the session', async () => {
    const { visit, records, jar } = await start(harness, true)
    expect(JSON.parse((await visit('POST', '/add')).body)).toEqual({ user: 'ada', count: 2 })
    expect(JSON.parse(records.get('old-id') ?? '{}')).toMatchObject({ user: 'ada', count: 2 })
    records.set('old-id', JSON.stringify({ cookie: {}, user: 'ada', count: 7 }))
    expect(JSON.parse((await visit('GET', '/')).body)).toEqual({ user: 'ada', count: 7 })
    await visit('POST', '/sign-out')
    expect([records.size, jar.size]).toEqual([0, 0])
  })
})

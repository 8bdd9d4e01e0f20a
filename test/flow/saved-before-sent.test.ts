/** I5, watched on the socket: the head leaves only after the save. */
import { connect } from 'node:net'

import express from 'express'
import fastify from 'fastify'
import { createSessions, type Sessions } from 'holdfast'
import { holdfast as expressHoldfast } from 'holdfast/express'
import { holdfast as fastifyHoldfast } from 'holdfast/fastify'
import { memoryStore } from 'holdfast/memory'
import { faultyStore } from 'holdfast/testing'
import { expect, it } from 'vitest'

import { SITE_HOST } from '../../proof/browser.ts'
import { ADAPTERS, QUIET, SECRET, type Adapter } from './servers.ts'

const SLOW = 300

interface Shop {
  item?: string
}

it.each(ADAPTERS)(
  'I5: on %s a redirect after a write reaches the socket only when a store slowed to 300 ms has saved',
  async (adapter) => {
    const store = faultyStore(memoryStore(), { delay: (operation) => (operation === 'create' ? SLOW : 0) })
    const sessions = createSessions<Shop>({ secret: SECRET, store, log: QUIET })
    await sessions.ready()
    let asked = 0
    let saved = 0
    const create = store.create.bind(store)
    store.create = async (...details) => {
      asked = performance.now()
      const swap = await create(...details)
      saved = performance.now()
      return swap
    }
    const server = await listen(adapter, sessions)
    const { firstByte, head } = await watch(server.port)
    await server.close()
    await sessions.close()

    expect(head).toMatch(/^HTTP\/1\.1 30[23] /)
    expect(head.toLowerCase()).toContain('\r\nlocation: /cart\r\n')
    expect(head.toLowerCase()).toContain('set-cookie: gid=')
    expect(saved - asked).toBeGreaterThanOrEqual(SLOW - 5)
    expect(firstByte).toBeGreaterThanOrEqual(saved)
  },
)

interface Watched {
  readonly firstByte: number
  readonly head: string
}

function watch(port: number): Promise<Watched> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(
        `POST /cart HTTP/1.1\r\nHost: ${SITE_HOST}\r\nSec-Fetch-Site: same-origin\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
      )
    })
    let firstByte = 0
    let head = ''
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      if (firstByte === 0) firstByte = performance.now()
      head += text
    })
    socket.once('error', reject)
    socket.once('close', () => resolve({ firstByte, head }))
  })
}

async function listen(adapter: Adapter, sessions: Sessions<Shop>): Promise<{ port: number; close(): Promise<void> }> {
  return adapter === 'express' ? onExpress(sessions) : onFastify(sessions)
}

async function onExpress(sessions: Sessions<Shop>): Promise<{ port: number; close(): Promise<void> }> {
  const app = express()
  app.use(express.urlencoded())
  app.use(expressHoldfast(sessions))
  app.post('/cart', (request, response) => {
    sessions.of(request).data.item = 'book'
    response.redirect('/cart')
  })
  const server = app.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const close = (): Promise<void> => new Promise((resolve) => server.close(() => resolve()))
  return { port: (server.address() as { port: number }).port, close }
}

async function onFastify(sessions: Sessions<Shop>): Promise<{ port: number; close(): Promise<void> }> {
  const app = fastify()
  await app.register(fastifyHoldfast, { sessions })
  app.post('/cart', async (request, reply) => {
    sessions.of(request).data.item = 'book'
    return reply.redirect('/cart')
  })
  return { port: Number(new URL(await app.listen({ port: 0, host: '127.0.0.1' })).port), close: () => app.close() }
}

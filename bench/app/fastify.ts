/** Fastify, bare and with Holdfast. */
import fastify, { type FastifyInstance } from 'fastify'
import { createSessions } from 'holdfast'
import { holdfast } from 'holdfast/fastify'

import { ORIGIN, pageOf, USER, VISITOR, type Visitor } from './page.ts'
import { SECRET, type Listen, type Setup } from './setup.ts'

export const listenOnFastify: Listen = async (setup) => {
  const app = fastify()
  if (setup.sessions === 'bare') bare(app)
  else await withHoldfast(app, setup)
  return Number(new URL(await app.listen({ port: 0, host: '127.0.0.1' })).port)
}

function bare(app: FastifyInstance): void {
  app.get('/', async () => pageOf(USER, VISITOR))
}

async function withHoldfast(app: FastifyInstance, { store }: Setup): Promise<void> {
  const sessions = createSessions<Partial<Visitor>>({ secret: SECRET, store, origin: ORIGIN })
  await sessions.ready()
  await app.register(holdfast, { sessions })
  app.get('/', async (request) => {
    const session = sessions.of(request)
    return pageOf(session.userId, session.data)
  })
  app.post('/sign-in', async (request) => {
    const session = sessions.of(request)
    await session.signIn(USER)
    Object.assign(session.data, VISITOR)
    return {}
  })
}

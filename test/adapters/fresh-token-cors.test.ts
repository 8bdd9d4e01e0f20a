/** A refusal that another origin may read brings no token, whoever it goes to. */
import { createServer } from 'node:http'

import fastify from 'fastify'
import { afterEach, describe, expect, it } from 'vitest'

import { holdfast } from '../../src/adapters/express.ts'
import { holdfast as holdfastForFastify } from '../../src/adapters/fastify.ts'
import { answerWith, attach } from '../../src/adapters/node.ts'
import type { HoldfastError } from '../../src/errors.ts'
import { ask } from '../../src/testing/adapter-contract/client.ts'
import { EXPRESSES } from './harness/express.ts'
import { listen } from './harness/listen.ts'
import { shopSessions } from './harness/sessions.ts'

type Serve = (cors: string | undefined) => Promise<number>

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()))
})

const SERVERS: Record<string, Serve> = {
  ...Object.fromEntries(
    Object.entries(EXPRESSES).map(([name, create]): [string, Serve] => [
      name,
      async (cors) => {
        const { sessions } = await shopSessions({ csrf: 'strict' })
        const app = create()
        app.use((_request, response, next) => {
          if (cors !== undefined) response.setHeader('Access-Control-Allow-Origin', cors)
          next()
        })
        app.use(holdfast(sessions))
        const server = await listen(createServer(app))
        closing.push(server.close)
        return server.port
      },
    ]),
  ),
  Fastify: async (cors) => {
    const { sessions } = await shopSessions({ csrf: 'strict' })
    const app = fastify()
    app.addHook('onRequest', async (_request, reply) => {
      if (cors !== undefined) reply.header('Access-Control-Allow-Origin', cors)
    })
    await app.register(holdfastForFastify, { sessions })
    app.post('/', async () => 'posted')
    closing.push(() => app.close())
    await app.listen({ port: 0, host: '127.0.0.1' })
    return (app.server.address() as { port: number }).port
  },
  'node:http': async (cors) => {
    const { sessions } = await shopSessions({ csrf: 'strict' })
    const server = await listen(
      createServer((request, response) => {
        if (cors !== undefined) response.setHeader('Access-Control-Allow-Origin', cors)
        attach(sessions, request, response).catch((error: unknown) =>
          answerWith(error as HoldfastError, request, response),
        )
      }),
    )
    closing.push(server.close)
    return server.port
  },
}

describe.each(Object.entries(SERVERS))('%s', (_name, serve) => {
  it.each(['*', 'https://partner.example', 'http://localhost'])('Access-Control-Allow-Origin: %s', async (cors) => {
    const port = await serve(cors)
    const headers = { 'sec-fetch-site': 'same-origin', 'content-type': 'text/plain' }
    const reply = await ask(port, { method: 'POST', headers, body: 'a' })
    expect(JSON.parse(reply.body)).toMatchObject({ status: 403, reason: 'token-missing' })
    expect(reply.body).not.toContain('"token"')
    expect(reply.headers.get('set-cookie')).toBeUndefined()
  })

  it('without such a header it does', async () => {
    const headers = { 'sec-fetch-site': 'same-origin', 'content-type': 'text/plain' }
    const reply = await ask(await serve(undefined), { method: 'POST', headers, body: 'a' })
    expect(JSON.parse(reply.body)).toMatchObject({ token: expect.stringMatching(/^[\w-]{56}$/) as string })
  })
})

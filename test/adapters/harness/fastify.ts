import type { AddressInfo } from 'node:net'

import fastify, { type FastifyReply } from 'fastify'
import { HoldfastError } from 'holdfast'
import { holdfast } from 'holdfast/fastify'
import type { AdapterHarness, Exchange } from 'holdfast/testing'

export const fastifyHarness: AdapterHarness = {
  serve: async ([first, ...others], routes, { errors }) => {
    if (first === undefined) throw new TypeError('no manager')
    const app = fastify({ forceCloseConnections: true })
    app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) => {
      done(null, Object.fromEntries(new URLSearchParams(String(body))))
    })
    app.setErrorHandler((error, _request, reply) => {
      if (error instanceof HoldfastError) return reply.status(error.status).send(`forwarded ${error.code}`)
      return reply.status(500).send('broken')
    })
    await app.register(holdfast, { sessions: first, errors })
    for (const [at, other] of others.entries()) {
      await app.register(holdfast, { sessions: other, errors, as: `session${at + 2}` })
      app.addHook('preHandler', (request, _reply, done) => {
        other.of(request).data.count = 1
        done()
      })
    }
    for (const { method, path, session, signOut, handler } of routes) {
      const config = session === false || signOut === true ? { holdfast: { session, signOut } } : {}
      app.route({
        method,
        url: path,
        config,
        handler: async (request, reply) => {
          await handler(exchangeOf(reply, session === false ? undefined : first.of(request)))
          return reply
        },
      })
    }
    await app.listen({ port: 0, host: '127.0.0.1' })
    return { port: (app.server.address() as AddressInfo).port, close: () => app.close() }
  },
}

function exchangeOf(reply: FastifyReply, session: Exchange['session']): Exchange {
  return {
    session,
    header: (name, value) => void reply.header(name, value),
    send: (status, body) => void reply.code(status).send(body),
    redirect: (to) => void reply.redirect(to),
    stream: (source) => void reply.send(source),
  }
}

import { createServer } from 'node:http'
import { pipeline } from 'node:stream'

import express, { type ErrorRequestHandler, type Express, type Request, type Response } from 'express'
import express4 from 'express-4'
import { HoldfastError } from 'holdfast'
import { holdfast, route } from 'holdfast/express'
import type { AdapterHarness, Exchange } from 'holdfast/testing'

import { listen } from './listen.ts'

/** Express 5, and Express 4, which has the same types but for what is not used here. */
export const EXPRESSES: Readonly<Record<string, typeof express>> = {
  'Express 5': express,
  'Express 4': express4 as unknown as typeof express,
}

export function expressHarness(create: typeof express): AdapterHarness {
  return {
    serve: ([first, ...others], routes, { errors }) => {
      if (first === undefined) throw new TypeError('no manager')
      const app: Express = create()
      for (const { path, session, signOut } of routes)
        if (session === false || signOut === true) app.use(path, route({ session, signOut }))
      app.use(create.urlencoded({ extended: false }))
      app.use(holdfast(first, { errors }))
      others.forEach((other, at) => {
        app.use(holdfast(other, { errors, as: `session${at + 2}` }), (request, _response, next) => {
          other.of(request).data.count = 1
          next()
        })
      })
      for (const { method, path, session, handler } of routes) {
        app[method === 'GET' ? 'get' : 'post'](path, (request, response, failed) => {
          const exchange = exchangeOf(request, response, session === false ? undefined : first.of(request))
          Promise.resolve(handler(exchange)).catch(failed)
        })
      }
      app.use(errorHandler)
      return listen(createServer(app))
    },
  }
}

function exchangeOf(_request: Request, response: Response, session: Exchange['session']): Exchange {
  return {
    session,
    header: (name, value) => {
      if (name === 'set-cookie') response.append(name, value)
      else response.setHeader(name, value)
    },
    send: (status, body) => {
      response.status(status).send(body)
    },
    redirect: (to) => response.redirect(to),
    stream: (source) => {
      pipeline(source, response, () => undefined)
    },
  }
}

const errorHandler: ErrorRequestHandler = (error: unknown, _request, response, next) => {
  if (error instanceof HoldfastError) response.status(error.status).send(`forwarded ${error.code}`)
  else if (response.headersSent) next(error)
  else response.status(500).send('broken')
}

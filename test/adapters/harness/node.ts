import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { pipeline } from 'node:stream'
import { text } from 'node:stream/consumers'

import { HoldfastError, type Sessions } from 'holdfast'
import { answerWith, attach } from 'holdfast/node'
import type { AdapterHarness, ContractData, ContractRoute, Exchange } from 'holdfast/testing'

import { listen } from './listen.ts'

type Errors = 'answer' | 'forward'

export const nodeHarness: AdapterHarness = {
  serve: (managers, routes, { errors }) =>
    listen(
      createServer((request, response) => {
        serve(managers, routes, request, response, errors).catch((error: unknown) => {
          if (error instanceof HoldfastError) refuse(error, request, response, errors)
          else response.writeHead(500).end('broken')
        })
      }),
    ),
}

async function serve(
  managers: readonly Sessions<ContractData>[],
  routes: readonly ContractRoute[],
  request: IncomingMessage,
  response: ServerResponse,
  errors: Errors,
): Promise<void> {
  const route = routes.find(
    ({ method, path }) => path === request.url && (method === request.method || request.method === 'HEAD'),
  )
  if (route?.session === false) return route.handler(exchangeOf(response, undefined))
  const body = Object.fromEntries(new URLSearchParams(await text(request)))
  const forward = (error: HoldfastError): void => refuse(error, request, response, errors)
  const options = { body, signOut: route?.signOut, ...(errors === 'forward' ? { forward } : {}) }
  const [session, ...others] = await Promise.all(managers.map((manager) => attach(manager, request, response, options)))
  for (const other of others) other.data.count = 1
  await route?.handler(exchangeOf(response, session))
}

function refuse(error: HoldfastError, request: IncomingMessage, response: ServerResponse, errors: Errors): void {
  if (errors === 'answer') answerWith(error, request, response)
  else response.writeHead(error.status).end(`forwarded ${error.code}`)
}

function exchangeOf(response: ServerResponse, session: Exchange['session']): Exchange {
  return {
    session,
    header: (name, value) => {
      if (name === 'set-cookie') response.appendHeader(name, value)
      else response.setHeader(name, value)
    },
    send: (status, body) => void response.writeHead(status).end(body),
    redirect: (to) => void response.writeHead(302, { location: to }).end(),
    stream: (source) => {
      pipeline(source, response, () => undefined)
    },
  }
}

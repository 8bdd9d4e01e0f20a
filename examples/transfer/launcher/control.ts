/** The launcher's own small server, reached through the balancer under `/control/`: kills servers, tells who is up. */
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

import type { ServerSights } from '../surroundings.ts'
import { isServerName, type ServerName } from '../worlds.ts'

/** What the control server acts on. */
export interface Controlled {
  sights(): ServerSights
  /** Resolves once the server is dead. */
  kill(name: ServerName): Promise<void>
  /** Calls back at every change, until the answer is called. */
  watch(onChange: () => void): () => void
}

/** Answers its port. */
export async function startControl(controlled: Controlled): Promise<{ port: number; close(): void }> {
  const server = http.createServer((request, response) => {
    void serve(controlled, request, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

async function serve(controlled: Controlled, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname } = new URL(request.url ?? '/', 'http://localhost')
  if (request.method === 'GET' && pathname === '/control/events') return stream(controlled, response)
  if (request.method === 'POST' && pathname === '/control/kill') return kill(controlled, request, response)
  response.writeHead(404).end()
}

/** The page without JavaScript is sent back to where it was; the script asks for an answer without content. */
async function kill(controlled: Controlled, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (!isFromOwnPage(request)) return void response.writeHead(403).end('Only the page itself may do that.')
  const form = new URLSearchParams(await text(request))
  const name = form.get('server')
  if (!isServerName(name)) return void response.writeHead(400).end('There are servers A and B.')
  await controlled.kill(name)
  if (request.headers.accept === 'application/json') return void response.writeHead(204).end()
  response.writeHead(303, { location: ownPath(form.get('back')) }).end()
}

/** No other site's page may kill servers, not even in a demonstration. */
function isFromOwnPage({ headers }: IncomingMessage): boolean {
  if (headers['sec-fetch-site'] !== undefined) return headers['sec-fetch-site'] === 'same-origin'
  return headers.origin === `http://${headers.host}`
}

/** A path of this site; anything else would let a form lead its visitor elsewhere. */
function ownPath(path: string | null): string {
  return path !== null && /^\/[a-z]+\/[a-z-]*(?:\?transfer=[\w-]+)?$/.test(path) ? path : '/'
}

/** Server-sent events: the state of both servers, now and at every change. */
function stream(controlled: Controlled, response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  const tell = (): void => void response.write(`data: ${JSON.stringify(controlled.sights())}\n\n`)
  const unwatch = controlled.watch(tell)
  const heartbeat = setInterval(() => response.write(':\n\n'), 15_000)
  response.once('close', () => {
    unwatch()
    clearInterval(heartbeat)
  })
  tell()
}

/** Hands one request to one server, and the server's answer to the browser. */
import http, { type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from 'node:http'
import net from 'node:net'
import { pipeline } from 'node:stream/promises'

/**
 * How it went. `unreached`: not a byte arrived there, so another server may have it, whatever it asks for.
 * `interrupted`: the server may have acted on it, and gave no answer.
 */
export type Forwarded = 'answered' | 'unreached' | 'interrupted'

/** Connects first and sends then: a submission is given up to a server only when there is one. */
export async function forward(
  request: IncomingMessage,
  response: ServerResponse,
  port: number,
  added: OutgoingHttpHeaders = {},
): Promise<Forwarded> {
  const socket = await connect(port)
  if (socket === undefined) return 'unreached'
  const answer = await exchange(request, socket)
  if (answer === undefined) return 'interrupted'
  response.writeHead(answer.statusCode ?? 502, { ...endToEnd(answer.headers), ...withCookies(answer, added) })
  await pipeline(answer, response).catch(() => response.destroy())
  return 'answered'
}

function connect(port: number): Promise<net.Socket | undefined> {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1', timeout: 1000 })
    socket.once('connect', () => {
      socket.setTimeout(0)
      resolve(socket)
    })
    const give = (): void => {
      socket.destroy()
      resolve(undefined)
    }
    socket.once('error', give)
    socket.once('timeout', give)
  })
}

/** `undefined`: the server went away before its answer began. */
function exchange(request: IncomingMessage, socket: net.Socket): Promise<IncomingMessage | undefined> {
  return new Promise((resolve) => {
    const sent = http.request({
      createConnection: () => socket,
      method: request.method,
      path: request.url,
      headers: { ...endToEnd(request.headers), connection: 'close' },
    })
    sent.once('response', resolve)
    sent.once('error', () => resolve(undefined))
    if (hasBody(request)) pipeline(request, sent).catch(() => resolve(undefined))
    else sent.end()
  })
}

/** Whether the request brings a body: one that has been given away cannot be sent again. */
export function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** The headers without those that concern one connection only (RFC 9110, section 7.6.1). */
function endToEnd(headers: http.IncomingHttpHeaders): OutgoingHttpHeaders {
  const named = (headers.connection ?? '').toLowerCase().split(/\s*,\s*/)
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP_BY_HOP.has(name) && !named.includes(name)))
}

function withCookies(answer: IncomingMessage, added: OutgoingHttpHeaders): OutgoingHttpHeaders {
  const pin = added['set-cookie']
  if (pin === undefined) return added
  return { ...added, 'set-cookie': [...(answer.headers['set-cookie'] ?? []), String(pin)] }
}

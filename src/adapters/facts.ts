/** A request of node:http, as the core wants to see it. */
import type { IncomingMessage } from 'node:http'
import type { RequestFacts } from '../core/request.ts'

/** The facts of a request. `url`: the target that the router sees, where that is not the request's own. */
export function factsOf(request: IncomingMessage, url: string = request.url ?? '/'): RequestFacts {
  const { upgrade } = request.headers
  return {
    method: request.method ?? 'GET',
    path: pathOf(url),
    headers: request.headers,
    secure: (request.socket as { encrypted?: boolean }).encrypted === true,
    // Not for any other protocol: Java's client asks for h2c with the first request of every connection.
    upgrade: upgrade !== undefined && upgrade.toLowerCase().includes('websocket'),
  }
}

/** The path of a request target, without query and otherwise exactly as it came. */
export function pathOf(url: string): string {
  const query = url.indexOf('?')
  const target = query < 0 ? url : url.slice(0, query)
  if (target.startsWith('/')) return target
  return target.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/]*/i, '') || '/'
}

/** A request of node:http, as the core wants to see it. */
import type { IncomingMessage } from 'node:http'
import type { RequestFacts } from '../core/request.ts'

/** The facts of a request. `url`: the target that the router sees, where that is not the request's own. */
export function factsOf(request: IncomingMessage, url: string = request.url ?? '/'): RequestFacts {
  return new Incoming(request, url)
}

/**
 * A class, and so are the others of which each request makes one: V8 puts what a literal makes at a busy place into the
 * old generation, where a request's whole graph then waits for a full collection. It was a quarter of the server's work.
 */
class Incoming implements RequestFacts {
  readonly method: string
  readonly path: string
  readonly headers: RequestFacts['headers']
  readonly secure: boolean
  readonly upgrade: boolean

  constructor(request: IncomingMessage, url: string) {
    const { upgrade } = request.headers
    this.method = request.method ?? 'GET'
    this.path = pathOf(url)
    this.headers = request.headers
    this.secure = (request.socket as { encrypted?: boolean }).encrypted === true
    // Not for any other protocol: Java's client asks for h2c with the first request of every connection.
    this.upgrade = upgrade !== undefined && upgrade.toLowerCase().includes('websocket')
  }
}

/** The path of a request target, without query and otherwise exactly as it came. */
export function pathOf(url: string): string {
  const query = url.indexOf('?')
  const target = query < 0 ? url : url.slice(0, query)
  if (target.startsWith('/')) return target
  return target.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/]*/i, '') || '/'
}

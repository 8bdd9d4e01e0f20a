/** A request of node:http, as the core wants to see it. */
import type { IncomingMessage } from 'node:http'
import { isSafe, type RequestFacts } from '../core/request.ts'

/** The facts of a request. `path`: what the router sees, where that is not the request's own. */
export function factsOf(request: IncomingMessage, path: string = pathOf(request.url ?? '/')): RequestFacts {
  return new Incoming(request, path)
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

  constructor(request: IncomingMessage, path: string) {
    const { upgrade } = request.headers
    this.method = methodOf(request)
    this.path = path
    this.headers = request.headers
    this.secure = (request.socket as { encrypted?: boolean }).encrypted === true
    // Not for any other protocol: Java's client asks for h2c with the first request of every connection.
    this.upgrade = upgrade !== undefined && upgrade.toLowerCase().includes('websocket')
  }
}

/**
 * The method by which a request is judged: what it came with, or what somebody made of it since, if either of them may
 * change something. `originalMethod` is where the package method-override, and what follows it, keep the first.
 */
function methodOf(request: IncomingMessage & { readonly originalMethod?: unknown }): string {
  const { method = 'GET', originalMethod } = request
  return typeof originalMethod === 'string' && isSafe(method) && !isSafe(originalMethod) ? originalMethod : method
}

/** A request as Express's routers see it: `url` is what is left below `baseUrl`, and what a rewriting middleware has made of it. */
export interface RoutedRequest extends IncomingMessage {
  readonly baseUrl?: string
  readonly originalUrl?: string
}

/** The path by which Express's routers choose, from the root on. */
export function routedPath({ url = '/', baseUrl = '', originalUrl = url }: RoutedRequest): string {
  const path = pathOf(url)
  // A router that is mounted at the whole path is shown a slash that nobody sent.
  return baseUrl !== '' && path === '/' && pathOf(originalUrl) === baseUrl ? baseUrl : baseUrl + path
}

/** The path of a request target, without query and otherwise exactly as it came. */
export function pathOf(url: string): string {
  const query = url.indexOf('?')
  const target = query < 0 ? url : url.slice(0, query)
  if (target.startsWith('/')) return target
  // RFC 9112, section 3.2.2: a target may be absolute, which it is to a proxy. What is neither stays what no route is.
  const [origin] = /^https?:\/\/[^/#\\]*(?=\/|$)/i.exec(target) ?? []
  return target.slice(origin?.length ?? 0) || '/'
}

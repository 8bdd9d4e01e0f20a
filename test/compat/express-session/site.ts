/** A small server with one middleware, and a browser that visits it; what is asked of the store is written down. */
import { createHmac } from 'node:crypto'
import { createServer, request as ask, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

import type { Tested, TestedRequest, TestedStore } from './implementations.ts'

export const SECRET = 'a secret of the tests'

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly cookies: readonly string[]
  readonly body: string
}

export interface Ask {
  readonly method?: string
  readonly path?: string
  readonly headers?: Record<string, string>
  /** The `Cookie` header. Default: what the browser keeps. */
  readonly cookie?: string | undefined
}

/** May say `next` with an error; else it ends the response. */
export type Handler = (request: TestedRequest, response: ServerResponse, next: (error?: unknown) => void) => unknown

export interface Site extends AsyncDisposable {
  readonly port: number
  /** What the store was asked: `'get id1'`, in order. */
  readonly calls: readonly string[]
  /** Errors that the middleware or the handler handed on. */
  readonly errors: readonly string[]
  /** What the browser keeps. */
  cookie: string | undefined
  /** Asks, and waits until the server is done with it. */
  get(options?: Ask): Promise<Answer>
}

/** The cookie's value for an id, signed. */
export function cookieFor(id: string, { name = 'connect.sid', secret = SECRET } = {}): string {
  const tag = createHmac('sha256', secret).update(id).digest('base64').replace(/=+$/, '')
  return `${name}=${encodeURIComponent(`s:${id}.${tag}`)}`
}

const METHODS = ['get', 'set', 'destroy', 'touch'] as const

/** Ids as `id1`, `id2`, in the order in which they are seen. */
export class Ids {
  readonly #known = new Map<string, string>()

  of(id: unknown): string {
    const known = this.#known.get(String(id)) ?? `id${this.#known.size + 1}`
    this.#known.set(String(id), known)
    return known
  }
}

/** Writes down what the store's own methods are asked. */
export function record(store: TestedStore, note: (method: string, id: string, session: unknown) => void): void {
  for (const method of METHODS) {
    const call = store[method] as ((...values: unknown[]) => unknown) | undefined
    if (call === undefined) continue
    store[method] = function (this: TestedStore, id: string, ...values: unknown[]): unknown {
      note(method, id, values[0])
      return call.call(this, id, ...values)
    }
  }
}

export interface SiteOptions extends Record<string, unknown> {
  readonly store?: TestedStore
}

/** What stands before the middleware. */
export type Before = (request: TestedRequest, response: ServerResponse) => void

export async function open(session: Tested, options: SiteOptions, handler: Handler, before?: Before): Promise<Site> {
  const { name = 'connect.sid' } = options as { name?: string }
  const calls: string[] = []
  const errors: string[] = []
  const ids = new Ids()
  const store = options.store ?? new session.MemoryStore()
  record(store, (method, id) => calls.push(`${method} ${ids.of(id)}`))
  const middleware = session({ secret: SECRET, resave: false, saveUninitialized: false, ...options, store })
  const server = createServer((incoming, response) => {
    const request = incoming as TestedRequest
    const fail = (error: unknown): void => {
      errors.push(error instanceof Error ? error.message : String(error))
      if (response.headersSent) return
      response.statusCode = 500
      response.end('failed')
    }
    const handle = (error?: unknown): void => {
      if (error !== undefined) return fail(error)
      try {
        handler(request, response, fail)
      } catch (thrown) {
        fail(thrown)
      }
    }
    before?.(request, response)
    middleware(request, response, handle)
  })
  await new Promise<void>((resolve) => server.listen(0, resolve))
  const { port } = server.address() as AddressInfo

  const site: Site = {
    port,
    calls,
    errors,
    cookie: undefined,
    async get({ method = 'GET', path = '/', headers = {}, ...given } = {}) {
      const cookie = 'cookie' in given ? given.cookie : site.cookie
      const answer = await fetchOnce(port, method, path, { ...headers, ...(cookie !== undefined && { cookie }) })
      const own = answer.cookies.find((line) => line.startsWith(`${name}=`))
      if (own !== undefined) site.cookie = own.startsWith(`${name}=;`) ? undefined : own.split(';')[0]
      await settled()
      return answer
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return site
}

function fetchOnce(port: number, method: string, path: string, headers: Record<string, string>): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asking = ask({ port, method, path, headers, agent: false, timeout: 5_000 }, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (text: string) => (body += text))
      response.on('error', reject)
      response.on('end', () => {
        const { statusCode: status = 0, headers: received } = response
        resolve({ status, headers: received, cookies: received['set-cookie'] ?? [], body })
      })
    })
    asking.on('timeout', () => asking.destroy(new Error('no answer')))
    asking.on('error', reject)
    asking.end()
  })
}

/** Errors are handed on when the response has left, a turn of the event loop later. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve))
}

/** What the tests of whole applications share: both versions of Express, a server, and a browser. */
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

import express from 'express'
import express4 from 'express-4'
import type { Express, RequestHandler } from 'express'

import { loadPeer } from '../../../proof/peers.ts'
import { implementations, PEERS, type Implementation, type TestedSession } from '../express-session/implementations.ts'

export const SECRET = 'a secret of the stacks'

/** Each version of Express with the original, and with the drop-in. */
export const stacks = [
  { framework: 'Express 5', express },
  { framework: 'Express 4', express: express4 as unknown as typeof express },
].flatMap((framework) => implementations.map((implementation): Stack => ({ ...framework, ...implementation })))

export interface Stack extends Implementation {
  readonly framework: string
  readonly express: typeof express
}

/** A package of the stacks, as its default export. */
export async function peer<Default>(name: string): Promise<Default> {
  return (await loadPeer<{ default: Default }>(name, PEERS)).default
}

/** `session({…})` as a handler of Express. */
export function middlewareOf({ session }: Pick<Implementation, 'session'>, options: object): RequestHandler {
  const said = { secret: SECRET, resave: false, saveUninitialized: false }
  return session({ ...said, ...options }) as unknown as RequestHandler
}

/** The session of a request of Express. */
export function sessionOf(request: object): TestedSession {
  return (request as { session: TestedSession }).session
}

/** A text or a number of the session, for a page; else 'nothing'. */
export function shown(request: object, member: string): string {
  const value = sessionOf(request)[member]
  return typeof value === 'string' || typeof value === 'number' ? String(value) : 'nothing'
}

export interface Serving extends AsyncDisposable {
  readonly server: Server
  readonly origin: string
  browser(): Browser
}

export async function serve(app: Express | RequestListener): Promise<Serving> {
  const server = createServer(app as RequestListener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    server,
    origin,
    browser: () => new Browser(origin),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

export interface Page {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The lines of `Set-Cookie`. */
  readonly cookies: readonly string[]
}

type Asking = Omit<RequestInit, 'headers'> & { readonly headers?: Record<string, string>; readonly at?: string }

/** Keeps its cookies, and does not follow by itself. */
export class Browser {
  readonly #origin: string
  readonly #cookies = new Map<string, string>()

  constructor(origin: string) {
    this.#origin = origin
  }

  /** The `Cookie` header that it sends. */
  get cookie(): string {
    return [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  }

  /** Another one with the same cookies. */
  copy(): Browser {
    const copied = new Browser(this.#origin)
    for (const [name, value] of this.#cookies) copied.#cookies.set(name, value)
    return copied
  }

  /** `at`: another server of the same application. */
  async ask(path: string, { at = this.#origin, ...options }: Asking = {}): Promise<Page> {
    const headers = { ...options.headers, ...(this.#cookies.size > 0 && { cookie: this.cookie }) }
    const response = await fetch(at + path, { redirect: 'manual', ...options, headers })
    const cookies = response.headers.getSetCookie()
    for (const line of cookies) this.#take(line)
    return { status: response.status, headers: response.headers, text: await response.text(), cookies }
  }

  /** Submits a form. */
  submit(path: string, fields: Record<string, string> = {}): Promise<Page> {
    return this.ask(path, { method: 'POST', body: new URLSearchParams(fields) })
  }

  /** Goes where the page says. */
  follow({ headers }: Page): Promise<Page> {
    return this.ask(headers.get('location') ?? '/nowhere')
  }

  #take(line: string): void {
    const [pair = ''] = line.split(';')
    const name = pair.slice(0, pair.indexOf('='))
    if (/Expires=Thu, 01 Jan 1970/.test(line)) this.#cookies.delete(name)
    else this.#cookies.set(name, pair.slice(name.length + 1))
  }
}

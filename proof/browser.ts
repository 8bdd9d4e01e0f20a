/**
 * A browser as far as sessions go: a jar, and requests whose answers it takes when the race says so. That
 * the answer has arrived and that its cookies are applied are two moments here, so every order can be had.
 */
import { Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http'

/** What the browser calls the application, whichever server it lands on. A loopback name, as the cookies need it on plain HTTP. */
export const SITE_HOST = 'localhost:8080'

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly setCookies: readonly string[]
  readonly body: string
}

export interface Outgoing {
  readonly method: string
  readonly path: string
  readonly cookies?: Cookies
  /** Sent as a form. */
  readonly form?: Readonly<Record<string, string>>
  /** Added to, or (with `undefined`) taken from, what a browser sends. */
  readonly headers?: Readonly<Record<string, string | undefined>>
}

/** Cookies by name. */
export type Cookies = ReadonlyMap<string, string>

const agent = new Agent({ keepAlive: true, maxSockets: 128 })

/** Closes the connections that are kept open. */
export function closeConnections(): void {
  agent.destroy()
}

/** One request to one server, as a page of our own would send it. Rejects when the connection is cut. */
export function send(server: string, outgoing: Outgoing): Promise<Answer> {
  const body = outgoing.form === undefined ? undefined : new URLSearchParams(outgoing.form).toString()
  return new Promise((resolve, reject) => {
    const request = httpRequest(server + outgoing.path, {
      method: outgoing.method,
      agent,
      headers: headersOf(outgoing, body),
    })
    request.once('error', reject)
    request.once('response', (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.once('error', reject)
      response.once('end', () => {
        const { headers, statusCode: status = 0 } = response
        resolve({
          status,
          headers,
          setCookies: headers['set-cookie'] ?? [],
          body: Buffer.concat(chunks).toString('utf8'),
        })
      })
    })
    request.end(body)
  })
}

function headersOf({ method, cookies, headers }: Outgoing, body: string | undefined): Record<string, string> {
  const all: Record<string, string | undefined> = { host: SITE_HOST, 'sec-fetch-site': 'same-origin' }
  if (method !== 'GET' && method !== 'HEAD') all['origin'] = `http://${SITE_HOST}`
  if (body !== undefined) {
    all['content-type'] = 'application/x-www-form-urlencoded'
    all['content-length'] = String(Buffer.byteLength(body))
  }
  if (cookies !== undefined && cookies.size > 0)
    all['cookie'] = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  return Object.fromEntries(
    Object.entries({ ...all, ...headers }).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
}

/** A browser with two servers to land on. */
export class Browser {
  readonly #servers: readonly string[]
  #cookies: Cookies

  constructor(servers: readonly string[], cookies: Cookies = new Map()) {
    this.#servers = servers
    this.#cookies = cookies
  }

  /** What the jar holds now; later answers do not change it. */
  get cookies(): Cookies {
    return this.#cookies
  }

  /** A second browser with the same cookies and a jar of its own: what a thief or a restored tab would have. */
  copy(): Browser {
    return new Browser(this.#servers, this.#cookies)
  }

  /** Sends with the cookies of now, and leaves the answer's cookies alone. */
  send(server: number, method: string, path: string, rest: Omit<Outgoing, 'method' | 'path'> = {}): Promise<Answer> {
    return send(this.#servers[server] as string, { cookies: this.#cookies, ...rest, method, path })
  }

  /** Applies the answer's cookies, in the order of its headers. */
  take(answer: Answer): Answer {
    this.#cookies = applied(this.#cookies, answer.setCookies)
    return answer
  }

  async get(server: number, path: string): Promise<Answer> {
    return this.take(await this.send(server, 'GET', path))
  }

  async post(server: number, path: string, form: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return this.take(await this.send(server, 'POST', path, { form }))
  }
}

/** The cookies after these `Set-Cookie` headers (RFC 6265, section 5.3, for one host and the path `/`). */
export function applied(cookies: Cookies, setCookies: readonly string[]): Cookies {
  const jar = new Map(cookies)
  for (const line of setCookies) {
    const [pair = '', ...attributes] = line.split(';')
    const name = pair.slice(0, pair.indexOf('=')).trim()
    if (isOver(attributes)) jar.delete(name)
    else jar.set(name, pair.slice(pair.indexOf('=') + 1).trim())
  }
  return jar
}

function isOver(attributes: readonly string[]): boolean {
  const values = new Map(
    attributes
      .map((part) => part.trim().split('=') as [string, string?])
      .map(([name, value]) => [name.toLowerCase(), value]),
  )
  const maxAge = values.get('max-age')
  if (maxAge !== undefined) return Number(maxAge) <= 0
  const expires = values.get('expires')
  return expires !== undefined && Date.parse(expires) <= Date.now()
}

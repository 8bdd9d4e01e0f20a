/** A visitor with the cookies that a browser would have. */
import { ORIGIN } from './app/page.ts'
import { type Answer, ask, type Headers, succeeded } from './ask.ts'

/** What comes with every request, whichever contender it goes to: a page of ours asks, over HTTPS that ended before the server. */
export const COMMON_HEADERS: Headers = {
  host: new URL(ORIGIN).host,
  origin: ORIGIN,
  'sec-fetch-site': 'same-origin',
  'x-forwarded-proto': 'https',
}

const ATTRIBUTES = ['httponly', 'secure', 'samesite=lax']

export class Visitor {
  readonly user: string
  readonly #url: string
  readonly #cookies = new Map<string, string>()

  constructor(url: string, user: string) {
    this.#url = url
    this.user = user
  }

  /** The visitor of a bare server: a cookie as long as a session's, so that parsing headers costs all of them the same. */
  static idle(url: string, user: string): Visitor {
    const visitor = new Visitor(url, user)
    visitor.#cookies.set('__Host-sid', 'A'.repeat(76))
    return visitor
  }

  /** The `Cookie` header. */
  get cookie(): string {
    return [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  }

  /** Asks, and keeps the cookies that come back. Takes any answer. */
  async ask(method: string, path: string, headers: Headers = COMMON_HEADERS): Promise<Answer> {
    const cookie: Headers = this.#cookies.size === 0 ? {} : { cookie: this.cookie }
    const answer = await ask(method, this.#url + path, { ...headers, ...cookie })
    for (const line of answer.setCookies) this.#keep(line)
    return answer
  }

  /** Asks and demands success. Answers what the body says. */
  async askFor<Body>(method: string, path: string, headers?: Headers): Promise<Body> {
    return JSON.parse(succeeded(method, path, await this.ask(method, path, headers)).body) as Body
  }

  async signIn(): Promise<void> {
    await this.askFor('POST', `/sign-in/${this.user}`)
  }

  /** The same browser, which is sent to another server of the same site. */
  at(url: string): Visitor {
    const visitor = new Visitor(url, this.user)
    for (const [name, value] of this.#cookies) visitor.#cookies.set(name, value)
    return visitor
  }

  #keep(line: string): void {
    const end = line.indexOf('=')
    const [name, value] = [line.slice(0, end), line.slice(end + 1).split(';', 1)[0] ?? '']
    if (/max-age=0\b|expires=thu, 01 jan 1970/i.test(line)) {
      this.#cookies.delete(name)
      return
    }
    for (const attribute of ATTRIBUTES)
      if (!line.toLowerCase().includes(`; ${attribute}`))
        throw new Error(`${this.#url}: ${attribute} is missing in ${line}`)
    this.#cookies.set(name, value)
  }
}

/** A browser whose every request is written down. */
import { type Answer, Browser, type Cookies, type Outgoing, send } from '../browser.ts'
import type { Kind, Operation, OperationOf, Seen } from '../history/history.ts'
import { HANDLE } from '../site/settings.ts'
import type { Begun, Outcome, Recorder } from '../history/recorder.ts'

/** How a request goes out. */
export interface Sending {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly form?: Readonly<Record<string, string>>
  readonly headers?: NonNullable<Outgoing['headers']>
  /** Other cookies than the jar's; then the jar takes none either. */
  readonly cookies?: Cookies
}

interface Said {
  readonly server?: string
  readonly code?: string
  readonly applied?: 'no' | 'unknown'
  readonly seen?: Seen
  readonly durable?: boolean | null
  readonly token?: string
  readonly result?: string
  readonly repeated?: boolean
}

/** An operation, and the token that its answer brought. */
export interface Answered<K extends Kind> {
  readonly operation: OperationOf<K>
  readonly token: string | undefined
}

/** These change nothing that anybody could miss, whatever became of them. */
export const SAFE: ReadonlySet<Kind> = new Set(['read', 'form', 'replay'])
/** What these say is that it may have been done, or has been and can get lost. */
const MAY_BE_DONE: ReadonlySet<string> = new Set(['ERR_COMMIT_UNKNOWN', 'ERR_UNCONFIRMED'])
/** HAProxy's own answer when no server is there, and the adapter's, which says so where something may have been done. */
const NOBODY_THERE = 503

export class Asking {
  readonly name: string
  readonly #browser: Browser
  readonly #recorder: Recorder
  readonly #url: string
  /** Which server answered which of its starts. */
  readonly #incarnation: (server: string) => number

  constructor(name: string, url: string, recorder: Recorder, incarnation: (server: string) => number) {
    this.name = name
    this.#browser = new Browser([url])
    this.#recorder = recorder
    this.#url = url
    this.#incarnation = incarnation
  }

  get cookies(): Cookies {
    return this.#browser.cookies
  }

  /** Sends, takes the cookies of the answer when it is there, and writes down what came of it. */
  async ask<K extends Kind>(begun: Omit<Begun<K>, 'browser'>, sending: Sending): Promise<Answered<K>> {
    const end = this.#recorder.begin({ ...begun, browser: this.name })
    let said: Said = {}
    let outcome: Outcome
    try {
      const answer = await this.#send(sending)
      said = saidBy(answer)
      outcome = this.#outcomeOf(begun.kind, answer, said)
    } catch (error) {
      outcome = { outcome: SAFE.has(begun.kind) ? 'refused' : 'unknown', status: 0, code: codeOf(error) }
    }
    return { operation: end(outcome) as OperationOf<Kind> as OperationOf<K>, token: said.token }
  }

  async #send({ cookies, ...outgoing }: Sending): Promise<Answer> {
    if (cookies !== undefined) return send(this.#url, { ...outgoing, cookies })
    const { method, path, ...rest } = outgoing
    return this.#browser.take(await this.#browser.send(0, method, path, rest))
  }

  #outcomeOf(kind: Kind, { status, headers }: Answer, said: Said): Outcome {
    const { server, code, seen, durable, result, repeated } = said
    return {
      outcome: status === 200 ? 'acknowledged' : isRefusal(kind, status, said) ? 'refused' : 'unknown',
      status,
      ...(code !== undefined && { code }),
      ...(server !== undefined && { server: `${server}#${this.#incarnation(server)}` }),
      ...(seen !== undefined && { seen: { ...seen, handle: seen.handle ?? handleIn(headers) } }),
      ...(typeof durable === 'boolean' && { durable }),
      ...(result !== undefined && { result }),
      ...(repeated !== undefined && { repeated }),
    }
  }
}

/** Whether nothing has been done for sure. */
export function isRefusal(kind: Kind, status: number, { server, code = '', applied }: Said): boolean {
  if (SAFE.has(kind)) return true
  if (MAY_BE_DONE.has(code)) return false
  if (server === undefined) return status < 500 || (status === NOBODY_THERE && applied !== 'unknown')
  // Of a sign-in part may have been done; of an end too, in this browser at least.
  if (kind === 'sign-in' || kind === 'sign-out') return false
  return status < 500 || applied === 'no'
}

/** Of a session that began with the request. */
function handleIn({ [HANDLE]: handle }: Answer['headers']): string | null {
  return typeof handle === 'string' ? handle : null
}

function saidBy({ headers, body }: Answer): Said {
  return headers['content-type']?.includes('json') === true ? (JSON.parse(body) as Said) : {}
}

function codeOf(error: unknown): string {
  return (error as { code?: string }).code ?? String(error)
}

/** Whether an answer came that says so. */
export function isDone(operation: Operation): boolean {
  return operation.outcome === 'acknowledged'
}

/** Whether a browser has another id now. What it was shown of its session (`visit`) is none. */
export function isReplaced(before: Cookies, now: Cookies): boolean {
  return [...before].some(([name, value]) => !name.endsWith('visit') && now.get(name) !== value)
}

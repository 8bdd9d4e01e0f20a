/** One manager on one request of node:http: what all adapters for it do in the same way. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Settings } from '../core/options.ts'
import { isSafe, type RequestFacts } from '../core/request.ts'
import { beginVisit, settingsOf } from '../core/sessions.ts'
import { UNPARSED, type SentHead, type Settled, type Visit } from '../core/visit.ts'
import { type CsrfError, type HoldfastError, NotMountedError, OptionsError } from '../errors.ts'
import type { Session, Sessions } from '../types.ts'
import { type Answer, answerFor } from './answer.ts'
import { pageOf } from './callback.ts'
import { guardResponse } from './guarded-response.ts'
import type { Hold, SettlingVisit } from './held-response.ts'
import { cacheControlOf, FOR_SHARED_CACHES, isShared } from './head.ts'
import type { Outgoing } from './outgoing.ts'
import { EVERY_ROUTE, holdResponse, type RouteOptions, see, seenOf } from './seen.ts'
import type { Exemptions } from './skip-csrf.ts'

/** Who answers when something is refused or fails: the adapter, or the application, which gets the error. */
export type ErrorHandling = 'answer' | 'forward'

/** The manager's options. Throws `OptionsError` for what is no manager. */
export function settingsFor(sessions: object): Settings {
  const settings: Settings | undefined = settingsOf(sessions as Sessions)
  if (settings !== undefined) return settings
  throw new OptionsError('sessions', 'sessions must be what createSessions() answered.')
}

const NO_EXEMPTIONS: Exemptions = () => false

export class Mount<Data extends object> implements SettlingVisit, SentHead {
  readonly visit: Visit<Data>
  /** Whether the application wants the errors. */
  readonly forwards: boolean
  /** What holds the response; nothing where it cannot be held (HTTP/2). */
  hold: Hold | undefined
  /** What its route says. */
  route: RouteOptions = EVERY_ROUTE
  /** What a check refused that was made late, where it is answered in the place of everything else. */
  refusal: CsrfError | undefined
  readonly #sessions: Sessions<Data>
  readonly #facts: RequestFacts
  readonly #response: ServerResponse
  #exemptions: Exemptions = NO_EXEMPTIONS
  #checked = false
  #pending = false
  #settled = false

  constructor(
    sessions: Sessions<Data>,
    facts: RequestFacts,
    { request, response, owner }: Exchange,
    forwards: boolean,
  ) {
    this.#sessions = sessions
    this.#facts = facts
    this.#response = response
    this.forwards = forwards
    this.visit = beginVisit(sessions, facts, owner ?? request)
    this.visit.head = this
  }

  isOf(sessions: object): boolean {
    return this.#sessions === sessions
  }

  get session(): Session<Data> {
    return this.visit.session
  }

  get unsettled(): boolean {
    return !this.#settled && (this.#pending || this.visit.unsettled)
  }

  get personal(): boolean {
    return this.visit.personal
  }

  get shared(): boolean {
    const { _header: head } = this.#response as Partial<Outgoing>
    return isShared(
      typeof head === 'string' ? cacheControlOf(head) : String(this.#response.getHeader('cache-control') ?? ''),
    )
  }

  /** There is nothing to save, and from here on it is too late. */
  pass(): void {
    if (this.#settled) return
    this.#settled = true
    this.visit.pass()
  }

  /**
   * Saves. Rejects where the check was left for later and never made; but an answer that says that nothing was done, such
   * as a parser's own 413, leaves all the same where nothing was changed.
   */
  async settle(status: number = this.#response.statusCode): Promise<Settled> {
    this.#settled = true
    if (this.#pending && status < 400) this.visit.forgotten()
    return this.visit.settle()
  }

  farewell(): readonly string[] {
    return this.visit.farewell()
  }

  finish(): void {
    this.visit.finish()
  }

  /** Loads the session. Answers `undefined` where there is nothing to wait for. */
  open(route: RouteOptions): Promise<void> | undefined {
    return this.visit.open(route)
  }

  /** Whether the request was judged as one that changes something, or is going to be. */
  get checked(): boolean {
    return this.#checked
  }

  /** Lets the request pass unchecked, as long as it stays what these exemptions name. */
  exempt(exemptions: Exemptions): void {
    this.#exemptions = exemptions
  }

  /** The CSRF check, now that the body is known; `undefined` where nobody has parsed it. */
  check(body: unknown): void {
    this.#checked = !isSafe(this.#facts.method) || this.#facts.upgrade === true
    this.visit.check(body === undefined ? UNPARSED : body)
  }

  /** Somebody gives the request another method: what was let pass as it was is checked as what it becomes. Throws `CsrfError`. */
  becomes(method: string, body: unknown): void {
    if (this.#checked || isSafe(method) || this.#exemptions(method, this.#facts.path)) return
    this.visit.check(body === undefined ? UNPARSED : body, method)
    this.#checked = true
  }

  /**
   * Leaves the check for when the body is known. What the headers alone refuse is refused at once, and until the
   * check has been made no response leaves and nothing is saved.
   */
  checkLater(): void {
    this.#pending = this.visit.defer()
    this.#checked = this.#pending
  }

  /** Makes the check that was left for later. */
  catchUp(body: unknown): void {
    if (!this.#pending) return
    this.#pending = false
    this.check(body)
  }
}

/** The managers on this request; an error where there is none. */
export function someMountsOf(request: IncomingMessage): readonly Mount<object>[] {
  const mounts = seenOf(request)?.all() ?? []
  if (mounts.length === 0)
    throw new NotMountedError('Holdfast has not seen this request: mount it before what needs the session.')
  return mounts
}

/** A request with its response. `owner`: what `sessions.of` is asked with, where that is not the request. */
export interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly owner?: object
}

/** Begins a manager's dealings with a request, and sees to it that the response waits for them. */
export function mount<Data extends object>(
  sessions: Sessions<Data>,
  facts: RequestFacts,
  exchange: Exchange,
  forward?: (error: HoldfastError) => void,
): Mount<Data> {
  const { request, response } = exchange
  const mounted = new Mount(sessions, facts, exchange, forward !== undefined)
  const seen = see(request)
  seen.add(mounted)
  const limit = settingsOf(sessions).limits.heldBody
  if (holdResponse(seen, response, mounted, { limit, forward })) mounted.hold = seen.hold
  else guardResponse(response, mounted)
  return mounted
}

/** Sends the page or problem that belongs to the error. */
export function answerWith(error: HoldfastError, request: IncomingMessage, response: ServerResponse): void {
  const fresh = !response.hasHeader('access-control-allow-origin')
  send(pageOf(error) ?? answerFor(error, request.headers.accept, { fresh }), response)
}

/** Sends an answer of our own. */
export function send({ status, headers, body }: Answer, response: ServerResponse): void {
  response.statusCode = status
  for (const name of FOR_SHARED_CACHES) response.removeHeader(name)
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
  response.setHeader('content-length', Buffer.byteLength(body))
  response.end(body)
}

/**
 * Calls over a deployment, each with a deadline, and the one policy of waiting and sending again. While nobody answers
 * for its key a call waits, within its deadline; once nobody has for longer than that, calls fail at once. So nothing
 * queues up behind a broken server, and one that comes back quickly, or is replaced, is not noticed by a visitor.
 *
 * What was refused or not sent is sent again, to whomever it belongs to by then. What reads is sent again also when its
 * answer was lost; what writes never is.
 */
import type { StoreUnavailableError } from '../../errors.ts'
import { Deadlines } from './deadlines.ts'
import type { Channel, Deployment, DeploymentWatcher, Route } from './deployment.ts'
import { adviceFor, refusalOf, unavailable } from './failures.ts'
import { type Command, ErrorReply, NotSentError, type Reply } from './link.ts'

export interface CallsSettings {
  /** Milliseconds that a call may take, waiting included. */
  readonly deadline: number
  /** How many calls may be under way or waiting. */
  readonly maxPending: number
}

/** What is asked of Redis. A read may be sent again when its answer was lost, a write never. */
export interface Request {
  readonly command: Command
  /** The one key that it touches. */
  readonly key: string
  readonly write: boolean
  /** Sent instead when the server does not know the script. */
  readonly unknownScript?: Command
}

/** What a write came to, and whether as many replicas as are asked for have it. */
export interface Confirmed {
  readonly reply: Reply
  readonly durable: boolean
}

/** What a read found, and whether its next change is told of. */
export interface TrackedReply {
  readonly reply: Reply
  readonly tracked: boolean
}

/** What is asked besides the answer: that replicas confirm a write, or that the next change of what is read is told of. */
type Wish = 'none' | 'confirm' | 'track'

/** What is told to those who do not wait. */
export type Noticed = Omit<DeploymentWatcher, 'changed'>

interface Call {
  readonly request: Request
  /** `granted`: whether the wish was fulfilled. */
  readonly resolve: (reply: Reply, granted: boolean) => void
  readonly reject: (error: StoreUnavailableError) => void
  readonly wish: Wish
  command: Command
  /** Whether it has gone out and nobody has said that it was refused. */
  sent: boolean
  /** Where it went last, and how many answers had come from there. */
  route: Route | undefined
  answersThen: number
  /** How changes of what it read there are told of, if they are. */
  channel: Channel | undefined
  /** The server's answer, while replicas have not confirmed yet. */
  answer: Reply | undefined
  refusals: number
  refusal: ErrorReply | undefined
  pause: NodeJS.Timeout | undefined
}

/** Milliseconds before a command that was refused is sent again where nothing else says when: doubling, up to the last. */
const PAUSE_FIRST = 25
const PAUSE_MOST = 200
/** How often a command is sent elsewhere at once before it pauses: two nodes may each name the other. */
const REDIRECTIONS = 3

export class Calls {
  readonly #deployment: Deployment
  readonly #settings: CallsSettings
  /** Every call that has not been settled yet. */
  readonly #calls: Deadlines<Call>
  readonly #waiting = new Set<Call>()
  #commands = 0
  #closed = false
  #idle: (() => void) | undefined

  /** Begins to connect. `told` is told what the deployment notices by itself. */
  constructor(deployment: Deployment, settings: CallsSettings, told: Partial<Noticed> = {}) {
    this.#deployment = deployment
    this.#settings = settings
    this.#calls = new Deadlines(settings.deadline, (call) => this.#expired(call))
    deployment.start({
      changed: () => this.#changed(),
      replaced: () => told.replaced?.(),
      keyChanged: (key) => told.keyChanged?.(key),
      untracked: () => told.untracked?.(),
    })
  }

  /** Commands sent so far for those who called. */
  get commands(): number {
    return this.#commands
  }

  /** Asks Redis. Rejects with a `StoreUnavailableError`, at the latest at the deadline. */
  call(request: Request): Promise<Reply> {
    return new Promise((resolve, reject) => this.#begin(request, 'none', resolve, reject))
  }

  /** The same, and asks the replicas too: not durable is what too few of them confirmed within the deadline. */
  confirmed(request: Request): Promise<Confirmed> {
    return new Promise((resolve, reject) =>
      this.#begin(request, 'confirm', (reply, durable) => resolve({ reply, durable }), reject),
    )
  }

  /** The same of a read, whose next change is told of where that is possible now. */
  tracked(request: Request): Promise<TrackedReply> {
    return new Promise((resolve, reject) =>
      this.#begin(request, 'track', (reply, tracked) => resolve({ reply, tracked }), reject),
    )
  }

  /** Refuses new calls, waits for those under way (at most a deadline), and closes. */
  async close(): Promise<void> {
    this.#closed = true
    for (const call of this.#waiting) this.#fail(call, new NotSentError('the store is being closed'))
    if (this.#calls.size > 0) await new Promise<void>((resolve) => (this.#idle = resolve))
    this.#calls.stop()
    await this.#deployment.close()
  }

  #begin(request: Request, wish: Wish, resolve: Call['resolve'], reject: Call['reject']): void {
    const route = this.#deployment.route(request.key)
    const refusal = this.#refusal(request, route)
    if (refusal !== undefined) return reject(unavailable(this.#deployment.where, refusal, request.write))
    const call: Call = {
      request,
      resolve,
      reject,
      wish,
      // A script whose name is not known would wait for the confirmations of others before it can be sent whole.
      command: wish === 'confirm' ? (request.unknownScript ?? request.command) : request.command,
      sent: false,
      route: undefined,
      answersThen: 0,
      channel: undefined,
      answer: undefined,
      refusals: 0,
      refusal: undefined,
      pause: undefined,
    }
    this.#calls.add(call)
    if (route === undefined) this.#waiting.add(call)
    else this.#send(call, route)
  }

  #refusal({ key }: Request, route: Route | undefined): NotSentError | undefined {
    if (this.#closed) return new NotSentError('the store is closed')
    if (this.#calls.size >= this.#settings.maxPending)
      return new NotSentError(`${this.#calls.size} calls are waiting already (maxPending)`)
    if (route !== undefined) return undefined
    const { since, cause } = this.#deployment.outage(key)
    const silent = performance.now() - since >= this.#settings.deadline
    return silent || adviceFor(cause) !== undefined ? notConnected(cause) : undefined
  }

  /** Sends it, or lets it wait for somebody to send it to. */
  #dispatch(call: Call): void {
    const route = this.#deployment.route(call.request.key)
    if (route !== undefined) return this.#send(call, route)
    const { cause } = this.#deployment.outage(call.request.key)
    if (this.#closed || adviceFor(cause) !== undefined) this.#fail(call, notConnected(cause))
    else this.#waiting.add(call)
  }

  #send(call: Call, route: Route): void {
    call.route = route
    if (call.wish === 'confirm') return this.#confirm(call, route)
    call.answersThen = route.answers
    call.sent = true
    call.channel = call.wish === 'track' ? route.track?.() : undefined
    this.#commands += 1
    route.send(call.command).then(
      (reply) => {
        route.heard()
        if (this.#settle(call)) call.resolve(reply, call.channel?.tells(reply) === true)
      },
      (error: Error) => {
        if (error instanceof ErrorReply) route.heard()
        this.#failed(call, route, error)
      },
    )
  }

  #confirm(call: Call, route: Route): void {
    route.confirm({
      command: call.command,
      wanted: () => this.#calls.has(call),
      sent: () => {
        call.sent = true
        this.#commands += 1
      },
      answered: (reply) => (call.answer = reply),
      confirmed: (durable) => {
        if (call.answer !== undefined && this.#settle(call)) call.resolve(call.answer, durable)
      },
      failed: (error) => this.#failed(call, route, error),
    })
  }

  #failed(call: Call, route: Route, error: Error): void {
    if (!this.#calls.has(call)) return
    const { unknownScript, write } = call.request
    if (!(error instanceof ErrorReply)) {
      if (error instanceof NotSentError || !write) this.#again(call)
      else this.#fail(call, error)
    } else if (error.code === 'NOSCRIPT' && unknownScript !== undefined && call.command !== unknownScript) {
      call.command = unknownScript
      call.sent = false
      this.#dispatch(call)
    } else if (refusalOf(error) === undefined) this.#fail(call, error)
    else this.#refused(call, route, error)
  }

  #refused(call: Call, route: Route, refusal: ErrorReply): void {
    call.sent = false
    call.refusal = refusal
    call.refusals += 1
    const instead = this.#deployment.refused(route, call.request.key, refusal)
    if (instead === undefined || call.refusals > REDIRECTIONS || this.#closed) this.#again(call)
    else this.#send(call, instead)
  }

  /** Sends it once more when somebody else may be asked; where nobody else will be, after a pause. */
  #again(call: Call): void {
    call.sent = false
    if (this.#closed || this.#deployment.route(call.request.key) === undefined) return this.#dispatch(call)
    this.#waiting.add(call)
    const pause = Math.min(PAUSE_FIRST * 2 ** Math.max(0, call.refusals - 1), PAUSE_MOST)
    call.pause = setTimeout(() => {
      call.pause = undefined
      this.#waiting.delete(call)
      this.#dispatch(call)
    }, pause)
  }

  #changed(): void {
    // Of its own, for calls that go on waiting are entered again.
    const waiting = Array.from(this.#waiting)
    for (const call of waiting) {
      if (call.pause !== undefined) continue
      this.#waiting.delete(call)
      this.#dispatch(call)
    }
  }

  #expired(call: Call): void {
    this.#stopWaiting(call)
    if (call.answer !== undefined) call.resolve(call.answer, false)
    else if (call.sent) this.#reject(call, new Error(`no answer within ${this.#settings.deadline} ms`))
    else this.#reject(call, call.refusal ?? notConnected(this.#deployment.outage(call.request.key).cause))
    this.#noteIdle()
    const { route, sent, wish } = call
    if (sent && wish !== 'confirm' && route?.answers === call.answersThen) route.silent()
  }

  #fail(call: Call, error: Error): void {
    if (this.#settle(call)) this.#reject(call, error)
  }

  #reject(call: Call, error: Error): void {
    call.reject(unavailable(this.#deployment.where, error, call.request.write))
  }

  /** Answers whether the call was still open. */
  #settle(call: Call): boolean {
    const open = this.#calls.delete(call)
    this.#stopWaiting(call)
    this.#noteIdle()
    return open
  }

  #stopWaiting(call: Call): void {
    if (!this.#waiting.delete(call)) return
    clearTimeout(call.pause)
  }

  #noteIdle(): void {
    if (this.#calls.size === 0) this.#idle?.()
  }
}

function notConnected(cause: Error): NotSentError {
  return new NotSentError(`not connected: ${cause.message}`, { cause })
}

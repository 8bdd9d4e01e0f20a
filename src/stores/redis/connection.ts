/**
 * Calls over a client, each with a deadline. While the connection is down a call waits for it, within its
 * deadline; once nothing has been answered for longer than that, calls fail at once. So nothing queues up
 * behind a broken server, and a server that comes back quickly is not noticed by a visitor.
 */
import type { StoreUnavailableError } from '../../errors.ts'
import { type Command, ErrorReply, NotSentError, type RedisClient, type Reply } from './client.ts'
import { Deadlines } from './deadlines.ts'
import { adviceFor, unavailable } from './failures.ts'

export interface ConnectionSettings {
  /** `host:port`, for messages. */
  readonly where: string
  /** Milliseconds that a call may take, waiting included. */
  readonly deadline: number
  /** How many calls may be under way or waiting. */
  readonly maxPending: number
}

/** What is asked of Redis. A read may be sent again when its answer was lost, a write never. */
export interface Request {
  readonly command: Command
  readonly write: boolean
  /** Sent instead when the server does not know the script. */
  readonly unknownScript?: Command
}

interface Call {
  readonly request: Request
  /** When it was sent, of the monotonic clock; `undefined` while it waits. */
  sentAt: number | undefined
  readonly resolve: (reply: Reply) => void
  readonly reject: (error: StoreUnavailableError) => void
}

export class Connection {
  readonly #client: RedisClient
  readonly #settings: ConnectionSettings
  /** Every call that has no answer yet. */
  readonly #calls: Deadlines<Call>
  readonly #waiting = new Set<Call>()
  #commands = 0
  #cause: Error = new Error('no answer yet')
  /** Since when the server did not answer, of the monotonic clock; `undefined` while it does. */
  #silentSince: number | undefined = performance.now()
  #closed = false
  #idle: (() => void) | undefined

  /** Begins to connect. */
  constructor(client: RedisClient, settings: ConnectionSettings) {
    this.#client = client
    this.#settings = settings
    this.#calls = new Deadlines(settings.deadline, (call) => this.#expired(call))
    client.start({ up: () => this.#up(), down: (cause) => this.#down(cause) })
  }

  /** Commands sent so far. */
  get commands(): number {
    return this.#commands
  }

  /** Asks Redis. Rejects with a `StoreUnavailableError`, at the latest at the deadline. */
  call(request: Request): Promise<Reply> {
    const refusal = this.#refusal()
    if (refusal !== undefined) return Promise.reject(unavailable(this.#settings.where, refusal, request.write))
    return new Promise((resolve, reject) => {
      const call: Call = { request, sentAt: undefined, resolve, reject }
      this.#calls.add(call)
      this.#dispatch(call, request.command)
    })
  }

  /** Refuses new calls, waits for those under way (at most a deadline), and closes. */
  async close(): Promise<void> {
    this.#closed = true
    for (const call of this.#waiting) this.#fail(call, new NotSentError('the store is being closed'))
    if (this.#calls.size > 0) await new Promise<void>((resolve) => (this.#idle = resolve))
    this.#calls.stop()
    await this.#client.close()
  }

  #refusal(): NotSentError | undefined {
    if (this.#closed) return new NotSentError('the store is closed')
    if (this.#calls.size >= this.#settings.maxPending)
      return new NotSentError(`${this.#calls.size} calls are waiting already (maxPending)`)
    if (this.#silentSince === undefined) return undefined
    const hopeless = adviceFor(this.#cause) !== undefined
    const silent = performance.now() - this.#silentSince
    return hopeless || silent >= this.#settings.deadline ? this.#notConnected() : undefined
  }

  #notConnected(): NotSentError {
    return new NotSentError(`not connected: ${this.#cause.message}`, { cause: this.#cause })
  }

  #dispatch(call: Call, command: Command): void {
    call.sentAt = undefined
    if (this.#client.ready) this.#send(call, command)
    else this.#waiting.add(call)
  }

  #send(call: Call, command: Command): void {
    call.sentAt = performance.now()
    this.#commands += 1
    this.#client.send(command).then(
      (reply) => {
        this.#silentSince = undefined
        if (this.#settle(call)) call.resolve(reply)
      },
      (error: Error) => this.#failed(call, command, error),
    )
  }

  #failed(call: Call, command: Command, error: Error): void {
    if (error instanceof ErrorReply) this.#silentSince = undefined
    if (!this.#calls.has(call)) return
    const { unknownScript, write } = call.request
    const missing = error instanceof ErrorReply && error.code === 'NOSCRIPT' && command !== unknownScript
    if (missing && unknownScript !== undefined) this.#dispatch(call, unknownScript)
    else if (error instanceof NotSentError || (!write && !(error instanceof ErrorReply))) this.#again(call)
    else this.#fail(call, error)
  }

  /** What was not sent, or reads only, may go out once more, when there is a connection again. */
  #again(call: Call): void {
    call.sentAt = undefined
    if (this.#closed) this.#fail(call, this.#notConnected())
    else this.#waiting.add(call)
  }

  #up(): void {
    this.#silentSince = undefined
    const calls = [...this.#waiting]
    this.#waiting.clear()
    for (const call of calls) this.#dispatch(call, call.request.command)
  }

  #down(cause: Error): void {
    this.#cause = cause
    this.#silentSince ??= this.#calls.oldest?.sentAt ?? performance.now()
    if (adviceFor(cause) === undefined) return
    for (const call of this.#waiting) this.#fail(call, this.#notConnected())
  }

  #expired(call: Call): void {
    if (call.sentAt === undefined) return this.#reject(call, this.#notConnected())
    this.#cause = new Error(`no answer within ${this.#settings.deadline} ms`)
    this.#silentSince ??= call.sentAt
    this.#reject(call, this.#cause)
  }

  #fail(call: Call, error: Error): void {
    if (this.#settle(call)) this.#reject(call, error)
  }

  #reject(call: Call, error: Error): void {
    this.#waiting.delete(call)
    call.reject(unavailable(this.#settings.where, error, call.request.write))
    this.#noteIdle()
  }

  /** Answers whether the call was still open. */
  #settle(call: Call): boolean {
    const open = this.#calls.delete(call)
    this.#noteIdle()
    return open
  }

  #noteIdle(): void {
    if (this.#calls.size === 0) this.#idle?.()
  }
}

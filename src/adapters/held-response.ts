/**
 * Holds a response back until its session is saved (I5), for whatever writes it: frameworks, streams, middleware
 * mounted before or after.
 *
 * Node itself holds responses: one that waits for its turn on a pipelined connection collects its chunks in
 * `outputData` until it gets the socket. The same place serves here, below every public method and therefore below
 * everything that wraps those. So the application sees a response that has begun, in every respect (`headersSent`,
 * double `end`, errors, callbacks, backpressure), because as far as Node is concerned it has. Only the finished
 * head is touched: our cookies are added to it at the very end.
 */
import type { ServerResponse } from 'node:http'
import { HoldfastError, LimitError, StoreUnavailableError } from '../errors.ts'
import type { Visit } from '../core/visit.ts'
import { answerFor } from './answer.ts'
import { headOfAnswer, headWithCookies, privateHead } from './head.ts'
import { append, type Chunk, dropUntilEnd, empty, type Outgoing, prepend, prototypeOf, putBack } from './outgoing.ts'

/** What holding a response needs of a visit. */
export type SettlingVisit = Pick<Visit<object>, 'unsettled' | 'personal' | 'pass' | 'settle' | 'farewell' | 'finish'>

/** Takes the error instead of our own answer; the response is as if nothing had been sent, because nothing was. Not for one that goes on being written. */
export type Forward = (error: HoldfastError) => void

const NOBODY: readonly SettlingVisit[] = Object.freeze([])

/** How long a handler whose client has gone may take to answer before its visit counts as over, in milliseconds. */
const ANSWER_WITHIN = 60_000

/** How long a response whose error is to be forwarded may go on being written, in milliseconds. */
const END_WITHIN = 100

/** How the visits were settled. */
interface Outcome {
  readonly cookies: readonly string[]
  readonly failure: HoldfastError | undefined
}

/**
 * Holds a response, from its first byte on, until its visits are settled: those of several managers together.
 * Costs a method of the response and a listener; where nothing is to be settled, nothing more.
 */
export class Hold {
  /** Whether cookies of ours were added by other means, so that the answer must be at least `Cache-Control: private`. */
  private = false
  readonly #response: ServerResponse & Outgoing
  readonly #visit: SettlingVisit
  /** Those of further managers; nearly always none. */
  #joined: readonly SettlingVisit[] = NOBODY
  /** Bytes held of what is written after `write` answered `false`. Crossing it is a `LimitError`. */
  #limit: number
  #forward: Forward | undefined
  readonly #send: Outgoing['_send']
  #state: 'open' | 'holding' | 'done' = 'open'
  #closed = false
  #giveUp: NodeJS.Timeout | undefined
  /** Chunks count once the application has had the chance to heed `write`'s `false`. */
  #counting = false
  #counted = 0
  #overflow: LimitError | undefined

  constructor(response: ServerResponse & Outgoing, visit: SettlingVisit, limit: number, forward?: Forward) {
    this.#response = response
    this.#visit = visit
    this.#limit = limit
    this.#forward = forward
    this.#send = response._send
    // Closures, because a property of our own on a response costs more, after Express has changed its prototype.
    response._send = (data, encoding, callback, size) => this.#begin(data, encoding, callback, size)
    response.on('close', () => this.#close())
  }

  /** Adds another manager's visit. */
  join(visit: SettlingVisit, limit: number, forward?: Forward): this {
    this.#joined = [...this.#joined, visit]
    this.#limit = Math.min(this.#limit, limit)
    this.#forward ??= forward
    return this
  }

  /** Whether the body is one visitor's. */
  get #personal(): boolean {
    return this.#visit.personal || this.#joined.some((visit) => visit.personal)
  }

  get #unsettled(): boolean {
    return this.#visit.unsettled || this.#joined.some((visit) => visit.unsettled)
  }

  /** The application's first byte, head included. */
  #begin(data: Chunk['data'], encoding: Chunk['encoding'], callback: Chunk['callback'], size?: number): boolean {
    if (!this.#unsettled) return this.#pass(data, encoding, callback, size)
    this.#hold()
    void this.#settle().then((settled) => this.#leave(settled))
    return this.#keep(data, encoding, callback)
  }

  /** Keeps a chunk. Answers `false`, as to a `write` on a full socket. */
  #keep(data: Chunk['data'], encoding: Chunk['encoding'], callback: Chunk['callback']): boolean {
    if (this.#counting && this.#counted >= this.#limit && data.length > 0) this.#overflow ??= this.#tooMuch()
    if (this.#counting) this.#counted += data.length
    append(this.#response, { data: this.#overflow === undefined ? data : '', encoding, callback })
    return false
  }

  /** The response has gone, or the connection was cut. */
  #close(): void {
    this.#closed = true
    if (this.#state === 'done') this.#finish()
    // The handler may not have noticed, and what it changes is still to be saved when it answers.
    else if (this.#state === 'open') this.#giveUp = setTimeout(() => this.#finish(), ANSWER_WITHIN).unref()
  }

  /** Nothing to wait for. */
  #pass(data: Chunk['data'], encoding: Chunk['encoding'], callback: Chunk['callback'], size?: number): boolean {
    const response = this.#response
    this.#state = 'done'
    response._send = this.#send
    if ((this.private || this.#personal) && response._header !== null)
      response._header = privateHead(response._header, [], this.#personal)
    this.#visit.pass()
    for (const visit of this.#joined) visit.pass()
    if (this.#closed) this.#finish()
    return response._send(data, encoding, callback, size)
  }

  #hold(): void {
    const response = this.#response
    this.#state = 'holding'
    response._send = (data, encoding, callback) => this.#keep(data, encoding, callback)
    response._flush = ignore
    response._writeRaw = dropInformation
    process.nextTick(() => {
      this.#counting = true
    })
  }

  async #settle(): Promise<Outcome> {
    if (this.#joined !== NOBODY) return this.#settleAll()
    try {
      const { cookies } = await this.#visit.settle()
      return { cookies, failure: this.#overflow }
    } catch (error) {
      return { cookies: this.#visit.farewell(), failure: asOurs(error) }
    }
  }

  /** Waits for every visit, also where one has failed already: another's new id must not get lost. */
  async #settleAll(): Promise<Outcome> {
    const visits = [this.#visit, ...this.#joined]
    const outcomes = await Promise.allSettled(visits.map((visit) => visit.settle()))
    const failed = outcomes.find((outcome) => outcome.status === 'rejected')
    const cookies = outcomes.flatMap((outcome, at) =>
      outcome.status === 'fulfilled' ? outcome.value.cookies : (visits[at]?.farewell() ?? []),
    )
    return { cookies, failure: failed === undefined ? this.#overflow : asOurs(failed.reason) }
  }

  #leave({ cookies, failure }: Outcome): void {
    const response = this.#response
    if (failure !== undefined) return this.#fail(failure, cookies)
    const head = response._header
    // There is no head where the connection was cut before the application answered.
    if (head === null) this.#release(head)
    else if (this.private || this.#personal) this.#release(privateHead(head, cookies, this.#personal))
    else this.#release(headWithCookies(head, cookies))
  }

  #fail(failure: HoldfastError, cookies: readonly string[]): void {
    const response = this.#response
    const forward = this.#forward
    if (forward === undefined || this.#closed) return this.#answer(failure, cookies)
    void dropUntilEnd(response, END_WITHIN).then((ended) => {
      if (!ended || this.#closed) return this.#answer(failure, cookies)
      this.#restore()
      putBack(response, cookies)
      forward(failure)
    })
  }

  /** The error's answer takes the place of what was held. A response that still goes on is cut off after it. */
  #answer(failure: HoldfastError, cookies: readonly string[]): void {
    const response = this.#response
    const answer = answerFor(failure, response.req.headers.accept)
    const ended = response.finished
    const callbacks = empty(response).flatMap(({ callback }) => callback ?? [])
    append(response, {
      data: response.req.method === 'HEAD' ? '' : answer.body,
      encoding: 'utf8',
      callback: (error) => {
        for (const callback of callbacks) callback(error)
        if (!ended) response.socket?.destroySoon()
      },
    })
    response.statusCode = answer.status
    this.#release(headOfAnswer(response._header ?? '', answer, { cookies, keepAlive: ended && !response._last }))
    if (!ended) response._send = swallow
  }

  /** Lets what is kept leave, under this head. */
  #release(head: string | null): void {
    const response = this.#response
    if (head !== null) {
      response._headerSent = true
      prepend(response, { data: head, encoding: 'latin1', callback: null })
    }
    this.#restore()
    response._flush()
  }

  #restore(): void {
    const response = this.#response
    this.#state = 'done'
    // Not with `delete`: what wrapped these meanwhile would be lost, and so would the prototype's fast path.
    response._send = this.#send
    response._flush = prototypeOf(response)._flush
    response._writeRaw = prototypeOf(response)._writeRaw
    if (this.#closed) this.#finish()
  }

  #finish(): void {
    clearTimeout(this.#giveUp)
    this.#visit.finish()
    for (const visit of this.#joined) visit.finish()
  }

  #tooMuch(): LimitError {
    return new LimitError(
      'heldBody',
      `More than ${this.#limit} bytes were written while the response waited for its session to be saved. Heed the false of write(), as pipe() and pipeline() do, or raise limits.heldBody.`,
    )
  }
}

/** A pipelined response gets its socket while it is held: nothing is written yet. */
function ignore(): void {}

/** The head is decided, so an informational answer comes too late. */
function dropInformation(_data: Chunk['data'], _encoding: Chunk['encoding'], callback: Chunk['callback']): boolean {
  if (typeof callback === 'function') process.nextTick(callback)
  return true
}

/** The response was answered in its place, and the connection is being closed. */
const swallow = dropInformation

function asOurs(error: unknown): HoldfastError {
  if (error instanceof HoldfastError) return error
  return new StoreUnavailableError('The session could not be saved.', { cause: error, applied: 'unknown' })
}

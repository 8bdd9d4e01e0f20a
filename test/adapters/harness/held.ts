/** A bare server whose responses are held for a visit that the test settles itself. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'

import type { HoldfastError } from '../../../src/errors.ts'
import { Hold, type Forward, type SettlingVisit } from '../../../src/adapters/held-response.ts'
import { isOutgoing } from '../../../src/adapters/outgoing.ts'
import type { Settled } from '../../../src/core/visit.ts'
import { ask, type Asked, type Reply } from '../../../src/testing/adapter-contract/client.ts'
import { listen } from './listen.ts'

export interface HoldOptions {
  readonly limit?: number
  readonly forward?: Forward
}

/** A visit that waits for the test, and counts what it is asked. */
export class FakeVisit implements SettlingVisit {
  unsettled = true
  personal = false
  passes = 0
  settles = 0
  finishes = 0
  readonly asked: Promise<unknown>
  #saved!: (settled: Settled) => void
  #failed!: (error: unknown) => void
  #begun!: () => void
  readonly #settled: Promise<Settled>

  constructor() {
    this.asked = new Promise<void>((resolve) => (this.#begun = resolve))
    this.#settled = new Promise<Settled>((resolve, reject) => {
      this.#saved = resolve
      this.#failed = reject
    })
    this.#settled.catch(() => undefined)
  }

  pass(): void {
    this.passes += 1
  }

  settle(): Promise<Settled> {
    this.settles += 1
    this.#begun()
    return this.#settled
  }

  farewell(): readonly string[] {
    return []
  }

  finish(): void {
    this.finishes += 1
  }

  /** The session is saved. */
  saved(...cookies: readonly string[]): void {
    this.#saved({ cookies })
  }

  /** It could not be saved. */
  failed(error: HoldfastError): void {
    this.#failed(error)
  }
}

export type Handler = (response: ServerResponse, request: IncomingMessage, hold: Hold) => unknown

export interface Held {
  readonly visit: FakeVisit
  readonly response: ServerResponse
  /** What the client got in the end. */
  readonly reply: Promise<Reply>
  /** When the client got the first byte. */
  readonly firstByte: Promise<void>
  /** The response is done with, for the server. */
  readonly closed: Promise<unknown>
}

/** Sends one request to the handler, whose response is held; resolves when the handler has run. */
export async function held(
  handler: Handler,
  asked: Asked = {},
  options: HoldOptions = {},
  visit: FakeVisit = new FakeVisit(),
): Promise<Held> {
  const began = deferred<ServerResponse>()
  const first = deferred<void>()
  const server = createServer((request, response) => {
    handler(response, request, holdOf(response, visit, options))
    began.resolve(response)
  })
  const { port, close } = await listen(server)
  const reply = ask(port, { ...asked, onFirstByte: first.resolve })
  reply.then(close, close)
  const response = await began.promise
  return {
    visit,
    response,
    reply,
    firstByte: first.promise,
    closed: new Promise((resolve) => response.on('close', resolve)),
  }
}

/** `Promise.withResolvers`, which Node 20 does not have. */
export function deferred<Value>(): { promise: Promise<Value>; resolve: (value: Value) => void } {
  let resolve!: (value: Value) => void
  const promise = new Promise<Value>((settle) => (resolve = settle))
  return { promise, resolve }
}

/** Holds a response for a visit. */
export function holdOf(response: ServerResponse, visit: SettlingVisit, options: HoldOptions = {}): Hold {
  if (!isOutgoing(response)) throw new TypeError('This response cannot be held.')
  return new Hold(response, visit, options.limit ?? 1_048_576, options.forward)
}

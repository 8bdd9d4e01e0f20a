/** The original and the drop-in: what is said of one is tried on both. */
import type { EventEmitter } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'

import dropIn from 'holdfast/express-session'

import { loadPeer } from '../../../proof/peers.ts'

/** Where the originals are. */
export const PEERS = 'test/compat/peers'

export type Done<Value = unknown> = (error?: unknown, value?: Value) => void

export interface TestedCookie {
  [member: string]: unknown
  maxAge: unknown
  expires: unknown
  originalMaxAge: unknown
  serialize(name: string, value: string): string
}

/** `req.session`, as both have it. */
export interface TestedSession {
  [member: string]: unknown
  readonly id: string
  cookie: TestedCookie
  save(done?: Done): unknown
  reload(done?: Done): unknown
  destroy(done?: Done): unknown
  regenerate(done?: Done): unknown
  touch(): unknown
  resetMaxAge(): unknown
}

export interface TestedStore extends EventEmitter {
  [member: string]: unknown
  get(id: string, done?: Done): unknown
  set(id: string, session: unknown, done?: Done): unknown
  destroy(id: string, done?: Done): unknown
  touch?(id: string, session: unknown, done?: Done): unknown
}

export interface TestedRequest extends IncomingMessage {
  session?: TestedSession | null
  sessionID?: unknown
  sessionStore?: TestedStore & { generate(request: TestedRequest): void }
  /** Steps that failed, as the tests note them. */
  failed?: string
  [member: string]: unknown
}

export type TestedMiddleware = (
  request: TestedRequest,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void

/** The module's function with its classes. */
export interface Tested {
  (options?: Record<string, unknown>): TestedMiddleware
  readonly Session: new (request: object, data?: object | null) => TestedSession
  readonly Cookie: new (options?: unknown) => TestedCookie
  readonly Store: { new (): TestedStore; call(self: object): void; readonly prototype: TestedStore }
  readonly MemoryStore: { new (): TestedMemory; call(self: object): void; readonly prototype: TestedMemory }
}

export interface TestedMemory extends TestedStore {
  sessions: Record<string, string>
  all(done?: Done): unknown
  length(done?: Done): unknown
  clear(done?: Done): unknown
  load(id: string, done?: Done<TestedSession>): unknown
  createSession(request: object, data: object): TestedSession
}

export interface Implementation {
  readonly name: 'express-session 1.19.0' | 'holdfast/express-session'
  readonly session: Tested
  /** What is expected where the two differ, with the reason at the place of use. */
  differs<Value>(expected: { readonly original: Value; readonly dropIn: Value }): Value
}

const original = await loadPeer<{ default: Tested }>('express-session', PEERS)

export const implementations: readonly [Implementation, Implementation] = [
  { name: 'express-session 1.19.0', session: original.default, differs: (expected) => expected.original },
  {
    name: 'holdfast/express-session',
    session: dropIn as unknown as Tested,
    differs: (expected) => expected.dropIn,
  },
]

/** Requests for a WebSocket: judged and given their session before the handshake, which the application makes itself. */
import { type IncomingMessage, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { beginVisit } from '../core/sessions.ts'
import { UNPARSED, type Visit } from '../core/visit.ts'
import { HoldfastError, SessionEndedError } from '../errors.ts'
import type { Session, Sessions } from '../types.ts'
import { type Answer, answerFor } from './answer.ts'
import { factsOf } from './facts.ts'
import type { RouteOptions } from './seen.ts'

export interface UpgradeOptions extends Pick<RouteOptions, 'touch'> {
  /** Whether somebody has to be signed in; else the answer is 401. Default `false`. */
  readonly signedIn?: boolean | undefined
}

/** How long a refused client may take to read its answer, in milliseconds. */
const CLOSE_WITHIN = 1_000

const NOT_SIGNED_IN: Answer = {
  status: 401,
  headers: { 'content-type': 'application/problem+json', 'cache-control': 'no-store' },
  body: JSON.stringify({ type: 'about:blank', title: 'Unauthorized', status: 401, detail: 'Please sign in first.' }),
}

/**
 * The session of a request for another protocol, to be called in the server's `'upgrade'` event. `undefined`: there will be
 * no socket. The request was answered (403 where nothing proves that a page of ours sent it, in every mode; 401; 503 while
 * the store fails) and the connection is being closed, or the client has gone.
 *
 * No cookie can be sent any more: what needs one throws `HeadSentError`. `update`, `reload`, `touch` and `commit` work as
 * long as the session lives, whatever becomes of its id, and throw `SessionEndedError` after that. Close the socket when
 * `session.signal` aborts.
 */
export async function upgrade<Data extends object>(
  sessions: Sessions<Data>,
  request: IncomingMessage,
  socket: Duplex,
  { signedIn = false, touch = true }: UpgradeOptions = {},
): Promise<Session<Data> | undefined> {
  // Node listens no more, and nobody yet: a client that goes away now must not end the process.
  socket.on('error', ignore)
  const visit = beginVisit(sessions, { ...factsOf(request), upgrade: true }, request)
  socket.once('close', () => visit.finish())
  try {
    // First by the headers alone: another site's page costs no trip to the store.
    visit.check(UNPARSED)
    await visit.open({ fresh: true, touch })
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error
    closeWith(socket, answerFor(error, request.headers.accept))
    return undefined
  }
  if (socket.destroyed) return undefined
  visit.pass()
  if (signedIn && visit.session.userId === undefined) {
    closeWith(socket, notSignedIn(visit, request.headers.accept))
    return undefined
  }
  socket.off('error', ignore)
  return visit.session
}

/** Writes an answer to a socket that gets no other protocol, and closes it. */
export function closeWith(socket: Duplex, { status, headers, body }: Answer): void {
  if (socket.destroyed) return
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Error'}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ]
  socket.on('error', ignore)
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`)
  // Unread data would turn the end into a reset, which may overtake the answer.
  socket.resume()
  const late = setTimeout(() => socket.destroy(), CLOSE_WITHIN).unref()
  socket.once('close', () => clearTimeout(late))
}

function notSignedIn({ session }: Visit<object>, accept: string | undefined): Answer {
  if (session.status !== 'lapsed') return NOT_SIGNED_IN
  return answerFor(new SessionEndedError('expired', 'The session that the browser brought is over.'), accept)
}

function ignore(): void {}

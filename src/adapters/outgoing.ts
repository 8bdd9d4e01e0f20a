/**
 * The inside of node's outgoing messages that holding a response rests on. Undocumented, but the same from Node 20
 * to 26, and long before; `isOutgoing` makes sure that it is there, and nothing is served otherwise.
 */
import { ServerResponse } from 'node:http'
import { REPRESENTATION } from './head.ts'

/** A piece of a response that waits for the socket. */
export interface Chunk {
  readonly data: string | Uint8Array
  readonly encoding: BufferEncoding | null | undefined
  readonly callback: ((error?: Error | null) => void) | null | undefined
}

type Send = (data: Chunk['data'], encoding?: Chunk['encoding'], callback?: Chunk['callback'], size?: number) => boolean

/** Where chunks pass, and where they wait. */
export interface Outgoing {
  /** Every byte of the final response passes here, the head with the first. */
  _send: Send
  /** What goes to the socket; 1xx answers come here directly. */
  _writeRaw: Send
  /** Writes what waits in `outputData`, and goes on as if it had just been written: 'drain', or the end. */
  _flush(): void
  /** The head as text, once it is decided. */
  _header: string | null
  _headerSent: boolean
  outputData: Chunk[]
  outputSize: number
  /** Tells the server how much is waiting, so that it stops reading requests. */
  _onPendingData(amount: number): void
  /** Whether the connection is closed after this response. */
  _last: boolean
  finished: boolean
  _hasBody: boolean
  _contentLength: number | null
  _trailer: string
}

const { _send, _writeRaw, _flush } = ServerResponse.prototype as Partial<Outgoing>
const KNOWN = typeof _send === 'function' && typeof _writeRaw === 'function' && typeof _flush === 'function'

/** Whether this response has the inside that holding rests on; those of node:http2 have not. */
export function isOutgoing<Response extends object>(response: Response): response is Response & Outgoing {
  const { outputData, _onPendingData } = response as Partial<Outgoing>
  return (
    KNOWN && response instanceof ServerResponse && Array.isArray(outputData) && typeof _onPendingData === 'function'
  )
}

/** What an outgoing message's methods are without anybody's wrapping. */
export function prototypeOf(response: Outgoing): Outgoing {
  return Object.getPrototypeOf(response) as Outgoing
}

/** Puts a chunk behind what waits for the socket. */
export function append(response: Outgoing, chunk: Chunk): void {
  response.outputData.push(chunk)
  account(response, chunk.data.length)
}

/** Puts a chunk before what waits for the socket. */
export function prepend(response: Outgoing, chunk: Chunk): void {
  response.outputData.unshift(chunk)
  account(response, chunk.data.length)
}

/** Takes out what waits for the socket. */
export function empty(response: Outgoing): readonly Chunk[] {
  const chunks = response.outputData
  response.outputData = []
  account(response, -response.outputSize)
  return chunks
}

function account(response: Outgoing, amount: number): void {
  response.outputSize += amount
  response._onPendingData(amount)
}

/**
 * Throws away what waits and what is still written, until the application has ended the response: compression, for
 * one, ends it a little later. Answers whether it did so within so many milliseconds.
 */
export function dropUntilEnd(response: ServerResponse & Outgoing, within: number): Promise<boolean> {
  response._send = () => true
  // The server, told that less is waiting, emits the 'drain' that a stream may be waiting for.
  empty(response)
  if (response.finished) return Promise.resolve(true)
  return new Promise((resolve) => {
    const late = setTimeout(resolve, within, false)
    // Emitted in the middle of `end()`, which has to run to its own end.
    response.once('prefinish', () => {
      clearTimeout(late)
      setImmediate(resolve, true)
    })
  })
}

const WRITING = ['write', 'end', 'writeHead', 'flushHeaders', 'on'] as const

/**
 * Puts a response that has ended, and of which nothing has left, back to where another answer can be given:
 * its head and body are forgotten, and its headers as far as they described that body.
 */
export function putBack(response: ServerResponse & Outgoing, cookies: readonly string[]): void {
  empty(response)
  Object.assign(response, { _header: null, _headerSent: false, finished: false })
  Object.assign(response, { chunkedEncoding: false, _contentLength: null, _trailer: '', strictContentLength: false })
  response._hasBody = response.req.method !== 'HEAD'
  // What wraps these (compression, for one) has seen the end of the response, and would drop another.
  for (const name of WRITING) {
    if (Object.hasOwn(response, name)) Object.assign(response, { [name]: ServerResponse.prototype[name] })
  }
  for (const name of response.getHeaderNames()) if (REPRESENTATION.has(name)) response.removeHeader(name)
  response.statusCode = 200
  response.statusMessage = ''
  if (cookies.length > 0) response.setHeader('set-cookie', cookies)
  if (response.writableNeedDrain) forgetDrain(response)
}

/** Node remembers that a write was answered with `false`, and a stream that is piped into the response would wait for ever. */
function forgetDrain(response: ServerResponse & Outgoing): void {
  append(response, { data: '', encoding: 'latin1', callback: null })
  prototypeOf(response)._flush.call(response)
}

/**
 * One connection to one server, from its making to its end. It carries commands, says when it is up and when it is
 * over, and never connects again or sends a command twice. Deadlines, waiting and what a failure means are not its
 * business.
 */

/** One command: its name and its arguments. */
export type Command = readonly (string | Buffer)[]

/** What Redis answers; strings as bytes, so that a record stays what it is. */
export type Reply = Buffer | number | null | readonly Reply[]

/** Where a server is reached. */
export type Endpoint = { readonly host: string; readonly port: number } | { readonly path: string }

/** Is told how the connection fares. */
export interface LinkWatcher {
  /** Commands can be sent from now on. */
  up(): void
  /** The connection is over, or there was none. Told once, last of all, and not after `close`. */
  down(cause: Error): void
  /** Something was published on a channel that was subscribed to. */
  heard?(message: string): void
}

export interface Link {
  /** Whether a command that is sent now goes out. */
  readonly ready: boolean
  /**
   * Sends a command now. Rejects with a `NotSentError` when it certainly did not go out, with an `ErrorReply`
   * when the server refused it, and with any other error when its answer was lost.
   */
  send(command: Command): Promise<Reply>
  /** Ends the connection at once, answered or not. Settles when nothing of it is left. */
  close(): Promise<void>
}

/** Begins to connect. The watcher is not told before this has answered. */
export type OpenLink = (to: Endpoint, watcher: LinkWatcher) => Link

/** The command did not leave this process. */
export class NotSentError extends Error {
  override readonly name = 'NotSentError'
}

/** An error that Redis answered. Its message names no key: a key names a visit, and this ends in logs. */
export class ErrorReply extends Error {
  override readonly name = 'ErrorReply'
  /** The first word of the answer, such as `OOM` or `NOSCRIPT`; empty for what does not come from Redis itself. */
  readonly code: string

  constructor(message: string) {
    super(message.replace(/,? with args beginning with:.*/s, '').replace(/'[^']{20,}'/g, '…'))
    this.code = /^[A-Z]+(?= |$)/.exec(message)?.[0] ?? ''
  }
}

/** `host:port`, or the path of a socket: for messages, and to tell one endpoint from another. */
export function nameOf(endpoint: Endpoint): string {
  if ('path' in endpoint) return endpoint.path
  return `${endpoint.host.includes(':') ? `[${endpoint.host}]` : endpoint.host}:${endpoint.port}`
}

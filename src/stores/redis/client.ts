/**
 * What the store asks of a Redis client: to send one command over one connection, to say whether it could
 * do so now, and to connect again by itself. Deadlines, waiting and what a failure means are not its business
 * (`connection.ts`). It must never send a command a second time.
 */

/** One command: its name and its arguments. */
export type Command = readonly (string | Buffer)[]

/** What Redis answers; strings as bytes, so that a record stays what it is. */
export type Reply = Buffer | number | null | readonly Reply[]

/** Is told how the connection fares. */
export interface ConnectionWatcher {
  /** Commands can be sent from now on. */
  up(): void
  /** The connection was lost, or an attempt to connect failed. Told again for each attempt. */
  down(cause: Error): void
}

export interface RedisClient {
  /** Whether a command that is sent now goes out. */
  readonly ready: boolean
  /** Begins to connect, and again, with a bounded backoff, whenever the connection is lost. */
  start(watcher: ConnectionWatcher): void
  /**
   * Sends a command now. Rejects with a `NotSentError` when it certainly did not go out, with an `ErrorReply`
   * when the server refused it, and with any other error when its answer was lost.
   */
  send(command: Command): Promise<Reply>
  /** Closes the connection, answered or not, and leaves no timer behind. */
  close(): Promise<void>
}

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

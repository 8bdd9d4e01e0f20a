/** A server as calls see it: a line for all of them, and a second one for the writes that replicas are to confirm. */
import { Confirming } from './confirming.ts'
import type { Channel, ConfirmedWrite, Route } from './deployment.ts'
import { Line, type Outage } from './line.ts'
import { type Command, type Endpoint, ErrorReply, nameOf, type OpenLink, type Reply } from './link.ts'
import type { Standing } from './standing.ts'
import { Tracking, type TrackingWatcher } from './tracking.ts'

export interface ServerSettings {
  readonly open: OpenLink
  /** Milliseconds that a call may take, and that a server may be silent. */
  readonly deadline: number
  /** How many replicas must have what is to be confirmed. 0: the server's word is enough. */
  readonly replicas: number
  /** Whether keys may come to be at another server. */
  readonly keysMove: boolean
}

/** Is told what becomes of a server. */
export interface ServerWatcher extends TrackingWatcher {
  /** It serves as a primary from now on; or it goes on to, and stands otherwise than before. */
  serves(server: Server, standing: Standing): void
  /** It does not serve, for a reason that may be another one than before. */
  fails(server: Server): void
}

export class Server implements Route {
  readonly endpoint: Endpoint
  /** `host:port`, or a path. */
  readonly name: string
  readonly #line: Line
  readonly #tracking: Tracking
  readonly #confirmingLine: Line | undefined
  readonly #confirming: Confirming | undefined

  constructor(endpoint: Endpoint, settings: ServerSettings, watcher: ServerWatcher) {
    this.endpoint = endpoint
    this.name = nameOf(endpoint)
    const { open, deadline } = settings
    this.#line = new Line(
      endpoint,
      { open, deadline, watchful: true },
      { serves: (standing) => this.#serves(standing, watcher), fails: () => this.#fails(watcher) },
    )
    this.#tracking = new Tracking(endpoint, { ...settings, send: (command) => this.#ask(command) }, watcher)
    if (settings.replicas === 0) return
    this.#confirmingLine = new Line(
      endpoint,
      { open, deadline, watchful: false },
      { serves: () => this.#confirming?.flush(), fails: () => this.#confirming?.lost() },
    )
    this.#confirming = new Confirming(this.#confirmingLine, settings)
  }

  get ready(): boolean {
    return this.#line.ready
  }

  /** Whether anything was done to connect. */
  get begun(): boolean {
    return this.#line.begun
  }

  /** `undefined` while it serves, and before it is begun. */
  get outage(): Outage | undefined {
    return this.#line.outage
  }

  get standing(): Standing | undefined {
    return this.#line.standing
  }

  get answers(): number {
    return this.#line.answers
  }

  heard(): void {
    this.#line.answers += 1
  }

  silent(): void {
    this.#line.silent()
  }

  /** Begins to connect; where it rests after a failed attempt, tries again at once. */
  hurry(): void {
    this.#line.hurry()
  }

  refused(refusal: ErrorReply): void {
    this.#line.refused(refusal)
    this.#confirmingLine?.refused(refusal)
  }

  send(command: Command): Promise<Reply> {
    return this.#line.send(command)
  }

  /** Whether changes of what was read here are told of. */
  get tells(): boolean {
    return this.#tracking.tells
  }

  track(): Channel | undefined {
    return this.#tracking.track()
  }

  confirm(write: ConfirmedWrite, asking = false): void {
    if (this.#confirming === undefined) this.#sendUnconfirmed(write, asking)
    else this.#confirming.add(write, asking)
  }

  /** Sends nothing more, and closes when what is under way has been answered or given up. */
  async leave(): Promise<void> {
    this.#confirming?.lost()
    await Promise.all([this.#line.leave(), this.#confirmingLine?.leave(), this.#tracking.close()])
    this.#confirming?.close()
  }

  async close(): Promise<void> {
    await Promise.all([this.#line.close(), this.#confirmingLine?.close(), this.#tracking.close()])
    this.#confirming?.close()
  }

  /** What is told of changes by then is old before anybody hears of the server. */
  #serves(standing: Standing, watcher: ServerWatcher): void {
    this.#tracking.serves(standing)
    watcher.serves(this, standing)
  }

  #fails(watcher: ServerWatcher): void {
    this.#tracking.fails()
    watcher.fails(this)
  }

  /** Sends a command, and counts its answer. */
  async #ask(command: Command): Promise<Reply> {
    try {
      const reply = await this.#line.send(command)
      this.heard()
      return reply
    } catch (error) {
      if (error instanceof ErrorReply) this.heard()
      throw error
    }
  }

  /** Without replicas to ask, the server's answer is the confirmation. */
  #sendUnconfirmed(write: ConfirmedWrite, asking: boolean): void {
    write.sent()
    if (asking) this.#line.send(['ASKING']).catch(() => undefined)
    this.#line.send(write.command).then(
      (reply) => {
        this.heard()
        write.answered(reply)
        write.confirmed(true)
      },
      (error: Error) => write.failed(error),
    )
  }
}

/** A server that serves a key by exception, while it takes over the key's slot: every command is announced. */
export class AskedServer implements Route {
  readonly #server: Server

  constructor(server: Server) {
    this.#server = server
  }

  get answers(): number {
    return this.#server.answers
  }

  heard(): void {
    this.#server.heard()
  }

  silent(): void {
    this.#server.silent()
  }

  send(command: Command): Promise<Reply> {
    // Both leave in one packet.
    this.#server.send(['ASKING']).catch(() => undefined)
    return this.#server.send(command)
  }

  confirm(write: ConfirmedWrite): void {
    this.#server.confirm(write, true)
  }
}

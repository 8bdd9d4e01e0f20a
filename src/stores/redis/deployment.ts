/**
 * What the store sees of whatever answers for its keys: one server, the primary that Sentinels name, or the nodes of a
 * cluster. It says who is to be asked for a key now; deadlines, waiting and sending again are not its business
 * (`calls.ts`).
 */
import type { Outage } from './line.ts'
import type { Command, ErrorReply, Reply } from './link.ts'
import type { TrackingWatcher } from './tracking.ts'

/** A write that replicas are to confirm, and its caller's side of what becomes of it. */
export interface ConfirmedWrite {
  readonly command: Command
  /** Whether its caller still waits. Asked right before it is sent. */
  wanted(): boolean
  /** It goes out now. */
  sent(): void
  /** The server's answer; whether replicas have it too follows. */
  answered(reply: Reply): void
  /** Enough replicas have it, or have not within the time. Told once, after `answered`. */
  confirmed(durable: boolean): void
  /** It was refused, not sent, or its answer was lost, as `send` rejects. Told instead of the other two. */
  failed(error: Error): void
}

/** The way on which changes of what was read somewhere are told of. */
export interface Channel {
  /** Whether a change of what was answered is: asked when the answer is there. */
  tells(reply: Reply): boolean
}

/** Where commands go. */
export interface Route {
  /** How many answers came from there: a call that has none while the number stays has met a silent server. */
  readonly answers: number
  /** An answer came from there: said by who sent the command. */
  heard(): void
  /** Nothing at all came from there for a deadline, though it was asked. */
  silent(): void
  /** Sends a command now, once. Rejects as a `Link` does. */
  send(command: Command): Promise<Reply>
  /** How changes of what is sent for now are told of; `undefined` while they are not. Without it they never are. */
  track?(): Channel | undefined
  /** Sends a write as soon as others' confirmations are in, and asks the replicas. */
  confirm(write: ConfirmedWrite): void
}

/** Is told what calls that wait, and those who keep what they read, have to know. */
export interface DeploymentWatcher extends TrackingWatcher {
  /** Somebody else may be asked from now on, or nobody any more. */
  changed(): void
  /** Another server answers than before, or the same one without its memory: acknowledged writes may be gone. */
  replaced(): void
}

export interface Deployment {
  /** For messages: `host:port`, or who the Sentinels or the nodes are. */
  readonly where: string
  /** Begins to connect. */
  start(watcher: DeploymentWatcher): void
  /** Whom a command for the key can be sent to now; `undefined` while nobody can be asked. */
  route(key: string): Route | undefined
  /** Why nobody can be asked for the key, where that is so. */
  outage(key: string): Outage
  /**
   * Takes note that this one refused a command for the key, because of its role or place. Answers whom to ask instead, where
   * that is clear.
   */
  refused(by: Route, key: string, refusal: ErrorReply): Route | undefined
  /** Closes all connections, answered or not, and leaves no timer behind. */
  close(): Promise<void>
}

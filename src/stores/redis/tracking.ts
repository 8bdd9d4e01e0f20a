/**
 * Has Redis tell of changes of what was read over a server's line ("client tracking"). RESP2 has no other way than to
 * redirect the news: a second link to the same server listens, and the line's own link names it as the one to be told.
 * Nothing is opened before somebody wants to be told.
 *
 * Each end of that channel is asked again and again whether it is still there: news that get lost in a connection that
 * only looks alive would leave old answers in use.
 */
import { StoreUnavailableError } from '../../errors.ts'
import * as channels from '../../telemetry/channels.ts'
import { INVALIDATION_CHANNEL } from './commands.ts'
import type { Channel } from './deployment.ts'
import { refusalOf } from './failures.ts'
import { backoff } from './line.ts'
import { type Command, type Endpoint, ErrorReply, type Link, nameOf, type OpenLink, type Reply } from './link.ts'
import { type Standing, standingOf } from './standing.ts'

export interface TrackingSettings {
  readonly open: OpenLink
  /** Milliseconds that a call may take. */
  readonly deadline: number
  /** Whether keys may come to be at another server: then nobody tells of one that is made there. */
  readonly keysMove: boolean
  /** Sends over the link of the line that was last said to serve. */
  readonly send: (command: Command) => Promise<Reply>
}

export interface TrackingWatcher {
  /** What was answered for the key is not there any more. */
  keyChanged(key: string): void
  /** Changes of what was read so far may not be told of. */
  untracked(): void
}

/** Of the deadline, and milliseconds at most: until both ends are asked, and that they have to answer. */
const ASKED_AFTER = { share: 0.3, most: 300 }
const PATIENCE = { share: 0.5, most: 500 }
/** Where the server refuses, in milliseconds: rights are given by people. */
const REFUSED_RETRY = 60_000

const WHO_IS_TOLD: Command = ['CLIENT', 'GETREDIR']
const FORGOTTEN = 'the server has forgotten whom to tell'

/** The news of one link. */
interface Listening extends Channel {
  readonly link: Link
  up: boolean
}

export class Tracking {
  readonly #endpoint: Endpoint
  readonly #settings: TrackingSettings
  readonly #watcher: TrackingWatcher
  #wanted = false
  /** How the server stands at the other end of the line; `undefined` while none serves there. */
  #standing: Standing | undefined
  #listening: Listening | undefined
  #attempts = 0
  #warned = false
  /** The next attempt, the next question, or the limit of what is under way. */
  #timer: NodeJS.Timeout | undefined
  #closing: Promise<unknown> = Promise.resolve()

  constructor(endpoint: Endpoint, settings: TrackingSettings, watcher: TrackingWatcher) {
    this.#endpoint = endpoint
    this.#settings = settings
    this.#watcher = watcher
  }

  /** Where changes of what is read now are told; `undefined` while they are not. From the first call on it is seen to. */
  track(): Channel | undefined {
    if (!this.#wanted) {
      this.#wanted = true
      this.#begin()
    }
    return this.#listening?.up === true ? this.#listening : undefined
  }

  /** Whether changes of what was read are told of. */
  get tells(): boolean {
    return this.#listening?.up === true
  }

  /** The line has another link, or the same one to a server that stands otherwise than before. */
  serves(standing: Standing): void {
    this.#stop()
    this.#standing = standing
    // Of a server that serves and does not in turn, no connection for each turn is made.
    if (this.#attempts === 0) this.#begin()
    else this.#wait(backoff(this.#attempts), () => this.#begin())
  }

  /** The line has no link any more, or one that nobody serves on. */
  fails(): void {
    this.#standing = undefined
    this.#stop()
  }

  /** For good. Settles when no connection is left. */
  async close(): Promise<void> {
    this.fails()
    await this.#closing
  }

  #begin(): void {
    if (!this.#wanted || this.#standing === undefined) return
    this.#attempts += 1
    const link: Link = this.#settings.open(this.#endpoint, {
      up: () => void this.#arm(listening),
      down: (cause) => this.#failed(listening, cause),
      heard: (message) => this.#heard(listening, message),
    })
    const { keysMove } = this.#settings
    const listening: Listening = {
      link,
      up: false,
      tells: (reply) => listening.up && (reply !== null || !keysMove),
    }
    this.#listening = listening
    this.#limit(listening, this.#settings.deadline)
  }

  async #arm(listening: Listening): Promise<void> {
    const { link } = listening
    try {
      const [server, id] = await Promise.all([
        link.send(['INFO', 'server']),
        link.send(['CLIENT', 'ID']),
        link.send(['subscribe', INVALIDATION_CHANNEL]),
      ])
      if (!this.#isPresent(listening)) return
      this.#expectSameServer(standingOf(server).runId)
      const { send } = this.#settings
      const [, told] = await Promise.all([
        send(['CLIENT', 'TRACKING', 'ON', 'REDIRECT', String(id)]),
        send(WHO_IS_TOLD),
      ])
      if (!this.#isPresent(listening)) return
      if (told !== id) throw new Error(FORGOTTEN)
      listening.up = true
      this.#warned = false
      this.#askLater(listening, id)
    } catch (error) {
      this.#failed(listening, error as Error)
    }
  }

  /** Behind a name or a balancer there may be several, and the number of a client means another one at each. */
  #expectSameServer(runId: string): void {
    if (runId === '') throw new ErrorReply('the server does not say which one it is')
    if (runId !== this.#standing?.runId) throw new Error('another server answered')
  }

  #askLater(listening: Listening, id: Reply): void {
    this.#wait(limited(ASKED_AFTER, this.#settings.deadline), () => void this.#ask(listening, id))
  }

  async #ask(listening: Listening, id: Reply): Promise<void> {
    const timer = this.#timer
    const answers = Promise.all([this.#settings.send(WHO_IS_TOLD), listening.link.send(['ping'])])
    // Links gather what a turn sends: it leaves before this, however long the turn is.
    setImmediate(() => {
      if (timer === this.#timer) this.#limit(listening, limited(PATIENCE, this.#settings.deadline))
    })
    try {
      const [told] = await answers
      if (!this.#isPresent(listening)) return
      if (told !== id) throw new Error(FORGOTTEN)
      this.#attempts = 0
      this.#askLater(listening, id)
    } catch (error) {
      this.#failed(listening, error as Error)
    }
  }

  #heard(listening: Listening, key: string): void {
    if (!this.#isPresent(listening)) return
    // Nothing at all is the news that everything was deleted.
    if (key === '') this.#watcher.untracked()
    else this.#watcher.keyChanged(key)
  }

  #limit(listening: Listening, ms: number): void {
    const limit = this.#wait(ms, () => {
      // What came while this process was busy is read between the timer and the immediate.
      setImmediate(() => {
        if (limit === this.#timer) this.#failed(listening, new Error(`no answer within ${ms} ms`))
      })
    })
  }

  #failed(listening: Listening, cause: Error): void {
    if (!this.#isPresent(listening)) return
    this.#stop()
    const refused = isRefusal(cause)
    if (refused) this.#warn(cause)
    this.#wait(refused ? REFUSED_RETRY : backoff(this.#attempts), () => this.#begin())
  }

  #warn(cause: Error): void {
    if (this.#warned) return
    this.#warned = true
    const error = new StoreUnavailableError(
      `Redis at ${nameOf(this.#endpoint)} does not tell of changes, so nothing that is read there is kept: ${cause.message}`,
      { applied: 'no', cause },
    )
    if (channels.store.hasSubscribers) channels.store.publish({ store: 'redis', operation: 'loadTracked', error })
  }

  #stop(): void {
    this.#wait(0, undefined)
    const listening = this.#listening
    if (listening === undefined) return
    this.#listening = undefined
    this.#closing = Promise.all([this.#closing, listening.link.close()])
    if (!listening.up) return
    listening.up = false
    this.#watcher.untracked()
  }

  #isPresent(listening: Listening): boolean {
    return listening === this.#listening
  }

  #wait(ms: number, then: (() => void) | undefined): NodeJS.Timeout | undefined {
    clearTimeout(this.#timer)
    this.#timer = then === undefined ? undefined : setTimeout(then, ms)
    return this.#timer
  }
}

/** Whether asking again soon would be answered the same. */
function isRefusal(cause: Error): boolean {
  if (!(cause instanceof ErrorReply) || refusalOf(cause) !== undefined) return false
  return !/client ID .*does not exist/i.test(cause.message)
}

function limited({ share, most }: { share: number; most: number }, deadline: number): number {
  return Math.min(share * deadline, most)
}

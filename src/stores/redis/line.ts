/**
 * A line to one server: makes a link, and the next when one is lost, and knows whether a primary serves at its end. A
 * server is asked for its role before it is used and every half a second; one that is silent for a whole deadline, a
 * replica, and one that loads its data are not used.
 */
import {
  ErrorReply,
  type Command,
  type Endpoint,
  type Link,
  nameOf,
  NotSentError,
  type OpenLink,
  type Reply,
} from './link.ts'
import { type Standing, STANDING_QUESTION, standingOf, UNTOLD } from './standing.ts'

/** Since when nobody serves, of the monotonic clock, and why. */
export interface Outage {
  readonly since: number
  readonly cause: Error
}

/** Is told what becomes of a line. */
export interface LineWatcher {
  /** A primary serves from now on; or it goes on to, and stands otherwise than before. */
  serves(standing: Standing): void
  /** Nobody serves, for a reason that may be another one than before. */
  fails(): void
}

export interface LineSettings {
  readonly open: OpenLink
  /** Milliseconds without any answer after which a server counts as hanging. */
  readonly deadline: number
  /** Whether the role is asked again and again. Else once for each link. */
  readonly watchful: boolean
}

const WATCH_EVERY = 500
const LOADING_RETRY = 100
const REFUSED_RETRY = 25
const BACKOFF_FIRST = 50
const BACKOFF_MOST = 1000

export class Line {
  readonly endpoint: Endpoint
  /** How many answers came: counted by those who send. */
  answers = 0
  readonly #settings: LineSettings
  readonly #watcher: LineWatcher
  #link: Link | undefined
  #serves = false
  #standing: Standing | undefined
  #outage: Outage | undefined
  #attempts = 0
  /** The next attempt, the next question, or the limit of the one that is asked. */
  #timer: NodeJS.Timeout | undefined
  #resting = false
  #closed = false
  readonly #leaving = new Set<Leaving>()

  constructor(endpoint: Endpoint, settings: LineSettings, watcher: LineWatcher) {
    this.endpoint = endpoint
    this.#settings = settings
    this.#watcher = watcher
  }

  /** Whether a command that is sent now reaches a primary. */
  get ready(): boolean {
    return this.#serves && this.#link?.ready === true
  }

  /** Whether it was begun. */
  get begun(): boolean {
    return this.#outage !== undefined || this.#serves
  }

  /** `undefined` while it serves, and before it is begun. */
  get outage(): Outage | undefined {
    return this.#outage
  }

  get standing(): Standing | undefined {
    return this.#standing
  }

  /** Begins to connect; where it rests after a failed attempt, tries again at once. */
  hurry(): void {
    if (this.#closed || (this.begun && !this.#resting)) return
    this.#outage ??= { since: performance.now(), cause: new Error('no answer yet') }
    this.#connect()
  }

  /** Sends a command now, to a server that serves. */
  send(command: Command): Promise<Reply> {
    return this.#link?.send(command) ?? Promise.reject(new NotSentError('not connected'))
  }

  /** The server was asked and has said nothing at all for a deadline: the link is given up, and what is under way is lost. */
  silent(): void {
    if (this.#link === undefined) return
    const { deadline } = this.#settings
    this.#leaveLink(0)
    this.#lost(new Error(`no answer within ${deadline} ms`), performance.now() - deadline)
  }

  /** The server refused a command because it does not serve now. */
  refused(refusal: ErrorReply): void {
    if (!this.#serves) return
    if (refusal.code === 'READONLY') return this.#isReplica()
    this.#failed(refusal)
    this.#wait(REFUSED_RETRY, () => this.#ask())
  }

  /** Sends nothing more, and closes after a deadline, when what is under way has been answered or given up. */
  async leave(): Promise<void> {
    this.#stop()
    this.#leaveLink()
    await Promise.all([...this.#leaving].map(({ gone }) => gone))
  }

  async close(): Promise<void> {
    this.#stop()
    this.#leaveLink(0)
    await Promise.all([...this.#leaving].map(({ end }) => end()))
  }

  #stop(): void {
    this.#closed = true
    this.#serves = false
    this.#outage ??= { since: performance.now(), cause: new Error('the connection is being closed') }
    clearTimeout(this.#timer)
  }

  #connect(): void {
    clearTimeout(this.#timer)
    this.#resting = false
    this.#attempts += 1
    const link: Link = this.#settings.open(this.endpoint, {
      up: () => {
        if (link === this.#link) this.#ask()
      },
      down: (cause) => {
        if (link !== this.#link) return
        this.#leaveLink(0)
        this.#lost(cause)
      },
    })
    this.#link = link
  }

  #ask(): void {
    const link = this.#link
    if (link === undefined) return
    this.#limit(link, this.answers)
    link.send(STANDING_QUESTION).then(
      (reply) => {
        if (link === this.#link) this.#stands(standingOf(reply))
      },
      (error: unknown) => {
        if (link === this.#link && error instanceof ErrorReply) this.#untold(error)
      },
    )
  }

  /** A link on which nothing comes for a deadline although the role was asked is given up. */
  #limit(link: Link, answers: number): void {
    this.#wait(this.#settings.deadline, () => {
      // What came while this process was busy is read between the timer and the immediate.
      setImmediate(() => {
        if (link !== this.#link) return
        if (this.answers === answers) this.silent()
        else this.#limit(link, this.answers)
      })
    })
  }

  /** A user with few rights may not ask, and old servers answer one section at a time. */
  #untold(error: ErrorReply): void {
    if (error.code === 'NOPERM' || /^ERR (unknown command|syntax error)/.test(error.message)) this.#stands(UNTOLD)
    else this.#drop(error)
  }

  #stands(standing: Standing): void {
    this.answers += 1
    clearTimeout(this.#timer)
    if (standing.role === 'replica') return this.#isReplica()
    if (standing.role === 'loading') {
      this.#failed(new Error('the server loads its data'))
      this.#wait(LOADING_RETRY, () => this.#ask())
      return
    }
    if (this.#settings.watchful) this.#wait(WATCH_EVERY, () => this.#ask())
    this.#serve(standing)
  }

  #serve(standing: Standing): void {
    const before = this.#standing
    const news = !this.#serves || before?.history !== standing.history
    this.#standing = standing
    this.#serves = true
    this.#outage = undefined
    this.#attempts = 0
    if (news) this.#watcher.serves(standing)
  }

  /** Another attempt may find the primary: behind a name or an address there may be another server then. */
  #isReplica(): void {
    this.#drop(new Error(`the server at ${nameOf(this.endpoint)} is a replica`))
  }

  #drop(cause: Error): void {
    this.#leaveLink()
    this.#lost(cause)
  }

  /** Nothing more is sent over it; after so many milliseconds it is closed. */
  #leaveLink(after: number = this.#settings.deadline): void {
    const link = this.#link
    if (link === undefined) return
    this.#link = undefined
    // Of what was asked over it, nothing is to be expected of the next link.
    this.answers += 1
    const leaving = leave(link, after)
    this.#leaving.add(leaving)
    void leaving.gone.then(() => this.#leaving.delete(leaving))
  }

  #lost(cause: Error, since: number = performance.now()): void {
    clearTimeout(this.#timer)
    if (this.#closed) return
    this.#resting = true
    this.#wait(backoff(this.#attempts), () => this.#connect())
    this.#failed(cause, since)
  }

  #failed(cause: Error, since: number = performance.now()): void {
    this.#serves = false
    this.#outage = { since: this.#outage?.since ?? since, cause }
    this.#watcher.fails()
  }

  #wait(ms: number, then: () => void): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(then, ms)
  }
}

/** A link that nothing more is sent over, while answers may still be on their way. */
interface Leaving {
  readonly gone: Promise<void>
  end(): Promise<void>
}

function leave(link: Link, after: number): Leaving {
  let over = (): void => undefined
  const gone = new Promise<void>((resolve) => (over = resolve)).then(() => link.close())
  const timer = setTimeout(over, after)
  const end = (): Promise<void> => {
    clearTimeout(timer)
    over()
    return gone
  }
  if (after === 0) void end()
  return { gone, end }
}

/** Milliseconds before the next attempt: doubling up to a second, with a fifth of chance so that servers do not come all at once. */
export function backoff(attempt: number): number {
  const wait = Math.min(BACKOFF_FIRST * 2 ** Math.max(0, attempt - 1), BACKOFF_MOST)
  return Math.round(wait * (0.9 + Math.random() * 0.2))
}

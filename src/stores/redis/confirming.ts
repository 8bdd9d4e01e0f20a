/**
 * Writes that replicas are to confirm, over a line of their own, because WAIT blocks its connection. They go in groups:
 * all that there are, then one WAIT for them together; what comes meanwhile is the next group. A count below what was
 * asked for, a WAIT that failed and one whose answer was lost are never taken for a confirmation.
 */
import type { ConfirmedWrite } from './deployment.ts'
import type { Line } from './line.ts'
import { ErrorReply, NotSentError, type Reply } from './link.ts'

/** How much of a deadline replicas may take, so that what waits behind a group is sent within its own. */
const SHARE = 0.6

export interface ConfirmingSettings {
  /** How many replicas must have a write. */
  readonly replicas: number
  /** Milliseconds. */
  readonly deadline: number
}

interface Queued {
  readonly write: ConfirmedWrite
  /** Whether the server serves the key only by exception, while it takes over the key's slot. */
  readonly asking: boolean
}

export class Confirming {
  readonly #line: Line
  readonly #replicas: number
  readonly #wait: number
  readonly #deadline: number
  #queue: Queued[] = []
  #waiting = false
  #planned: NodeJS.Immediate | undefined
  #overdue: NodeJS.Timeout | undefined

  constructor(line: Line, { replicas, deadline }: ConfirmingSettings) {
    this.#line = line
    this.#replicas = replicas
    this.#deadline = deadline
    this.#wait = Math.max(1, Math.floor(deadline * SHARE))
  }

  add(write: ConfirmedWrite, asking: boolean): void {
    this.#queue.push({ write, asking })
    this.#line.hurry()
    this.flush()
  }

  /** Sends what there is, at the end of this turn of the event loop, unless a group is under way. */
  flush(): void {
    if (this.#waiting) return
    this.#planned ??= setImmediate(() => {
      this.#planned = undefined
      this.#send()
    })
  }

  /** Gives back what was not sent: the line is lost. */
  lost(): void {
    const queue = this.#queue
    this.#queue = []
    for (const { write } of queue) write.failed(new NotSentError('not connected'))
  }

  close(): void {
    clearImmediate(this.#planned)
    clearTimeout(this.#overdue)
    this.lost()
  }

  #send(): void {
    if (this.#waiting || !this.#line.ready) return
    const group = this.#queue.filter(({ write }) => write.wanted())
    this.#queue = []
    if (group.length === 0) return
    this.#waiting = true
    const answered: ConfirmedWrite[] = []
    for (const queued of group) this.#sendOne(queued, answered)
    this.#overdue = setTimeout(() => setImmediate(() => this.#line.silent()), this.#deadline)
    // WAIT counts the replicas that have this connection's last write. All answers to the group come before its own.
    this.#line.send(['WAIT', String(this.#replicas), String(this.#wait)]).then(
      (count) => this.#confirmed(answered, typeof count === 'number' && count >= this.#replicas),
      (error: unknown) => this.#confirmed(answered, false, error),
    )
  }

  #sendOne({ write, asking }: Queued, answered: ConfirmedWrite[]): void {
    write.sent()
    if (asking) this.#line.send(['ASKING']).catch(() => undefined)
    this.#line.send(write.command).then(
      (reply: Reply) => {
        this.#line.answers += 1
        answered.push(write)
        write.answered(reply)
      },
      (error: Error) => write.failed(error),
    )
  }

  #confirmed(group: readonly ConfirmedWrite[], durable: boolean, error?: unknown): void {
    clearTimeout(this.#overdue)
    if (error === undefined || error instanceof ErrorReply) this.#line.answers += 1
    this.#waiting = false
    for (const write of group) write.confirmed(durable)
    this.flush()
  }
}

/** Links that do what a test says. */
import {
  type Command,
  type Endpoint,
  type Link,
  type LinkWatcher,
  nameOf,
  type OpenLink,
  type Reply,
} from '../../../src/stores/redis/link.ts'

/** A command that went out, and how it is answered. */
export interface Sent {
  readonly command: Command
  answer(reply: Reply): void
  fail(error: Error): void
}

export class FakeLink implements Link {
  readonly to: string
  ready = false
  closed = false
  readonly sent: Sent[] = []
  readonly #watcher: LinkWatcher

  constructor(to: Endpoint, watcher: LinkWatcher) {
    this.to = nameOf(to)
    this.#watcher = watcher
  }

  send(command: Command): Promise<Reply> {
    return new Promise((answer, fail) => this.sent.push({ command, answer, fail }))
  }

  async close(): Promise<void> {
    this.#end()
  }

  up(): void {
    this.ready = true
    this.#watcher.up()
  }

  /** Connected, and asked how it stands: a primary, if nothing else is said. */
  serve(fields: Readonly<Record<string, string>> = {}): void {
    if (!this.ready) this.up()
    this.answerNext('INFO', info({ run_id: 'one', role: 'master', master_replid: 'h1', ...fields }))
  }

  down(cause = new Error('connect ECONNREFUSED')): void {
    if (this.closed) return
    this.#end()
    this.#watcher.down(cause)
  }

  /** Something was published. */
  hear(message: string): void {
    this.#watcher.heard?.(message)
  }

  /** Answers the oldest command of this name that has no answer yet. */
  answerNext(name: string, reply: Reply | Error): void {
    const at = this.sent.findIndex(({ command }) => command[0] === name)
    if (at < 0) throw new Error(`${name} was not sent; there is ${this.waiting.join(', ') || 'nothing'}`)
    const [{ answer, fail }] = this.sent.splice(at, 1) as [Sent]
    if (reply instanceof Error) fail(reply)
    else answer(reply)
  }

  /** The names of the commands that have no answer yet. */
  get waiting(): string[] {
    return this.sent.map(({ command: [name] }) => String(name))
  }

  #end(): void {
    this.ready = false
    this.closed = true
    for (const { fail } of this.sent.splice(0)) fail(new Error('the connection was closed'))
  }
}

/** Opens them, and remembers them in order. */
export function fakeLinks(): { readonly open: OpenLink; readonly links: FakeLink[]; last(): FakeLink } {
  const links: FakeLink[] = []
  return {
    links,
    open: (to, watcher) => {
      const link = new FakeLink(to, watcher)
      links.push(link)
      return link
    },
    last: () => links.at(-1) as FakeLink,
  }
}

/** An answer to INFO. */
export function info(fields: Readonly<Record<string, string>>): Buffer {
  const lines = Object.entries(fields).map(([name, value]) => `${name}:${value}`)
  return Buffer.from(`# Server\r\n${lines.join('\r\n')}\r\n`)
}

/**
 * The Sentinels that watch a primary: asks them in turn who it is, remembers the others that they name, and listens to one
 * that answered for the announcement of a new one.
 */
import { ask } from './asking.ts'
import { SENTINEL_CHANNEL } from './commands.ts'
import { adviceFor, HopelessError } from './failures.ts'
import { type Command, type Endpoint, ErrorReply, type Link, nameOf, type OpenLink, type Reply } from './link.ts'

export interface SentinelsSettings {
  readonly sentinels: readonly Endpoint[]
  /** Under which name they watch it. */
  readonly name: string
  readonly open: OpenLink
  /** Milliseconds that one of them may take to answer. */
  readonly patience: number
}

/** How many are remembered, at most. */
const MOST = 32

export class Sentinels {
  readonly #settings: SentinelsSettings
  readonly #announced: (primary: Endpoint) => void
  readonly #closing = new AbortController()
  /** In the order in which they are asked, those who did not answer last. */
  #known: readonly Endpoint[]
  readonly #mute = new Set<string>()
  #listening: { readonly to: string; readonly link: Link; heard: boolean } | undefined
  #mayListen = true

  /** `announced` is called with the new primary when one of them tells of it. */
  constructor(settings: SentinelsSettings, announced: (primary: Endpoint) => void) {
    this.#settings = settings
    this.#announced = announced
    this.#known = settings.sentinels
  }

  /** Whether a new primary would be announced. */
  get listens(): boolean {
    return this.#listening?.heard === true
  }

  /** The primary, as the first one that answers has it. Rejects with a `HopelessError` for what no waiting mends. */
  async primary(): Promise<Endpoint> {
    const failures: Error[] = []
    const isMute = (sentinel: Endpoint): boolean => this.#mute.has(nameOf(sentinel))
    const inTurn = [...this.#known.filter((one) => !isMute(one)), ...this.#known.filter(isMute)]
    for (const sentinel of inTurn) {
      try {
        const primary = await this.#ask(sentinel)
        this.#mute.delete(nameOf(sentinel))
        this.#listen(sentinel)
        return primary
      } catch (error) {
        this.#closing.signal.throwIfAborted()
        failures.push(error as Error)
        this.#mute.add(nameOf(sentinel))
        if (this.#listening?.to === nameOf(sentinel)) this.#stopListening()
      }
    }
    throw failures.find((failure) => failure instanceof HopelessError) ?? new Error(noneAnswered(failures))
  }

  /** Whom the first one named is of no use: the next time another one is asked first. */
  doubt(): void {
    const [first, ...others] = this.#known
    if (first !== undefined) this.#known = [...others, first]
  }

  /** Whether most of them say that it is this one. */
  async agreeOn(primary: Endpoint): Promise<boolean> {
    const known = this.#known
    const named = await Promise.allSettled(known.map((sentinel) => this.#ask(sentinel)))
    const votes = named.filter((one) => one.status === 'fulfilled' && nameOf(one.value) === nameOf(primary))
    return votes.length * 2 > known.length
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await this.#listening?.link.close()
  }

  async #ask(sentinel: Endpoint): Promise<Endpoint> {
    const { name, open, patience } = this.#settings
    const questions: Command[] = [
      ['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name],
      ['SENTINEL', 'SENTINELS', name],
    ]
    try {
      const [primary, others] = await ask(sentinel, questions, { open, patience, signal: this.#closing.signal })
      if (primary instanceof ErrorReply) throw primary
      const [host, port] = Array.isArray(primary) ? primary.map(String) : []
      if (host === undefined || port === undefined)
        throw new HopelessError(
          `the Sentinel at ${nameOf(sentinel)} watches no primary with the name ${name}`,
          '(Check the name at the end of the URL.)',
        )
      this.#remember(sentinel, others)
      return { host, port: Number(port) }
    } catch (error) {
      throw explained(sentinel, error as Error)
    }
  }

  /** Those who were given stay known; of the others, who answered last and whom that one named. */
  #remember(asked: Endpoint, answer: Reply | ErrorReply | undefined): void {
    if (!Array.isArray(answer)) return
    const named = [...this.#settings.sentinels, asked, ...answer.flatMap(endpointOf)]
    const all = new Map(named.map((one) => [nameOf(one), one]))
    for (const name of this.#mute) if (!all.has(name)) this.#mute.delete(name)
    const before = this.#known.filter((known) => all.has(nameOf(known)))
    for (const known of before) all.delete(nameOf(known))
    this.#known = [...before, ...all.values()].slice(0, MOST)
  }

  #listen(sentinel: Endpoint): void {
    const to = nameOf(sentinel)
    if (!this.#mayListen || this.#listening !== undefined || this.#closing.signal.aborted) return
    const link: Link = this.#settings.open(sentinel, {
      up: () => void this.#subscribe(link),
      down: () => this.#deaf(link),
      heard: (message) => this.#heard(message),
    })
    this.#listening = { to, link, heard: false }
  }

  async #subscribe(link: Link): Promise<void> {
    try {
      await link.send(['subscribe', SENTINEL_CHANNEL])
      if (this.#listening?.link === link) this.#listening.heard = true
    } catch (error) {
      // Without the right to listen, asking now and then is left.
      if (error instanceof ErrorReply) this.#mayListen = false
      if (this.#listening?.link === link) this.#stopListening()
    }
  }

  #stopListening(): void {
    void this.#listening?.link.close()
    this.#listening = undefined
  }

  /** Somebody is listened to again after the next answer. */
  #deaf(link: Link): void {
    if (this.#listening?.link === link) this.#listening = undefined
  }

  /** `name old-host old-port new-host new-port` */
  #heard(message: string): void {
    const [name, , , host, port] = message.split(' ')
    if (name === this.#settings.name && host !== undefined && port !== undefined)
      this.#announced({ host, port: Number(port) })
  }
}

function endpointOf(fields: unknown): Endpoint[] {
  if (!Array.isArray(fields)) return []
  const words = fields.map(String)
  const valueOf = (field: string): string => words[words.indexOf(field) + 1] ?? ''
  const [host, port] = [valueOf('ip'), Number(valueOf('port'))]
  return host !== '' && port > 0 ? [{ host, port }] : []
}

function explained(sentinel: Endpoint, error: Error): Error {
  if (error instanceof HopelessError || adviceFor(error) === undefined) return error
  const advice = '(Check the option sentinel, which has the user, the password and the TLS of the Sentinels.)'
  return new HopelessError(`the Sentinel at ${nameOf(sentinel)} refused: ${error.message}`, advice, error)
}

function noneAnswered(failures: readonly Error[]): string {
  return `no Sentinel answered: ${failures.at(-1)?.message ?? 'none is known'}`
}

/**
 * The application's own client as the store's deployment: it is asked for the commands of the store and nothing else.
 * Connecting, following a primary and finding a key's node are its own business, and so is what it sends twice.
 */
import { refuseUnknown } from '../../core/options.ts'
import { OptionsError } from '../../errors.ts'
import type { ConfirmedWrite, Deployment, DeploymentWatcher, Route } from './deployment.ts'
import type { Outage } from './line.ts'
import type { Command, Reply } from './link.ts'
import { Telling } from './telling.ts'
import { KNOWN_OF_USE, resolveUse, type UseOptions, type UseSettings } from './use.ts'
import { asError, type OwnClient, type Voice, voiceOf } from './voice.ts'

export interface OwnClientOptions extends UseOptions {
  /**
   * A client that the application has: what `createClient`, `createSentinel` or `createCluster` of node-redis answers, or a
   * `Redis` or a `Cluster` of ioredis. The application connects it; the store asks it for the few commands that it needs.
   */
  readonly client: OwnClient
  /** Whether closing the store ends the client too, at once. Default: false. */
  readonly closeClient?: boolean | undefined
}

/** Checks the options and completes them. Throws `OptionsError`. */
export function resolveOwnClient(given: OwnClientOptions): { deployment: Deployment; use: UseSettings } {
  if ('url' in given) throw new OptionsError('url', 'url and client are both given: keep one.')
  refuseUnknown('', given, { ...KNOWN_OF_USE, client: 0, closeClient: 0 })
  const { client, closeClient = false } = given
  if (typeof closeClient !== 'boolean') throw new OptionsError('closeClient', 'closeClient must be true or false.')
  return { deployment: new OwnClientDeployment(client, closeClient), use: resolveUse(given) }
}

/** Whatever may mean that it can be asked, or not any more. */
const CHANGES = ['ready', 'connect', 'close', 'end', 'reconnecting', 'node-ready', 'node-disconnect'] as const
/** Another server may answer than before; `+node` and `-node` are ioredis's. */
const REPLACEMENTS = ['ready', 'node-ready', '+node', '-node', 'topology-change'] as const

class OwnClientDeployment implements Deployment, Route {
  readonly where = "the application's own client"
  answers = 0
  readonly #client: OwnClient
  readonly #voice: Voice
  readonly #closes: boolean
  readonly #listening: [event: string, listener: (...details: unknown[]) => void][] = []
  #watcher: DeploymentWatcher | undefined
  #outage: Outage | undefined
  #failure: Error | undefined
  #served = false
  readonly #telling = new Telling(() => this.#watcher?.replaced())

  /** `closes`: whether closing the store ends the client. */
  constructor(client: OwnClient, closes: boolean) {
    this.#client = client
    this.#voice = voiceOf(client)
    this.#closes = closes
  }

  start(watcher: DeploymentWatcher): void {
    this.#watcher = watcher
    this.#served = this.#voice.ready
    this.#listen('error', (error) => {
      this.#failure = asError(error)
      this.#changed()
    })
    for (const event of CHANGES) this.#listen(event, () => this.#changed())
    for (const event of REPLACEMENTS) this.#listen(event, () => this.#mayBeReplaced())
    this.#changed()
  }

  route(): Route | undefined {
    this.#note()
    return this.#outage === undefined ? this : undefined
  }

  outage(): Outage {
    return this.#outage ?? { since: performance.now(), cause: new Error('not connected') }
  }

  /** The client follows by itself; until then the call waits and asks again. */
  refused(): undefined {
    return undefined
  }

  heard(): void {
    this.answers += 1
  }

  /** A connection that is not ours is not ours to break. */
  silent(): void {
    return undefined
  }

  async send(command: Command): Promise<Reply> {
    try {
      return (await this.#voice.send(command)) as Reply
    } catch (error) {
      throw asError(error)
    }
  }

  /** WAIT would hold up everything else that the application asks over this client: the server's answer is all there is. */
  confirm(write: ConfirmedWrite): void {
    write.sent()
    this.send(write.command).then(
      (reply) => {
        this.heard()
        write.answered(reply)
        write.confirmed(true)
      },
      (error: Error) => write.failed(error),
    )
  }

  async close(): Promise<void> {
    this.#telling.stop()
    if (this.#closes) await this.#voice.close()
    for (const [event, listener] of this.#listening.splice(0)) this.#client.off(event, listener)
  }

  #listen(event: string, listener: (...details: unknown[]) => void): void {
    this.#listening.push([event, listener])
    this.#client.on(event, listener)
  }

  /** The client may lose its connection without a word: what it says of itself counts. */
  #note(): void {
    if (this.#voice.ready) {
      this.#outage = undefined
      this.#failure = undefined
    } else {
      const cause = this.#failure ?? new Error('the client is not connected (the store does not connect it)')
      this.#outage = { since: this.#outage?.since ?? performance.now(), cause }
    }
  }

  #changed(): void {
    this.#note()
    this.#watcher?.changed()
  }

  #mayBeReplaced(): void {
    if (this.#served) this.#telling.tell()
    this.#served ||= this.#voice.ready
  }
}

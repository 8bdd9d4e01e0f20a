/**
 * A deployment whose primary is named by Sentinels. Whom they name is used once it says itself that it is a primary. While
 * one serves, another takes its place only where it continues its history or most Sentinels name it: a Sentinel that was
 * cut off may name one of yesterday.
 */
import type { Deployment, DeploymentWatcher, Route } from './deployment.ts'
import type { Outage } from './line.ts'
import { type Endpoint, type ErrorReply, nameOf } from './link.ts'
import { Rounds } from './rounds.ts'
import { Sentinels, type SentinelsSettings } from './sentinels.ts'
import { Server, type ServerSettings } from './server.ts'
import { mayHaveLost, type Standing, succeeds } from './standing.ts'

/** Milliseconds until the Sentinels are asked again: while the primary serves, and listening to one of them, or not. */
const LISTENING = 5000
const NOT_LISTENING = 2000
/** And while nobody serves: longer each time. */
const SEEKING_FIRST = 100
const SEEKING_MOST = 500

export class SentinelDeployment implements Deployment {
  readonly where: string
  readonly #settings: ServerSettings
  readonly #sentinels: Sentinels
  readonly #rounds = new Rounds(() => this.#round())
  readonly #leaving = new Set<Server>()
  #watcher: DeploymentWatcher | undefined
  #current: Server | undefined
  /** Was named, and is not used yet. */
  #candidate: Server | undefined
  /** How the one that served last stood. */
  #standing: Standing | undefined
  #outage: Outage = { since: performance.now(), cause: new Error('no Sentinel has answered yet') }
  #seeking = SEEKING_FIRST
  /** Whether nobody served after the last round. */
  #inVain = false
  #closed = false

  constructor(sentinels: SentinelsSettings, settings: ServerSettings) {
    this.#settings = settings
    this.#sentinels = new Sentinels(sentinels, (primary) => this.#named(primary))
    this.where = `${sentinels.name} (Sentinels at ${sentinels.sentinels.map(nameOf).join(', ')})`
  }

  start(watcher: DeploymentWatcher): void {
    this.#watcher = watcher
    this.#outage = { ...this.#outage, since: performance.now() }
    this.#rounds.hurry()
  }

  route(): Route | undefined {
    return this.#current?.ready === true ? this.#current : undefined
  }

  outage(): Outage {
    return this.#current?.outage ?? this.#outage
  }

  refused(by: Route, _key: string, refusal: ErrorReply): undefined {
    if (by === this.#current) this.#current.refused(refusal)
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([
      this.#sentinels.close(),
      this.#rounds.stop(),
      this.#current?.close(),
      this.#candidate?.close(),
      ...[...this.#leaving].map((server) => server.close()),
    ])
  }

  async #round(): Promise<number> {
    if (this.#inVain && this.#current?.ready !== true) this.#sentinels.doubt()
    try {
      this.#named(await this.#sentinels.primary())
      if (!this.#consider() && this.#candidate?.ready === true) await this.#weigh(this.#candidate)
    } catch (error) {
      this.#outage = { ...this.#outage, cause: error as Error }
      this.#watcher?.changed()
    }
    this.#inVain = this.#current?.ready !== true
    if (!this.#inVain) {
      this.#seeking = SEEKING_FIRST
      return this.#sentinels.listens ? LISTENING : NOT_LISTENING
    }
    const pause = this.#seeking
    this.#seeking = Math.min(pause * 1.5, SEEKING_MOST)
    return pause
  }

  #named(primary: Endpoint): void {
    if (this.#closed) return
    const name = nameOf(primary)
    if (this.#candidate?.name !== name) {
      this.#leave(this.#candidate)
      this.#candidate = undefined
    }
    if (this.#current?.name === name) return this.#current.hurry()
    this.#candidate ??= new Server(primary, this.#settings, {
      serves: (server, standing) => this.#serves(server, standing),
      fails: (server) => this.#fails(server),
      keyChanged: (key) => this.#watcher?.keyChanged(key),
      untracked: () => this.#watcher?.untracked(),
    })
    this.#candidate.hurry()
  }

  #serves(server: Server, standing: Standing): void {
    if (server === this.#current) return this.#stands(standing)
    // Who may not take over at once is for the Sentinels to decide.
    if (server === this.#candidate && !this.#consider()) this.#rounds.hurry()
  }

  #fails(server: Server): void {
    if (this.#current === undefined) {
      // Nobody has served yet: what is wrong with the one that was named is all there is to say.
      this.#outage = { ...this.#outage, cause: server.outage?.cause ?? this.#outage.cause }
      this.#watcher?.changed()
    } else if (server === this.#current && !this.#consider()) {
      this.#rounds.hurry()
      this.#watcher?.changed()
    }
  }

  /** Uses the one that was named where nothing speaks against it. Answers whether it did. */
  #consider(): boolean {
    const candidate = this.#candidate
    if (candidate?.standing === undefined || !candidate.ready) return false
    const serving = this.#current?.ready === true ? this.#standing : undefined
    if (serving !== undefined && !succeeds(serving, candidate.standing)) return false
    this.#adopt(candidate)
    return true
  }

  /** The present one serves, and another is named that is not its successor. */
  async #weigh(candidate: Server): Promise<void> {
    const agreed = await this.#sentinels.agreeOn(candidate.endpoint)
    if (candidate !== this.#candidate || this.#closed) return
    if (agreed && candidate.ready) return this.#adopt(candidate)
    this.#candidate = undefined
    this.#leave(candidate)
  }

  #adopt(server: Server): void {
    this.#leave(this.#current)
    this.#current = server
    this.#candidate = undefined
    if (server.standing !== undefined) this.#stands(server.standing)
  }

  /** The present one serves, and stands so. */
  #stands(standing: Standing): void {
    const before = this.#standing
    this.#standing = standing
    this.#watcher?.changed()
    if (before !== undefined && mayHaveLost(before, standing)) this.#watcher?.replaced()
  }

  #leave(server: Server | undefined): void {
    if (server === undefined) return
    this.#leaving.add(server)
    void server.leave().finally(() => this.#leaving.delete(server))
  }
}

/** A deployment of one server. */
import type { Deployment, DeploymentWatcher, Route } from './deployment.ts'
import type { Outage } from './line.ts'
import type { Endpoint, ErrorReply } from './link.ts'
import { Server, type ServerSettings } from './server.ts'
import { mayHaveLost, type Standing } from './standing.ts'

export class Single implements Deployment {
  readonly where: string
  readonly #server: Server
  #watcher: DeploymentWatcher | undefined
  #standing: Standing | undefined

  constructor(endpoint: Endpoint, settings: ServerSettings) {
    this.#server = new Server(endpoint, settings, {
      serves: (_, standing) => this.#serves(standing),
      fails: () => this.#watcher?.changed(),
      keyChanged: (key) => this.#watcher?.keyChanged(key),
      untracked: () => this.#watcher?.untracked(),
    })
    this.where = this.#server.name
  }

  start(watcher: DeploymentWatcher): void {
    this.#watcher = watcher
    this.#server.hurry()
  }

  route(): Route | undefined {
    return this.#server.ready ? this.#server : undefined
  }

  outage(): Outage {
    return this.#server.outage ?? { since: performance.now(), cause: new Error('not connected') }
  }

  refused(_by: Route, _key: string, refusal: ErrorReply): undefined {
    this.#server.refused(refusal)
  }

  close(): Promise<void> {
    return this.#server.close()
  }

  #serves(standing: Standing): void {
    const before = this.#standing
    this.#standing = standing
    this.#watcher?.changed()
    if (before !== undefined && mayHaveLost(before, standing)) this.#watcher?.replaced()
  }
}

/** What the launcher tells its servers about each other, so that the page can show it. */
import type { ServerName } from './worlds.ts'

export type ServerState = 'starting' | 'up' | 'down'

export interface ServerSight {
  readonly state: ServerState
  readonly pid: number | undefined
}

export type ServerSights = Readonly<Record<ServerName, ServerSight>>

export interface Surroundings {
  readonly servers: ServerSights
  /** The balancer's name: `HAProxy 2.6.12`. */
  readonly balancer: string
}

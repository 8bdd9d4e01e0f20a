/** What a balancer has to know. Both kinds, HAProxy and the built-in one, do the same with it. */
import { SERVER_NAMES, WORLDS, type ServerName, type World, type WorldId } from '../worlds.ts'

export interface Plan {
  readonly port: number
  /** The addresses of this machine to listen on: `127.0.0.1`, and `::1` where there is one. */
  readonly hosts: readonly string[]
  readonly servers: Readonly<Record<ServerName, number>>
  /** The launcher's own port, where servers are killed: reached under `/control/`, outside the alternation. */
  readonly control: number
  /** The world that `/` leads to. */
  readonly world: WorldId
}

/** The cookie by which the sticky world pins a visitor to a server. */
export const PIN_COOKIE = 'pinned-to'

/** Where a path leads: to a world's servers, to the launcher, to the first world, or nowhere. */
export type Destination = World | 'control' | 'start' | 'nowhere'

export function destinationOf(path: string): Destination {
  if (path === '/') return 'start'
  if (path.startsWith('/control/')) return 'control'
  return Object.values(WORLDS).find((world) => path.startsWith(`/${world.id}/`)) ?? 'nowhere'
}

export function isPinned(value: string | undefined): value is ServerName {
  return SERVER_NAMES.some((name) => name === value)
}

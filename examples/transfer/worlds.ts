/** The three worlds of the problem. They differ in where a session lives and in how the balancer shares out. */

export const SERVER_NAMES = ['A', 'B'] as const
export type ServerName = (typeof SERVER_NAMES)[number]

export const WORLD_IDS = ['memory', 'sticky', 'shared'] as const
export type WorldId = (typeof WORLD_IDS)[number]

export interface World {
  readonly id: WorldId
  readonly title: string
  /** One line for the switch. */
  readonly summary: string
  /** Where sessions live: in each server's own memory, or in one store that both servers use. */
  readonly store: 'own' | 'one'
  /** What the balancer does with the next request. */
  readonly balancing: 'alternates' | 'pins'
  /** What to try, and what will happen. */
  readonly invitation: string
}

export const WORLDS: Readonly<Record<WorldId, World>> = {
  memory: {
    id: 'memory',
    title: 'Memory',
    summary: 'Each server keeps its own sessions.',
    store: 'own',
    balancing: 'alternates',
    invitation:
      'Sign in and send the first form. The balancer hands it to the other server, which has never heard of you.',
  },
  sticky: {
    id: 'sticky',
    title: 'Sticky',
    summary: 'The balancer pins you to one server.',
    store: 'own',
    balancing: 'pins',
    invitation:
      'Works, until you kill the server that you are pinned to: your session dies with it, and what you had begun.',
  },
  shared: {
    id: 'shared',
    title: 'Shared',
    summary: 'Both servers use one Holdfast store.',
    store: 'one',
    balancing: 'alternates',
    invitation:
      'Every step lands on the other server. Kill one, click twice, go back and send again: the money goes out once.',
  },
}

export function otherServer(name: ServerName): ServerName {
  return name === 'A' ? 'B' : 'A'
}

export function isServerName(value: unknown): value is ServerName {
  return value === 'A' || value === 'B'
}

export function isWorldId(value: unknown): value is WorldId {
  return WORLD_IDS.some((id) => id === value)
}

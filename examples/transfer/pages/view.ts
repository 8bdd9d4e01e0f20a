/** What a page is told. Pages are functions of it: they ask nothing and decide nothing. */
import type { CommitOutcome, CsrfReason, SessionStatus } from 'holdfast'

import type { Surroundings } from '../surroundings.ts'
import type { ServerName, World } from '../worlds.ts'
import type { Html } from './html.ts'

/** The request that is being answered, and what the session and its store did for it. */
export interface View {
  readonly world: World
  /** The server that answers. */
  readonly server: ServerName
  /** The server that made the form that was submitted; `undefined` where the page was just asked for. */
  readonly madeBy: ServerName | undefined
  readonly surroundings: Surroundings
  readonly session: SessionSight
  readonly token: TokenSight
  readonly work: WorkSight
  /** The CSRF token for forms that belong to no transfer. */
  readonly csrf: Html
}

export interface SessionSight {
  readonly status: SessionStatus
  readonly handle: string | undefined
  readonly version: number
  readonly userId: string | undefined
}

/** What became of the CSRF token that came along. */
export type TokenSight = 'none sent' | 'accepted' | CsrfReason

export interface TripSight {
  readonly about: 'session' | 'cycle'
  readonly what: string
  readonly answer: string
  readonly replicated: boolean
  readonly milliseconds: number
}

/** What became of the session: what its last commit did, or that it was ended, which is no commit. */
export type Outcome = CommitOutcome | 'ended'

export interface WorkSight {
  readonly trips: readonly TripSight[]
  readonly outcome: Outcome
  readonly conflicts: number
}

export const STEPS = ['amount', 'details', 'confirm', 'done'] as const
export type Step = (typeof STEPS)[number]

/** What a page is about, where it is about one transfer. */
export interface CycleSight {
  /** As the address has it; `undefined` where it came without. */
  readonly id: string | undefined
  /** How far it is. */
  readonly words: string
  /** The server that carried it out. */
  readonly carriedOutBy?: ServerName
}

/** One page, without what surrounds it on all of them. */
export interface Page {
  /** Its own address below the world's, by which it can be asked for again. */
  readonly path: '' | Step
  readonly title: string
  readonly step?: Step
  readonly status?: number
  readonly cycle?: CycleSight
  /** Seconds after which the page is to be asked for again. */
  readonly again?: number
  readonly body: Html
}

/** The address of something in the view's world, for one transfer where an id is given. */
export function address({ world }: Pick<View, 'world'>, path: string, id?: string): string {
  return `/${world.id}/${path}${id === undefined || id === '' ? '' : `?transfer=${id}`}`
}

/** The address by which a page can be asked for again. */
export function addressOf(view: Pick<View, 'world'>, { path, cycle }: Page): string {
  return address(view, path, path === '' ? undefined : cycle?.id)
}

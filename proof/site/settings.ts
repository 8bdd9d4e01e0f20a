/** What a server process of the proof is told at its start. */
import type { Target } from '../history/history.ts'

/**
 * What a rolling deploy may change while visitors are there (docs/deployment.md). The longer grace is still within what the
 * checker allows for.
 */
export const CONFIGURATIONS = {
  usual: {
    idle: '30m',
    absolute: '12h',
    renewal: '3s',
    graceMore: 0,
    nearCache: true,
    sameSite: 'lax',
    durability: 'primary',
  },
  other: {
    idle: '5m',
    absolute: '1h',
    renewal: '2s',
    graceMore: 300,
    nearCache: false,
    sameSite: 'strict',
    durability: 'replicated',
  },
} as const

/** The header in which an answer has its session's public name. */
export const HANDLE = 'x-session-handle'

export interface SiteSettings {
  readonly name: string
  readonly target: Target
  /** Always the same for a server, whichever of its incarnations. */
  readonly port: number
  /** The store's URL. */
  readonly store: string
  /** Of the run; `'primary'`: as the configuration has it. */
  readonly durability: 'primary' | 'replicated'
  readonly configuration: keyof typeof CONFIGURATIONS
  /** How many replicas confirm a change or an end; by default as the store has it. */
  readonly replicas?: number
  /** The first signs, all verify. */
  readonly secrets: readonly string[]
  /** The file in which the ends of cycles leave their lines. */
  readonly ledger: string
  /** Milliseconds. */
  readonly grace: number
  readonly staleness: number
  readonly lease: number
  /** The version of the data's shape that this server knows. */
  readonly version: number
}

/** From the deployment: the server's clock goes so many milliseconds ahead of the machine's from now on. */
export interface ToSite {
  readonly clock: number
}

/** To the deployment. */
export type FromSite =
  | { readonly port: number }
  | { readonly channel: string; readonly detail: Readonly<Record<string, unknown>> }

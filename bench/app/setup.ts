/** What a server process of the benchmarks is told. */

export const FRAMEWORKS = ['express', 'fastify'] as const
export const SESSIONS = ['bare', 'holdfast', 'express-session'] as const

export interface Setup {
  readonly framework: (typeof FRAMEWORKS)[number]
  readonly sessions: (typeof SESSIONS)[number]
  /** A store's URL; for Holdfast. */
  readonly store?: string
}

/** The secret of both libraries. */
export const SECRET = 'a secret of the benchmarks, for no other use: 5ca1ab1e'

/** A server that accepts requests. */
export type Listen = (setup: Setup) => Promise<number>

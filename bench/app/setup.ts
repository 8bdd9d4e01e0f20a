/** What a server process of the benchmarks is told. */

export const FRAMEWORKS = ['express', 'fastify'] as const
export const SESSIONS = ['bare', 'holdfast', 'express-session', '@fastify/session'] as const

export interface Setup {
  readonly framework: (typeof FRAMEWORKS)[number]
  readonly sessions: (typeof SESSIONS)[number]
  /** A store's URL. Without one a peer keeps its sessions in its own memory. */
  readonly store?: string
  /** For @fastify/session: `false` turns off that every request saves the session, which is its default. */
  readonly rolling?: boolean
}

/** The secret of all libraries. */
export const SECRET = 'a secret of the benchmarks, for no other use: 5ca1ab1e'

/** The cookies of the peers, as safe as those of Holdfast: `HttpOnly; Secure; SameSite=Lax`. */
export const COOKIE = { httpOnly: true, secure: true, sameSite: 'lax' } as const

/** A server that accepts requests. */
export type Listen = (setup: Setup) => Promise<number>

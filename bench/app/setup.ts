/** What a server process of the benchmarks is told. */
import type { NearCacheOptions } from 'holdfast'

export const FRAMEWORKS = ['express', 'fastify', 'koa', 'hono'] as const
export const SESSIONS = [
  'bare',
  'holdfast',
  'express-session',
  'drop-in',
  '@fastify/session',
  'koa-session',
  'hono-sessions',
  'iron-session',
] as const

export interface Setup {
  readonly framework: (typeof FRAMEWORKS)[number]
  readonly sessions: (typeof SESSIONS)[number]
  /** A store's URL. Without one a peer keeps its sessions in its own memory, or in the cookie. */
  readonly store?: string
  /** For Holdfast: `false` turns off the near cache, which is on by default where the store is Redis. */
  readonly nearCache?: NearCacheOptions | boolean
  /** For the drop-in: whether its sessions are in Holdfast's own store; else where express-session has them. */
  readonly ownStore?: true
  /** For @fastify/session: `false` turns off that every request saves the session, which is its default. */
  readonly rolling?: boolean
}

/** The secret of all libraries. */
export const SECRET = 'a secret of the benchmarks, for no other use: 5ca1ab1e'

/** The cookies of the peers, as safe as those of Holdfast: `HttpOnly; Secure; SameSite=Lax`. */
export const COOKIE = { httpOnly: true, secure: true, sameSite: 'lax' } as const

/** A server that accepts requests. Answers its port. */
export type Listen = (setup: Setup) => Promise<number>

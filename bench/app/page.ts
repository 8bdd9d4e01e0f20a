/**
 * What every contender serves, and the session that it reads: the typical one of the design.
 *
 * | route | what it does |
 * |---|---|
 * | `GET /` | the page of a signed-in visitor; 401 for anybody else |
 * | `GET /public` | the same page for whoever comes |
 * | `GET /count`, `POST /count` | reads a number of the session; changes it once |
 * | `POST /sign-in/:user` | begins the user's session |
 * | `GET /form`, `POST /form` | makes a CSRF token; refuses a request whose token is not good |
 */

export const USER = 'u12345'
export const VISITOR = { name: 'Ada Lovelace', roles: ['admin', 'dev'], cart: [{ sku: 'A-12345', n: 2 }] }
/** The session of a visitor; `count` is there from the first change on. */
export type Visit = typeof VISITOR & { count?: number }

/** A session as the peers have it: the user is a value of it. */
export type PeerVisit = Partial<Visit> & { user?: string }

/** What browsers call the application; the load says so in its Host header. */
export const ORIGIN = 'https://shop.example'

/** The token of a bare server, which checks nothing. */
export const NO_TOKEN: string = 'A'.repeat(64)

export interface Page {
  readonly user: string | null
  readonly name: string | null
  readonly items: number
}

/** The same work for all: three values, one of them at depth. */
export function pageOf(user: string | undefined, data: Partial<Visit> | undefined): Page {
  return { user: user ?? null, name: data?.name ?? null, items: data?.cart?.length ?? 0 }
}

/** The page of somebody who is not signed in; the load fails on it. */
export function statusFor(user: string | undefined): 200 | 401 {
  return user === undefined ? 401 : 200
}

/** One change of the session, the same for all. Answers what is stored next. */
export function countUp(data: { count?: number }): number {
  data.count = (data.count ?? 0) + 1
  return data.count
}

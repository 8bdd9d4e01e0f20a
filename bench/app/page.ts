/** The page that every contender serves, and the session that it reads: the typical one of the design. */

export const USER = 'u12345'
export const VISITOR = { name: 'Ada Lovelace', roles: ['admin', 'dev'], cart: [{ sku: 'A-12345', n: 2 }] }
/** The session of a visitor; `count` is there from the first change on. */
export type Visitor = typeof VISITOR & { count?: number }

/** What browsers call the application; the load says so in its Host header. */
export const ORIGIN = 'https://shop.example'

export interface Page {
  readonly user: string | null
  readonly name: string | null
  readonly items: number
}

/** The same work for all: three values, one of them at depth. */
export function pageOf(user: string | undefined, data: Partial<Visitor> | undefined): Page {
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

/** The page that every contender serves, and the session that it reads: the typical one of the design. */

export const USER = 'u12345'
export const VISITOR = { name: 'Ada Lovelace', roles: ['admin', 'dev'], cart: [{ sku: 'A-12345', n: 2 }] }
export type Visitor = typeof VISITOR

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

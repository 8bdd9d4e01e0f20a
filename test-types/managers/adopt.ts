/** Sessions of other libraries: what a map answers has to be the manager's data. */
import { createSessions } from 'holdfast'
import { fromCookieSession, fromExpressSession, fromIronSession, type OldStore } from 'holdfast/adopt'

interface Shop {
  cart: string[]
}

declare const store: OldStore
const initial = (): Shop => ({ cart: [] })
const secret = 'secret'

createSessions<Shop>({
  initial,
  adopt: [
    fromExpressSession({ secret, store, map: (old) => ({ data: { cart: old['cart'] as string[] }, user: 'u1' }) }),
    // Without a map nobody can tell.
    fromCookieSession({ keys: [secret] }),
    fromIronSession({ password: { 1: secret }, cookieName: 'iron', source: 'leave', lifetime: '30d' }),
  ],
})

createSessions<Shop>({
  initial,
  // @ts-expect-error: a cart is a list
  adopt: [fromExpressSession({ secret, store, map: () => ({ data: { cart: 1 } }) })],
})

// @ts-expect-error: there is a store where the sessions are
fromExpressSession({ secret })

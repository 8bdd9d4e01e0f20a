/** Options: what is demanded, what is optional, what is refused. */
import { createSessions, type Duration, type Options, type Store } from 'holdfast'
import { lmdbStore } from 'holdfast/lmdb'
import { memoryStore } from 'holdfast/memory'
import { redisStore } from 'holdfast/redis'

interface Optional {
  name?: string
}
interface Required {
  cart: string[]
}

createSessions({})
createSessions<Optional>({})
createSessions<Optional>({ initial: () => ({}) })
createSessions<Required>({ initial: () => ({ cart: [] }) })
// @ts-expect-error: Required has required keys, so there must be a first value
createSessions<Required>({})
// @ts-expect-error: and it must have them
createSessions<Required>({ initial: () => ({}) })
// @ts-expect-error: made at once, not later
createSessions<Required>({ initial: async () => ({ cart: [] }) })

// A program that reads its settings from elsewhere hands over what may be undefined.
declare const setting: string | undefined
declare const duration: Duration | undefined
createSessions({
  secret: setting,
  store: setting,
  origin: setting,
  name: setting,
  idleTimeout: duration,
  initial: undefined,
})
createSessions({ secret: setting?.split(' ') })
createSessions({ secret: new Uint8Array(32) })
createSessions({ secret: { sign: 'new', verify: ['old'] } })

const stores: Store[] = [memoryStore(), lmdbStore('sessions'), redisStore('redis://localhost')]
for (const store of stores) createSessions({ store })

// @ts-expect-error: a duration has a unit
createSessions({ idleTimeout: '30' })
// @ts-expect-error: which is one of five
createSessions({ idleTimeout: '30 minutes' })
// @ts-expect-error: and it is text
createSessions({ idleTimeout: 30 })
// @ts-expect-error: one of three
createSessions({ csrf: 'off' })
// @ts-expect-error: no such option
createSessions({ idelTimeout: '30m' })
// @ts-expect-error: no such limit
createSessions({ limits: { recordsize: 1 } })
// @ts-expect-error: SameSite has three values
createSessions({ cookie: { sameSite: 'None' } })
// @ts-expect-error: cookies are always HttpOnly
createSessions({ cookie: { httpOnly: false } })
// @ts-expect-error: a store is more than an object
createSessions({ store: {} })

export const options: Options<Optional> = { csrf: 'report' }

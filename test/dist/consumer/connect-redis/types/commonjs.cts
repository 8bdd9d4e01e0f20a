import { RedisStore } from 'holdfast/connect-redis'
import session = require('holdfast/express-session')

const store = new RedisStore({
  client: {},
  prefix: 'shop:',
  ttl: (kept) => (kept.cookie.maxAge === undefined ? 60 : 90),
})
session({ store, secret: 'x' })
const ids: Promise<string[]> = store.ids()
void ids
// @ts-expect-error -- this is no option
void new RedisStore({ client: {}, stranger: true })

import { RedisStore, type RedisStoreOptions } from 'holdfast/connect-redis'
import session from 'holdfast/express-session'

const options: RedisStoreOptions = { client: {}, prefix: 'shop:' }
const store = new RedisStore(options)
session({ store, secret: 'x' })
store.all((error, all) => {
  const id: string | undefined = all?.[0]?.id
  void [error, id]
})
// @ts-expect-error -- this is no option
void new RedisStore({ client: {}, stranger: true })

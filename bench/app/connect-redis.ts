/** connect-redis over node-redis, set up as its README says: both peers store through it. */
import { loadPeer } from '../../proof/peers.ts'

interface Client {
  connect(): Promise<unknown>
}

/** A store for express-session and for @fastify/session. */
export async function connectRedis(url: string): Promise<object> {
  const { createClient } = await loadPeer<{ createClient: (options: { url: string }) => Client }>('redis', 'bench')
  const { RedisStore } = await loadPeer<{ RedisStore: new (options: { client: Client }) => object }>(
    'connect-redis',
    'bench',
  )
  const client = createClient({ url })
  await client.connect()
  return new RedisStore({ client })
}

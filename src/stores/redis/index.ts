/** `holdfast/redis`: sessions in Redis or Valkey, which all servers share: one server, one that Sentinels name, or a cluster. */
import type { Store } from '../../core/store.ts'
import type { Deployment } from './deployment.ts'
import { ioredisLinks } from './ioredis.ts'
import { keysUnder } from './keys.ts'
import { type RedisStoreOptions, resolveRedisOptions } from './options.ts'
import { type OwnClientOptions, resolveOwnClient } from './own-client.ts'
import { RedisStore } from './redis-store.ts'
import { deploymentOf } from './topology.ts'

export { redisConf } from './conf.ts'
export type { ClusterConf, PrimaryConf, RedisConfOptions, ReplicaConf, SentinelConf } from './conf/options.ts'
export type { Credentials, CredentialsSource } from './access.ts'
export type { RedisStoreOptions, SentinelOptions } from './options.ts'
export type { OwnClientOptions } from './own-client.ts'
export type { OwnClient } from './voice.ts'

/**
 * A store in Redis 7.0 or later, or in Valkey. Needs the package `ioredis`, which is loaded when it opens; or a client that
 * the application has already, `redisStore({ client })`, for which less can be promised: see `docs/stores.md`.
 *
 * Every call settles within the deadline. A connection that is lost comes back by itself, and another primary that takes
 * over is followed; a write whose answer was lost is never sent a second time.
 *
 * @param options a URL such as `redis://10.0.0.5:6379`, or the options, with a `url` or a `client`
 * @throws OptionsError for a URL or an option that is wrong; `open()` rejects with one for a wrong password and whatever else no waiting mends
 */
export function redisStore(options: string | RedisStoreOptions | OwnClientOptions): Store {
  if (typeof options === 'object' && 'client' in options) {
    const { deployment, use } = resolveOwnClient(options)
    return new RedisStore(keysUnder(use.prefix), use, async () => deployment, false)
  }
  const settings = resolveRedisOptions(options)
  const connect = async (): Promise<Deployment> => deploymentOf(settings, await ioredisLinks())
  return new RedisStore(keysUnder(settings.prefix), settings, connect, true)
}

/** `holdfast/redis`: sessions in Redis or Valkey, which all servers share: one server, one that Sentinels name, or a cluster. */
import type { Store } from '../../core/store.ts'
import { ioredisLinks } from './ioredis.ts'
import { keysUnder } from './keys.ts'
import { type RedisStoreOptions, resolveRedisOptions } from './options.ts'
import { RedisStore } from './redis-store.ts'
import { deploymentOf } from './topology.ts'

export { redisConf } from './conf.ts'
export type { ClusterConf, PrimaryConf, RedisConfOptions, ReplicaConf, SentinelConf } from './conf/options.ts'
export type { Credentials, CredentialsSource } from './access.ts'
export type { RedisStoreOptions, SentinelOptions } from './options.ts'

/**
 * A store in Redis 7.0 or later, or in Valkey. Needs the package `ioredis`, which is loaded when it opens.
 *
 * Every call settles within the deadline. A connection that is lost comes back by itself, and another primary that takes
 * over is followed; a write whose answer was lost is never sent a second time.
 *
 * @param options a URL such as `redis://10.0.0.5:6379`, or the options
 * @throws OptionsError for a URL or an option that is wrong; `open()` rejects with one for a wrong password and whatever else no waiting mends
 */
export function redisStore(options: string | RedisStoreOptions): Store {
  const settings = resolveRedisOptions(options)
  return new RedisStore(keysUnder(settings.prefix), settings, async () => deploymentOf(settings, await ioredisLinks()))
}

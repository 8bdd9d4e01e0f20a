/** The configuration that Holdfast wants of Redis. */
import type { RedisConfOptions } from './conf/options.ts'
import { resolveConf } from './conf/resolve.ts'
import { sentinelConf } from './conf/sentinel.ts'
import { serverConf } from './conf/server.ts'

/**
 * Prints a configuration for Redis 7.0 or later, or Valkey: of a primary, a replica, a node of a cluster, or a Sentinel.
 * Every line has its reason above it. Pure: the same options give the same text, and nothing is read or written.
 *
 * Passwords stand in it as SHA-256, save those that the server itself presents to another.
 *
 * @throws OptionsError for an option that is unknown, missing or wrong
 */
export function redisConf(options: RedisConfOptions): string {
  const resolved = resolveConf(options)
  return resolved.role === 'sentinel' ? sentinelConf(resolved) : serverConf(resolved)
}

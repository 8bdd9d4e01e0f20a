/** What the store asks of Redis: what its user must be allowed, and no more. */

/**
 * Every command that the store sends, subcommands as `command|subcommand`: the ones that its scripts call too, for Redis
 * asks the user's rights for each of them.
 */
export const COMMANDS: readonly string[] = [
  'client|setname',
  'eval',
  'evalsha',
  'get',
  'getrange',
  'hget',
  'hincrby',
  'hset',
  'info',
  'pexpire',
  'pttl',
  'set',
  'time',
  'zadd',
  'zrange',
  'zrem',
  'zremrangebyscore',
  'zscore',
]

/** What it asks besides of a server that has replicas. */
export const REPLICATED_COMMANDS: readonly string[] = ['wait']

/** And of the nodes of a cluster. */
export const CLUSTER_COMMANDS: readonly string[] = ['asking', 'cluster|slots']

/** And of servers that are to tell of changes. */
export const TRACKING_COMMANDS: readonly string[] = [
  'client|getredir',
  'client|id',
  'client|tracking',
  'ping',
  'subscribe',
]

/** The channel on which a server tells of changes, in the words of RESP2. */
export const INVALIDATION_CHANNEL = '__redis__:invalidate'

/** What it asks of a Sentinel. */
export const SENTINEL_COMMANDS: readonly string[] = [
  'client|setname',
  'sentinel|get-master-addr-by-name',
  'sentinel|sentinels',
  'subscribe',
]

/** The channel on which Sentinels announce a new primary. */
export const SENTINEL_CHANNEL = '+switch-master'

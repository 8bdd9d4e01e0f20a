/** Who may do what: users as Redis's access control lists have them, each with no more than it needs. */
import { createHash } from 'node:crypto'

import {
  CLUSTER_COMMANDS,
  COMMANDS,
  INVALIDATION_CHANNEL,
  REPLICATED_COMMANDS,
  SENTINEL_CHANNEL,
  SENTINEL_COMMANDS,
  TRACKING_COMMANDS,
} from '../commands.ts'
import { type Setting, setting } from './text.ts'

/** A password, or all that is known of it. */
export type Password = string | { readonly sha256: string }

/** What a replica asks of its primary. */
const REPLICATION_COMMANDS = ['ping', 'psync', 'replconf']

/** What a Sentinel does on the servers that it watches. */
const WATCHING_COMMANDS = [
  'client|kill',
  'client|setname',
  'config|rewrite',
  'exec',
  'info',
  'multi',
  'ping',
  'publish',
  'role',
  'script|kill',
  'slaveof',
  'subscribe',
]

/** What Sentinels ask of each other. */
const PEER_COMMANDS = ['client|setname', 'ping', 'publish', 'sentinel|is-master-down-by-addr']

/** The channel on which Sentinels find each other. */
const HELLO_CHANNEL = '__sentinel__:hello'

export const OPERATOR = 'operator'
export const REPLICATION = 'replication'
export const SENTINEL = 'sentinel'

/**
 * Nobody can sign in as this one. Seen with Redis 7.0.15: while it loads its append-only file it checks the rights of
 * `default` for whatever stands between MULTI and EXEC, as scripts leave it, and drops that without a word where they are
 * missing.
 */
export function nobody(): Setting {
  const why =
    'Who does not say a name and a password may do nothing: nobody can be this one. Its rights are for Redis itself, which checks them while it loads its file, and without them would leave out what scripts wrote.'
  return userSetting(why, 'default', ['off', 'resetpass', '~*', 'resetchannels', '-@all', '+@write'])
}

export function operator(password: Password | undefined): Setting[] {
  if (password === undefined) return []
  const why = `For you: redis-cli --user ${OPERATOR} --askpass. It may do everything.`
  return [userSetting(why, OPERATOR, ['on', hashOf(password), '~*', '&*', '+@all'])]
}

/** The user of the store. */
export function holdfast(user: string, password: Password, prefix: string, cluster: boolean): Setting {
  const why = `For Holdfast: what it does, under keys that begin with ${prefix}, and nothing else.`
  const commands = [...COMMANDS, ...TRACKING_COMMANDS, ...REPLICATED_COMMANDS, ...(cluster ? CLUSTER_COMMANDS : [])]
  const rights = [`~${prefix}*`, 'resetchannels', `&${INVALIDATION_CHANNEL}`, ...only(commands)]
  return userSetting(why, user, ['on', hashOf(password), ...rights])
}

export function replication(password: Password | undefined): Setting[] {
  if (password === undefined) return []
  const why = 'For replicas: the stream of changes, which no list of keys narrows down.'
  return [
    userSetting(why, REPLICATION, [
      'on',
      hashOf(password),
      'resetkeys',
      'resetchannels',
      ...only(REPLICATION_COMMANDS),
    ]),
  ]
}

export function watcher(password: Password | undefined): Setting[] {
  if (password === undefined) return []
  const why = 'For Sentinels: to see how the server is, to find each other, and to change who is the primary.'
  const rights = ['resetkeys', 'resetchannels', `&${HELLO_CHANNEL}`, ...only(WATCHING_COMMANDS)]
  return [userSetting(why, SENTINEL, ['on', hashOf(password), ...rights])]
}

/** The user of the store at a Sentinel. */
export function asker(user: string, password: Password): Setting {
  const why = 'For Holdfast: to ask who the primary is, and to be told of a new one.'
  const rights = ['resetkeys', 'resetchannels', `&${SENTINEL_CHANNEL}`, ...only(SENTINEL_COMMANDS)]
  return userSetting(why, user, ['on', hashOf(password), ...rights])
}

/** The user of the other Sentinels. */
export function peer(password: Password): Setting {
  const why = 'For the other Sentinels: to agree that the primary is down, and on who of them acts.'
  const rights = ['resetkeys', 'resetchannels', `&${HELLO_CHANNEL}`, ...only(PEER_COMMANDS)]
  return userSetting(why, SENTINEL, ['on', hashOf(password), ...rights])
}

function userSetting(why: string, user: string, rules: readonly string[]): Setting {
  return setting(why, 'user', user, ...rules)
}

function only(commands: readonly string[]): string[] {
  return ['-@all', ...commands.map((command) => `+${command}`)]
}

/** As access control lists have it: the SHA-256, in hexadecimal digits. */
function hashOf(password: Password): string {
  return `#${typeof password === 'string' ? createHash('sha256').update(password).digest('hex') : password.sha256}`
}
